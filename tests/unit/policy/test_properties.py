"""What holds for every command line: reading never fails, and how a command is wrapped changes nothing about it."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.policy.test_cases import ALL, HELD, rules

from levaithan.hot import policy_pack, shell
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


@given(st.lists(st.sampled_from(_BITS), max_size=30).map("".join) | st.text(max_size=200))
@settings(max_examples=400, deadline=None)
def test_reading_never_fails(line: str) -> None:
    shell.split(line, "/home/dev/demo", "/home/dev")


@given(line=st.lists(st.sampled_from([*_BITS, *HELD_LINES[::17], *FREE_LINES[::17]]), max_size=8).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_judging_never_fails(rules: Policy, line: str) -> None:
    assert verdict(rules, line) in ("allow", "ask", "deny")
