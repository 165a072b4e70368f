"""The rules as the charter wants them: packs left out, effects and modes changed, a project's own rules added.

A person's charter may loosen a rule (but none of those that guard the guard); a project's file can only tighten one.
Standard library only.
"""

from __future__ import annotations

from levaithan.hot.charter import FIXED_PACKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.charter import Charter

_STRENGTH = {"off": 0, "warn": 2, "ask": 4, "deny": 6}


def in_force(rules: list[dict[str, Any]], charter: Charter) -> tuple[list[dict[str, Any]], list[str]]:
    """(the rules that count, what of the charter does not and why). `rules` themselves are not changed."""
    problems: list[str] = []
    kept = [rule for rule in rules if rule["pack"] not in charter.off]
    for pattern, said, by_project in charter.overrides:
        made = [_changed(rule, said, by_project, problems) if _fits(pattern, rule) else rule for rule in kept]
        if not any(_fits(pattern, rule) for rule in rules):
            problems.append(f"the charter changes {pattern}, and no rule is called so: see `levaithan policy list`")
        kept = [rule for rule in made if rule["effect"] != "off"]
    if charter.rules:
        taken = {rule["id"] for rule in kept}
        kept = [*kept, *(rule for rule in charter.rules if rule["id"] not in taken)]
    return kept, problems


def names(pattern: str, rule_id: str | None) -> bool:
    """Whether `pattern`, a rule's id or the beginning of one and `*`, names the rule."""
    if rule_id is None:
        return False
    return rule_id == pattern or (pattern[-1:] == "*" and rule_id.startswith(pattern[:-1]))


def _fits(pattern: str, rule: dict[str, Any]) -> bool:
    return names(pattern, rule["id"])


def _changed(rule: dict[str, Any], said: dict[str, str], by_project: bool, problems: list[str]) -> dict[str, Any]:
    made = {**rule, **said}
    if _strength(made) >= _strength(rule):
        return made
    if by_project:
        problems.append(f"a project cannot loosen {rule['id']}: its .claude/levaithan.toml is not followed there")
        return rule
    if rule["pack"] in FIXED_PACKS:
        problems.append(f"{rule['id']} guards the guard and cannot be loosened: the charter is not followed there")
        return rule
    return made


def _strength(rule: dict[str, Any]) -> int:
    strength: int = _STRENGTH[rule["effect"]] - (rule["mode"] == "shadow") * 5
    return strength
