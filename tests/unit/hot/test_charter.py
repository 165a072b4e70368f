"""The charter: what is refused and where, what it does to the rules, and that a project can only be stricter."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from levaithan.hot import charter, policy
from levaithan.hot.charter_file import CharterError, compiled
from levaithan.hot.event import Event
from levaithan.hot.paths import Home

Call = Callable[..., Event]
SHIPPED = Path(__file__).parents[3] / ".claude" / "context" / "charter.toml"


def _write(home: Home, text: str) -> None:
    Path(home.context, "charter.toml").write_text(text)


def _said(home: Home, call: Call, command: str, cwd: str = "/tmp", project: str | None = None) -> str:
    event = call(tool_input={"command": command}, cwd=cwd)
    opinion = policy.load(home, None, project).judge(event)
    return "nothing" if opinion is None else f"{opinion.verdict} {opinion.rule}"


def test_the_shipped_charter_is_good_and_says_the_built_in_limits(scratch: Home) -> None:
    made = compiled(str(SHIPPED), SHIPPED.read_bytes())
    assert [one["id"] for one in made["directive"]] == [
        "human-sovereignty",
        "safety",
        "transparency",
        "resource-respect",
    ]
    loaded = charter.load(scratch)
    assert loaded.problems == [] and loaded.off == frozenset()
    os.unlink(scratch.context + charter.FILE)
    bare = charter.load(scratch)
    for section in ("approvals", "pace", "leases", "budgets"):
        assert getattr(bare, section) == getattr(loaded, section)


def test_every_shipped_pack_is_chosen_by_a_directive() -> None:
    made = compiled(str(SHIPPED), SHIPPED.read_bytes())
    chosen = {pack for one in made["directive"] for pack in one.get("packs", ())}
    assert chosen == {path.stem for path in (SHIPPED.parent / "policies").glob("*.toml")}


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("version = 2", 1, "version 2"),
        ("version = 1\n[polic]\n", 2, "'polic' is unknown"),
        ("\n\n[pace]\ncalls_per_minute = -1\n", 4, "whole number"),
        ("[pace]\ncalls_per_minute = true\n", 2, "whole number"),
        ('[leases]\nexpires = "soon"\n', 2, "a time such as"),
        ('[leases]\nexpires = "999999999d"\n', 2, "a time such as"),
        ('[policy.rules]\n"git.push" = "perhaps"\n', 2, "one of deny, ask, warn, off"),
        ('[policy]\noff = ["guard"]\n', 2, "cannot be switched off"),
        ('[[directive]]\nid="a"\ntext="b"\nenabled=false\npacks=["base"]\n', 5, "cannot be switched off"),
        ('[[budgets.limit]]\nscope = "day"\n', 1, "needs usd"),
        ('[[budgets.limit]]\nscope = "year"\nusd = 1\n', 2, "one of session"),
        ("a = [", 1, ""),
        ("version = " + "9" * 5000, 1, "4300 digits"),
        ("a = " + "[" * 3000 + "]" * 3000, 1, "recursion"),
        ('[[budgets.limit]]\nscope = "day"\nusd = nan\n', 3, "a number from 0"),
        ('[[budgets.limit]]\nscope = "day"\nusd = inf\n', 3, "a number from 0"),
        ('[[budgets.limit]]\nscope = "day"\nusd = -1\n', 3, "a number from 0"),
        ('[approvals]\nheadless = "allow"\n', 2, "one of ticket, deny"),
    ],
)
def test_a_bad_charter_is_refused_with_file_line_and_reason(text: str, line: int, word: str) -> None:
    with pytest.raises(CharterError) as refused:
        compiled("c.toml", text.encode())
    assert str(refused.value).startswith(f"c.toml:{line}: ")
    assert word in str(refused.value)


@pytest.mark.parametrize(
    "text", ["[policy]\noff = ['git']", "[secrets]\nprompt='off'", "[leases]\nenabled=false", "[pace]\nbackoff='1s'"]
)
def test_a_project_has_no_words_for_what_would_loosen(text: str) -> None:
    compiled("c.toml", text.encode())
    with pytest.raises(CharterError):
        compiled("c.toml", text.encode(), of_project=True)


def test_a_broken_charter_leaves_the_last_good_one_in_force(scratch: Home) -> None:
    _write(scratch, "[pace]\ncalls_per_minute = 7\n")
    assert charter.load(scratch).pace["calls_per_minute"] == 7
    _write(scratch, "[pace]\ncalls_per_minute = oops\n")
    charter._cache.clear()
    loaded = charter.load(scratch)
    assert loaded.pace["calls_per_minute"] == 7
    assert "last good one stays in force" in loaded.problems[0] and "charter.toml:2" in loaded.problems[0]


def test_a_charter_that_never_was_good_is_said_and_the_built_in_one_holds(scratch: Home) -> None:
    _write(scratch, "[pace")
    loaded = charter.load(scratch)
    assert loaded.pace == charter.DEFAULTS["pace"]
    assert "what is built in is in force" in loaded.problems[0]


def test_rules_are_loosened_tightened_and_switched_off(scratch: Home, call: Call) -> None:
    assert _said(scratch, call, "git push --force origin main").startswith(("deny", "ask"))
    _write(scratch, '[policy]\noff = ["git"]\n')
    assert _said(scratch, call, "git push --force origin main") == "nothing"
    _write(scratch, '[policy.rules]\n"git.*" = { mode = "shadow" }\n')
    assert _said(scratch, call, "git push --force origin main").startswith("allow git.")
    _write(scratch, '[policy.rules]\n"git.*" = "ask"\n')
    assert _said(scratch, call, "git push --force origin main").startswith("ask git.")
    _write(scratch, '[policy.rules]\n"git.*" = "off"\n')
    assert _said(scratch, call, "git push --force origin main") == "nothing"


def test_what_guards_the_guard_is_not_loosened(scratch: Home, call: Call) -> None:
    _write(scratch, '[policy.rules]\n"self.*" = "off"\n"no.such-rule" = "deny"\n')
    assert _said(scratch, call, "levaithan stop").startswith("deny self.")
    problems = policy.load(scratch).problems
    assert any("cannot be loosened" in problem for problem in problems)
    assert any("no.such-rule" in problem for problem in problems)


def test_a_disabled_directive_takes_its_packs_and_limits_along(scratch: Home, call: Call) -> None:
    text = SHIPPED.read_text()
    _write(
        scratch,
        text.replace('id = "safety"', 'id = "safety"\nenabled = false').replace(
            '"resource-respect"', '"resource-respect"\nenabled = false'
        ),
    )
    loaded = charter.load(scratch)
    assert "git" in loaded.off and "secrets" not in loaded.off
    assert (loaded.leases["enabled"], loaded.pace["enabled"], loaded.budgets["enabled"]) == (False, False, False)
    assert _said(scratch, call, "git push --force origin main") == "nothing"
    assert _said(scratch, call, "cat ~/.aws/credentials").startswith("deny")


@pytest.mark.parametrize(("effect", "verdict"), [("deny", "deny"), ("ask", "ask"), ("warn", "allow"), ("off", None)])
@pytest.mark.parametrize("where", ["prompt", "command"])
def test_a_secret_has_the_effect_that_the_setting_gives_it(
    scratch: Home, call: Call, where: str, effect: str, verdict: str | None
) -> None:
    text = "use ghp_" + "R7tYq2WmZk4NbV8xLs3JdF6hGc1PaT0uEo5i" + " for it"
    event = call("UserPromptSubmit", prompt=text) if where == "prompt" else call(tool_input={"command": f"echo {text}"})
    _write(scratch, f'[secrets]\n{where} = "{effect}"\n')
    said = policy.load(scratch).judge(event)
    assert (said.verdict if said else None) == verdict
    assert said is None or said.rule == ("secrets.in-prompt" if where == "prompt" else "secrets.in-text")
    assert bool(said and said.context) == (effect == "warn")


def test_a_setting_says_what_follows_from_a_secret_in_a_prompt(scratch: Home, call: Call) -> None:
    token = "ghp_" + "R7tYq2WmZk4NbV8xLs3JdF6hGc1PaT0uEo5i"
    prompt = call("UserPromptSubmit", prompt=f"use {token} for it")
    strict = policy.load(scratch).judge(prompt)
    assert strict is not None and strict.rule == "secrets.in-prompt"
    _write(scratch, '[secrets]\nprompt = "off"\n')
    assert policy.load(scratch).judge(prompt) is None


def test_a_project_tightens_and_never_loosens(scratch: Home, call: Call, tmp_path: Path) -> None:
    project = tmp_path / "demo"
    (project / ".claude").mkdir(parents=True)
    own = project / ".claude" / "levaithan.toml"
    own.write_text(
        '[policy.rules]\n"secrets.*" = "warn"\n"network.*" = "deny"\n'
        "[pace]\ncalls_per_minute = 9999\ndenials_per_minute = 3\n"
        '[[budgets.limit]]\nscope = "session"\nusd = 2\n'
        '[[rule]]\nid = "own.no-make"\nseverity = "low"\neffect = "deny"\nruns = ["make deploy"]\n'
        'reason = "would deploy"\n'
        'instead = "ask"\n[rule.examples]\ndeny = ["make deploy"]\nallow = ["make test"]\n'
    )
    assert _said(scratch, call, "make deploy", project=str(project)) == "deny own.no-make"
    assert _said(scratch, call, "make deploy") == "nothing"
    assert _said(scratch, call, "cat ~/.aws/credentials", project=str(project)).startswith("deny")
    assert any("cannot loosen" in problem for problem in policy.load(scratch, None, str(project)).problems)
    loaded = charter.load(scratch, str(project))
    assert (loaded.pace["calls_per_minute"], loaded.pace["denials_per_minute"]) == (600, 3)
    assert loaded.budgets["limit"] == [{"scope": "session", "usd": 2.0, "by_project": True}]


def test_a_bad_rule_of_a_project_is_refused_and_said(scratch: Home, call: Call, tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "levaithan.toml").write_text('[[rule]]\nid = "own.x"\n')
    loaded = policy.load(scratch, None, str(tmp_path))
    assert any("levaithan.toml:1: severity is missing" in problem for problem in loaded.problems)
    assert _said(scratch, call, "rm -rf /", project=str(tmp_path)).startswith("deny")


def test_an_agent_cannot_edit_charter_or_levaithan_toml(scratch: Home, call: Call, tmp_path: Path) -> None:
    for path in (scratch.context + "/charter.toml", str(tmp_path / ".claude" / "levaithan.toml")):
        event = call(tool_name="Write", tool_input={"file_path": path, "content": "x"}, cwd=str(tmp_path))
        opinion = policy.load(scratch).judge(event)
        assert opinion is not None and opinion.verdict == "deny", path


def test_a_charter_of_any_size_is_not_read_to_its_end(scratch: Home) -> None:
    _write(scratch, "[pace]\ncalls_per_minute = 7\n" + "# more\n" * 100_000)
    assert "more than 256 KiB" in charter.load(scratch).problems[0]


def test_a_projects_rules_are_compiled_once(scratch: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "levaithan.toml").write_text(
        '[[rule]]\nid = "own.no-make"\nseverity = "low"\neffect = "deny"\nruns = ["make deploy"]\n'
        'reason = "would deploy"\ninstead = "ask"\n[rule.examples]\ndeny = ["make deploy"]\nallow = ["make test"]\n'
    )
    assert [rule["pack"] for rule in charter.load(scratch, str(tmp_path)).rules] == ["project"]
    charter._cache.clear()
    monkeypatch.setattr("levaithan.hot.charter_file.compiled", lambda *_, **__: pytest.fail("it was compiled already"))
    assert [rule["id"] for rule in charter.load(scratch, str(tmp_path)).rules] == ["own.no-make"]
