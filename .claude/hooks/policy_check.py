"""Denies or asks about what the rules in `context/policies/*.toml` forbid."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/policy_check.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


_FRESH_US = 250_000
_PROJECTS = 256


def judge(event: Event, context: Context) -> Opinion | None:
    """What the strictest rule that fits the event says; None when none does."""
    by_project: dict[str, tuple[int, policy.Policy]] = context.memory.setdefault("policy", {})
    project = event.project or event.cwd or ""
    until, rules = by_project.get(project, (0, None))
    if rules is None or not 0 <= until - context.now_us <= _FRESH_US:  # a change counts within a quarter of a second
        rules = policy.load(context.home, context.conf, project)
        if len(by_project) > _PROJECTS:
            by_project.clear()
        by_project[project] = (context.now_us + _FRESH_US, rules)
        context.complaints["policy_check"] = rules.problems
    opinion: Opinion | None = rules.judge(event)
    return opinion


hook = judge  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "checks")
