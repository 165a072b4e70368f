"""Claude Code's contract: whatever comes in is an Event, and every answer is in the one form that holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levaithan.hot import contract
from levaithan.hot.catalogue import BASE, EVENTS, GUARDS
from levaithan.hot.contract import Decision, Opinion, parse, render
from levaithan.hot.event import scan_name
from levaithan.hot.plain_json import dumps, loads

PAYLOADS = sorted((Path(__file__).parents[2] / "data" / "payloads").glob("*.json"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def test_the_payloads_are_there() -> None:
    assert len(PAYLOADS) == 70


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_a_recorded_payload_is_understood(path: Path) -> None:
    raw = path.read_bytes()
    event = parse({}, raw)
    assert (event.problem, event.notes) == (None, [])
    assert event.name == path.stem.split("-")[0]
    assert event.payload == json.loads(raw)
    known = {field.rstrip("?") for field in EVENTS[event.name].fields} | set(BASE)
    assert set(event.payload) <= known | {"prompt_id", "agent_id", "agent_type"}
    needed = {field for field in EVENTS[event.name].fields if not field.endswith("?")}
    assert needed <= set(event.payload), "a field that is not always there must have a ? in the catalogue"


BAD = {
    "empty": (b"", "empty"),
    "blank": (b" \n\t ", "empty"),
    "half": (b'{"hook_event_name":"PreToolUse","tool_name":"Ba', "not JSON"),
    "no object": (b"[1,2]", "a list"),
    "a number": (b"5", "a number"),
    "null": (b"null", "null"),
    "deep": (b"[" * 200_000, "deeply"),
    "deep objects": (b'{"a":' * 200_000, "deeply"),
    "two values": (b"{} {}", "follows"),
    "no text at all": (bytes(range(256)), "not JSON"),
    "a tool's name that is a number": (b'{"tool_name": 5, "tool_input": {}}', "tool_name is a number"),
    "a tool's input that is a list": (b'{"tool_name": "Bash", "tool_input": []}', "tool_input is a list"),
}


@pytest.mark.parametrize("loader", [loads, json.loads, orjson.loads], ids=["plain", "json", "orjson"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_problem_in_words_and_a_guard_denies_it(case: str, loader: Any) -> None:
    raw, words = BAD[case]
    event = parse({"event": "PreToolUse"}, raw, loader)
    assert words in (event.problem or "")
    decision = contract.bad_input(event)
    assert (decision.verdict, decision.rule) == ("deny", "bad-input")
    answer = json.loads(render(event.name, decision).stdout)
    assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert "levaithan doctor" in answer["hookSpecificOutput"]["permissionDecisionReason"]
    elsewhere = parse({"event": "PostToolUse"}, raw, loader)
    assert contract.bad_input(elsewhere).verdict == "allow"


def test_invalid_utf8_loses_nothing_and_is_still_judged() -> None:
    raw = b'{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"rm \xff\xfe -rf /"}}'
    for loader in (loads, json.loads, orjson.loads):
        event = parse({}, raw, loader)
        assert event.problem is None
        assert event.notes == ["invalid UTF-8 at byte 79"]
        assert event.tool_input["command"].encode("utf-8", "surrogateescape") == b"rm \xff\xfe -rf /"


def test_of_equal_keys_the_last_counts_as_it_does_in_javascript() -> None:
    event = parse({}, b'{"hook_event_name":"PreToolUse","tool_name":"Read","tool_name":"Bash","tool_input":{}}')
    assert (event.tool_name, event.problem) == ("Bash", None)


def test_fifty_mebibytes_are_read() -> None:
    raw = b'{"hook_event_name":"PostToolUse","tool_name":"Bash","tool_response":"' + b"x" * (50 << 20) + b'"}'
    event = parse({"event": "PostToolUse"}, raw)
    assert event.problem is None
    assert len(event.payload["tool_response"]) == 50 << 20


def test_a_truncated_input_is_a_problem_even_if_what_came_is_json() -> None:
    event = parse({"event": "PreToolUse", "truncated": "99"}, b'{"tool_name":"Bash","tool_input":{}}')
    assert "99 bytes" in (event.problem or "")


@pytest.mark.parametrize(
    ("registered", "said", "name"),
    [
        ("PreToolUse", "PreToolUse", "PreToolUse"),
        ("", "PreToolUse", "PreToolUse"),
        ("Stop", "SessionEnd", "Stop"),
        ("PreToolUse", "PostToolUse", "PreToolUse"),
        ("PostToolUse", "PreToolUse", "PreToolUse"),
        ("", "Unheard", "Unheard"),
    ],
)
def test_the_registered_name_counts_unless_only_the_other_is_a_guard(registered: str, said: str, name: str) -> None:
    event = parse({"event": registered}, json.dumps({"hook_event_name": said, "tool_name": "X"}).encode())
    assert event.name == name
    assert bool(event.notes) == bool(registered and registered != said)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"hook_event_name":"PreToolUse","x', "PreToolUse"),
        (b'{"a":{"hook_event_name":"Stop"},"hook_event_name" : "PreToolUse","x', "PreToolUse"),
        (b'{"a":"\\"hook_event_name\\":\\"Stop\\"", "x', ""),
        (b'{"a":{"hook_event_name":"Stop"', ""),
        (b'{"hook_event_name":{"b":"Stop"}', ""),
        (b'{"hook_event_name":"PreTool', ""),
        (b"", ""),
    ],
)
def test_the_name_is_found_in_half_an_input_but_only_where_it_counts(raw: bytes, name: str) -> None:
    assert scan_name(raw) == name


def test_wrong_types_give_none() -> None:
    event = parse({}, b'{"hook_event_name":"Stop","session_id":5,"cwd":[],"agent_id":{},"tool_input":"x"}')
    assert (event.session_id, event.cwd, event.agent_id, event.tool_name) == (None, None, None, None)
    assert event.tool_input == {}


@pytest.mark.parametrize("given_id", ["", "x", "0" * 31, "G" * 32, "0" * 32 + "\n"])
def test_an_id_that_is_none_is_replaced(given_id: str) -> None:
    assert len(parse({"id": given_id}, b"{}").id) == 32
    assert parse({"id": given_id}, b"{}").id != given_id


@pytest.mark.parametrize("name", [*EVENTS, "Unheard"])
def test_allow_is_silence(name: str) -> None:
    answer = render(name, Decision("allow", "because", "rule"))
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, b"", b"")


@pytest.mark.parametrize("verdict", ["ask", "deny", "halt"])
@pytest.mark.parametrize("name", [*EVENTS, "Unheard"])
def test_every_answer_is_zero_with_json_or_two_with_a_reason(name: str, verdict: str) -> None:
    answer = render(name, Decision(verdict, "the reason", context="more"), ["a notice"])
    if answer.exit_code == 2:
        assert (answer.stdout, answer.stderr) == (b"", b"the reason\n")
        return
    assert (answer.exit_code, answer.stderr) == (0, b"")
    if not answer.stdout:
        assert name == "Unheard"
        return
    said = json.loads(answer.stdout)
    special = said.get("hookSpecificOutput")
    assert special is None or special["hookEventName"] == name, "without it a deny does not hold"
    assert (said.get("continue") is False) == (verdict == "halt")
    assert (said.get("stopReason") == "the reason") == (verdict == "halt")
    assert special is None or "additionalContext" not in special or EVENTS[name].context


FORMS = {
    ("PreToolUse", "deny"): {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": "r",
        }
    },
    ("PreToolUse", "ask"): {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "ask",
            "permissionDecisionReason": "r",
        }
    },
    ("PreToolUse", "halt"): {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": "r",
        },
        "continue": False,
        "stopReason": "r",
    },
    ("PermissionRequest", "deny"): {
        "hookSpecificOutput": {
            "hookEventName": "PermissionRequest",
            "decision": {"behavior": "deny", "message": "r"},
        }
    },
    ("UserPromptSubmit", "deny"): {"decision": "block", "reason": "r"},
    ("ConfigChange", "deny"): {"decision": "block", "reason": "r"},
    ("PostToolBatch", "halt"): {"decision": "block", "reason": "r", "continue": False, "stopReason": "r"},
    ("Stop", "deny"): {"decision": "block", "reason": "r"},
    ("Stop", "halt"): {"continue": False, "stopReason": "r"},
    ("TeammateIdle", "halt"): {"continue": False, "stopReason": "r"},
    ("Elicitation", "deny"): {
        "reason": "r",
        "hookSpecificOutput": {"hookEventName": "Elicitation", "action": "decline"},
    },
}


@pytest.mark.parametrize(("name", "verdict"), FORMS)
def test_the_forms_that_the_real_client_obeys(name: str, verdict: str) -> None:
    assert json.loads(render(name, Decision(verdict, "r")).stdout) == FORMS[name, verdict]


@pytest.mark.parametrize("name", ["TaskCreated", "TaskCompleted", "TeammateIdle"])
def test_these_are_blocked_by_exit_two(name: str) -> None:
    assert render(name, Decision("deny", "r")).exit_code == 2


def test_an_ask_on_a_permission_request_leaves_it_to_the_user() -> None:
    assert render("PermissionRequest", Decision("ask", "r")).stdout == b""


@pytest.mark.parametrize("text", ["x" * 30_000, "\U0001f9ea" * 9_000, "\udc80" * 20_000, "é" * 12_000])
def test_no_string_of_an_answer_reaches_ten_thousand_units(text: str) -> None:
    answer = render("PreToolUse", Decision("halt", text, context=text), [text])

    def longest(value: Any) -> int:
        if isinstance(value, str):
            return len(value.encode("utf-16-le", "surrogatepass")) // 2
        return max(map(longest, value.values())) if isinstance(value, dict) else 0

    assert 5_000 < longest(json.loads(answer.stdout)) < 10_000
    assert len(render("TaskCreated", Decision("deny", text)).stderr) < 64_000


@pytest.mark.parametrize("name", [*EVENTS, "Unheard", ""])
def test_the_last_resort_refuses_guards_only(name: str) -> None:
    answer = contract.last_resort(name, "no memory")
    if name == "PermissionRequest":  # it ignores exit 2
        assert json.loads(answer.stdout)["hookSpecificOutput"]["decision"]["behavior"] == "deny"
    elif name in GUARDS:
        assert answer.exit_code == 2
        assert b"no memory" in answer.stderr
    else:
        assert (answer.exit_code, answer.stdout, answer.stderr) == (0, b"", b"")


def test_a_recorded_decision_is_answered_again_as_it_was() -> None:
    body = (
        b'{"v":1,"event":"PreToolUse","decision":"deny","reason":"r","rule":"x","hook":"h","hooks":[{"context":"c"}]}'
    )
    name, decision = contract.recorded(body)
    assert (name, decision.verdict, decision.reason, decision.rule) == ("PreToolUse", "deny", "r", "x")
    assert (decision.hook, decision.context) == ("h", "c")
    for other in (b'{"kind":"segment"}', b"[]", b'{"decision":"maybe"}'):
        with pytest.raises(ValueError, match="no decision"):
            contract.recorded(other)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_the_lean_parser_agrees_with_json(value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:  # NaN and Infinity are no JSON
        return
    assert loads(text) == json.loads(text)
    assert json.loads(dumps(value)) == json.loads(text)
    assert dumps(value).isascii()


@settings(max_examples=300, deadline=None)
@given(st.text('{}[]",:0123456789.eE+-truefalsnNaI\\u \n', max_size=40))
def test_the_lean_parser_refuses_what_json_refuses(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=str, strict=False)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            loads(text)
    else:
        assert repr(loads(text)).replace("'", "") == repr(expected).replace("'", "") or "inf" in repr(expected)


def test_opinions_and_decisions_can_be_read_in_a_failing_test() -> None:
    assert repr(Opinion("deny", "r")) == "Opinion('deny', 'r', rule=None, context=None)"
    assert repr(Decision("deny", "r")) == "Decision('deny', 'r', rule=None, hook=None)"


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ("[" + "1," * 1_000_000 + "1]", True),
        ("[" + '{"a,":"\\\\\\",,"},' * 999_900 + "1]", False),
        ('"' + "1,\\\\" * 1_000_001 + '"', False),
        ('"' + '\\",' * 1_000_001 + '"', False),
        ('["", ' + '"' + "," * 1_100_000, False),  # a text without an end: half an input, for the parser to say
    ],
)
def test_an_input_of_a_million_values_is_not_read(value: str, refused: bool) -> None:
    raw = b'{"hook_event_name":"Stop","x":' + value.encode() + b"}"
    event = parse({"event": "Stop"}, raw, orjson.loads)
    assert ("more than 1000000 values" in (event.problem or "")) == refused
    assert event.payload == {} or not refused
