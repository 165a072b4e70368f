"""Bytes in, bytes out: exact JSON, the answers when the record was there already or could not be made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from levaithan.hot import hotconf, wire
from levaithan.hot.gate import Gate
from levaithan.hot.journal import JournalError
from levaithan.service.deciding import SILENCE, Decider, loads

if TYPE_CHECKING:
    from levaithan.hot.paths import Home


def decider(home: Home, **values: str) -> Decider:
    return Decider(Gate(home, hotconf.HotConf(values), loads, orjson.dumps))


def asked(name: str, command: str = "echo x", **more: Any) -> tuple[dict[str, str], bytes]:
    payload = {"session_id": "s", "cwd": "/tmp", "hook_event_name": name, "tool_name": "Bash", "tool_use_id": "t"}
    payload |= {"tool_input": {"command": command}, **more}
    return {"id": wire.new_event_id(), "event": name, "path": "native"}, json.dumps(payload).encode()


def parts(frame: bytes) -> tuple[int, dict[str, Any], bytes]:
    code, out, err = (int.from_bytes(frame[at : at + 4], "big") for at in (4, 8, 12))
    return code, json.loads(frame[16 : 16 + out] or b"{}"), frame[16 + out : 16 + out + err]


@pytest.mark.parametrize(
    "number", ["123456789012345678901234567890", "18446744073709551616", "-9223372036854775809", "7", "1.5"]
)
def test_numbers_are_read_as_they_were_sent(number: str) -> None:
    assert loads(b'{"n":%s}' % number.encode()) == {"n": json.loads(number)}


@pytest.mark.parametrize("odd", [b'"\\ud800"', b"NaN", b"1e999", b"123456789012345678901234567890"])
def test_what_the_fast_parser_refuses_is_recorded_all_the_same(home: Home, odd: bytes) -> None:
    header, payload = asked("PreToolUse")
    taken = decider(home).decide(None, header, payload[:-1] + b',"odd":%s}' % odd)
    record = json.loads(taken.body)
    assert taken.answer == SILENCE
    assert "problem" not in record
    assert "odd" in record["payload"]
    if odd.isdigit():
        assert record["payload"]["odd"] == int(odd)


def test_a_refusal_is_packed_and_counted(home: Home) -> None:
    one = decider(home)
    taken = one.decide(None, *asked("PreToolUse", "rm -rf /"))
    code, said, _ = parts(taken.answer)
    assert code == 0
    assert said["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert one.decide(None, *asked("PostToolUse")).answer == SILENCE
    assert dict(one.decisions) == {"deny": 1, "allow": 1}


def test_what_another_recorded_first_is_repeated(home: Home) -> None:
    one = decider(home)
    mine = one.decide(None, *asked("PreToolUse"))
    theirs = one.decide(None, *asked("PreToolUse", "rm -rf /"))
    code, said, _ = parts(one.again(mine, theirs.body))
    assert said["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert code == 0
    assert one.again(mine, b'{"kind":"note"}') == SILENCE


@pytest.mark.parametrize(
    ("mode", "name", "verdict"),
    [("decide", "PreToolUse", "allow"), ("deny", "PreToolUse", "deny"), ("deny", "PostToolUse", "allow")],
)
def test_an_event_that_cannot_be_recorded_is_answered_as_the_setting_says(
    home: Home, mode: str, name: str, verdict: str
) -> None:
    one = decider(home, journal_failure=mode)
    taken = one.decide(None, *asked(name))
    _, said, words = parts(one.without_record(taken, JournalError("full", "no space")))
    permission = said.get("hookSpecificOutput", {}).get("permissionDecision", "allow")
    assert permission == verdict
    assert b"no space" in words
    assert verdict == "deny" or "what was decided holds" in said["systemMessage"]


def test_a_refusal_stays_one_without_a_record(home: Home) -> None:
    one = decider(home, journal_failure="deny")
    taken = one.decide(None, *asked("PreToolUse", "rm -rf /"))
    _, said, _ = parts(one.without_record(taken, JournalError("full", "no space")))
    assert "no space" not in said["hookSpecificOutput"]["permissionDecisionReason"]
    assert said["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_warming_up_leaves_no_trace(home: Home) -> None:
    import os

    before = sorted(os.listdir(home.state))
    one = decider(home)
    one.warm_up()
    assert not one.decisions
    assert not os.path.exists(home.sessions) or os.listdir(home.sessions) == []
    assert [name for name in sorted(os.listdir(home.state)) if name not in before] in ([], ["cache"])
