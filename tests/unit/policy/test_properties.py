"""What holds for every command line: reading never fails, and how a command is wrapped changes nothing about it."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.policy.test_cases import ALL, HELD, rules

from levaithan.hot import domains, policy_pack, scene, shell, simple
from levaithan.hot.policy import Policy

__all__ = ("rules",)

HELD_LINES = [one.values[0] for one in ALL if isinstance(one.values[0], str) and one.values[1] == "hold"]
FREE_LINES = [one.values[0] for one in ALL if isinstance(one.values[0], str) and one.values[1] == "allow"]
WRAPPERS = {
    "bash -c": lambda line: f"bash -c {shlex.quote(line)}",
    "sh -c in eval": lambda line: f"eval {shlex.quote('bash -c ' + shlex.quote(line))}",
    "a subshell": lambda line: f"(\n{line}\n)",
    "a condition": lambda line: f"if true; then\n{line}\nfi",
    "sudo timeout bash -c": lambda line: f"sudo timeout 9 bash -c {shlex.quote(line)}",
    "a pipe into bash": lambda line: f"printf '%s\\n' {shlex.quote(line)} | bash",
    "a here-document": lambda line: f"bash <<'LEVAITHAN_END'\n{line}\nLEVAITHAN_END",
}
_BITS = [
    "'",
    '"',
    "\\",
    "$(",
    ")",
    "`",
    "${",
    "}",
    "<<E\n",
    "E\n",
    "|",
    "&&",
    ";",
    "\n",
    " ",
    "rm",
    "-rf",
    "/",
    "~",
    "$X",
    "#",
    "{",
    "<(",
    "[[",
    "]]",
]
_BITS += [
    "sudo",
    "bash -c",
    "eval",
    "find . -exec",
    "xargs",
    "git",
    "--",
    "=",
    "*",
    "?",
    "\x00",
    "\u202e",
    "é",
    "((",
    "))",
    "case x in",
    "esac",
    "for i in",
]


def verdict(policy: Policy, line: str) -> str:
    said = policy.judge(policy_pack.example_event("a line", line))
    return said.verdict if said else "allow"


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_no_wrapper_lets_pass_what_is_held(rules: Policy, wrapper: str) -> None:
    wrap = WRAPPERS[wrapper]
    passed = [line for line in HELD_LINES if verdict(rules, line) in HELD and verdict(rules, wrap(line)) not in HELD]
    assert passed == []


@pytest.mark.parametrize("wrapper", ["bash -c", "a subshell", "a condition", "a here-document"])
def test_no_wrapper_holds_what_is_free(rules: Policy, wrapper: str) -> None:
    wrap = WRAPPERS[wrapper]
    held = [line for line in FREE_LINES if verdict(rules, line) == "allow" and verdict(rules, wrap(line)) in HELD]
    assert held == []


def test_what_holds_up_says_in_one_line_what_was_seen_by_which_rule_and_what_to_do_instead(rules: Policy) -> None:
    odd = []
    for line in HELD_LINES:
        said = rules.judge(policy_pack.example_event("a line", line))
        reason = (said and said.reason) or ""
        whole = said and reason.startswith("`") and f" [rule {said.rule}]. Instead: " in reason
        if not whole or not reason.isprintable() or reason.endswith("Instead: ") or len(reason) > 700:
            odd.append((line, reason))
    assert odd == []


@given(st.lists(st.sampled_from(_BITS), max_size=30).map("".join) | st.text(max_size=200))
@settings(max_examples=400, deadline=None)
def test_reading_never_fails(line: str) -> None:
    shell.split(line, "/home/dev/demo", "/home/dev")


@given(line=st.lists(st.sampled_from([*_BITS, *HELD_LINES[::17], *FREE_LINES[::17]]), max_size=8).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_judging_never_fails(rules: Policy, line: str) -> None:
    assert verdict(rules, line) in ("allow", "ask", "deny")


_ENDS = ("", " -", " --", ' ""', " a", " -- a", " $X", " run", " | sh")
_BEFORE = ("", "bash -c ", "sudo ", "npx ", "env ", "echo a | ", "'' ")


@pytest.mark.parametrize("module", domains.PROGRAMS)
def test_a_program_with_hardly_a_word_is_judged_too(rules: Policy, module: str) -> None:
    for name in domains.PROGRAMS[module].split():
        for line in (before + name + end for before in _BEFORE for end in _ENDS):
            assert verdict(rules, line) in ("allow", "ask", "deny"), line


_ANY_LINE = st.lists(st.sampled_from([*_BITS, *HELD_LINES[::7], *FREE_LINES[::7]]), min_size=1, max_size=6).map(
    " ".join
)


@given(line=_ANY_LINE, shell_name=st.sampled_from(["bash -c", "sh -c", "/bin/bash -ec", "env bash -c", "eval"]))
@settings(max_examples=300, deadline=None)
def test_what_follows_bash_c_is_judged_like_the_bare_command(rules: Policy, line: str, shell_name: str) -> None:
    """Not more weakly, and not more strictly either."""
    if "\x00" in line or line[0] in "-+":
        return  # no program can be given a NUL, and a shell takes the others for options of its own
    bare, wrapped = verdict(rules, line), verdict(rules, f"{shell_name} {shlex.quote(line)}")
    assert wrapped == bare


@given(
    st.lists(st.text(alphabet="abgitlsR019_./:=@%,+- ", max_size=12), min_size=1, max_size=6),
    st.sampled_from(["/w", None]),
)
def test_a_plain_line_is_read_like_any_other(words: list[str], cwd: str | None) -> None:
    line = " ".join(words)
    one = simple.plain(line, cwd)
    if one is None or not scene.runs_nothing_else(one):
        return
    (same,) = shell.split(line, cwd).commands
    assert (one.words, one.redirects, one.cwd, one.stdin, one.name) == (same.words, [], same.cwd, None, same.name)


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "A=1",
        "A=1 ls",
        "if x",
        "ls *",
        "ls ~",
        "a\nb",
        "a;b",
        "a&",
        "a|b",
        "a>b",
        "'a'",
        "$a",
        "(a)",
        "{a",
        "!a",
        "#a",
        "a\tb",
    ],
)
def test_what_a_shell_makes_something_of_is_not_plain(line: str) -> None:
    assert simple.plain(line, None) is None


@pytest.mark.parametrize(
    "line",
    [
        "sudo ls",
        "env ls",
        "bash x.sh",
        "cd /",
        "xargs rm",
        "python3 x.py",
        "ssh host ls",
        "find . -exec rm x +",
        "git bisect run make",
        "npx x",
        "poetry run x",
    ],
)
def test_what_runs_others_is_looked_into(line: str) -> None:
    one = simple.plain(line, None)
    assert one is not None and not scene.runs_nothing_else(one)
