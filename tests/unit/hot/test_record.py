"""Records: right types whatever came, bounded size, no secret, valid JSON; and what is kept of a session."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levaithan.hot import bounded, hotconf, paths, record, sessions
from levaithan.hot.event import Event, parse
from levaithan.hot.gate import Gate
from levaithan.hot.plain_json import dumps
from levaithan.hot.workflow import Context, Outcome

Call = Callable[..., Event]
TYPES: dict[str, Any] = {
    "v": int, "seq": int, "kind": str, "id": str, "at": str, "machine": str, "event": str, "session_id": str,
    "agent_id": str, "agent_type": str, "prompt_id": str, "tool_name": str, "tool_use_id": str, "project": str,
    "cwd": str, "permission_mode": str, "decision": str, "rule": str, "reason": str, "hook": str,
    "duration_ms": float, "hooks": list, "path": str, "client_version": str, "attended": bool, "problem": str,
    "redactions": int, "canary": bool, "payload": dict, "raw": str, "raw_bytes": int, "raw_sha256": str,
}  # fmt: skip


def _decide(home: paths.Home, event: Event, **conf: str) -> tuple[dict[str, Any], bytes]:
    _, body = Gate(home, hotconf.HotConf(conf), loads=orjson.loads, dumps=orjson.dumps).decide(event)
    assert body.startswith(b'{"v":1,"kind":"event",')
    assert body.endswith(b"}")
    assert b"\n" not in body
    return json.loads(body), body


def _event(payload: Any, **header: str) -> Event:
    return parse({"event": "PostToolUse", "path": "native", **header}, json.dumps(payload).encode())


def test_an_ordinary_event(scratch: paths.Home, call: Call) -> None:
    event = call("PostToolUse", tool_name="Bash", agent_type="", prompt_id="p")
    event.env = {"agent": "claude-code_2-1-330_harness", "attended": "0"}
    event.project = "/home/dev/demo"
    event.received_ns = 1_795_446_245_123_456_789
    kept, _ = _decide(scratch, event)
    assert kept["at"] == "2026-11-23T15:04:05.123456Z"
    assert (kept["client_version"], kept["attended"], kept["project"]) == ("2.1.330", False, "/home/dev/demo")
    assert (kept["tool_name"], kept["prompt_id"], kept["decision"]) == ("Bash", "p", "allow")
    assert kept["payload"] == event.payload
    assert not {"agent_type", "reason", "rule", "problem", "canary", "redactions", "raw"} & set(kept)


@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, ["x"]])
@pytest.mark.parametrize("field", record.TEXTS)
def test_a_value_of_the_wrong_type_is_null_and_said(scratch: paths.Home, field: str, value: Any) -> None:
    kept, _ = _decide(scratch, _event({"hook_event_name": "PostToolUse", field: value}))
    assert field not in kept
    assert kept["problem"] == f"{field} is not a string"
    assert kept["payload"][field] == value


def test_the_duration_counts_from_the_clients_begin_if_that_is_sane(scratch: paths.Home) -> None:
    now = time.time_ns()
    for started, low, high in ((now - 50_000_000, 50, 5_000), (now + 10**12, 0, 5_000), (7, 0, 5_000)):
        kept, _ = _decide(scratch, _event({}, started_ns=str(started)))
        assert low <= kept["duration_ms"] < high


def test_a_canary_is_marked(scratch: paths.Home) -> None:
    assert _decide(scratch, _event({"session_id": "levaithan-canary-1"}))[0]["canary"] is True


def test_secrets_are_taken_out_and_counted(scratch: paths.Home) -> None:
    secret = "AKIA" + "QWERTYUIOPASDFGH"
    kept, body = _decide(scratch, _event({"tool_name": "Bash", "tool_response": {"stdout": f"key {secret}"}}))
    assert secret.encode() not in body
    assert kept["redactions"] >= 1
    half = b'{"tool_name":"Bash","x":"' + secret.encode()
    kept, body = _decide(scratch, parse({"event": "PreToolUse"}, half))
    assert secret.encode() not in body
    assert "[redacted:" in kept["raw"]


def test_what_is_no_json_is_kept_as_text(scratch: paths.Home) -> None:
    kept, body = _decide(scratch, parse({"event": "Stop"}, b'{"a":"\xff\xfe'))
    assert kept["raw"].encode("utf-8", "surrogateescape") == b'{"a":"\xff\xfe'
    assert body.isascii()
    assert "not JSON" in kept["problem"]
    long = b"x" * 200_000
    kept, _ = _decide(scratch, parse({"event": "Stop"}, long))
    assert (kept["raw"], kept["raw_bytes"], kept["raw_sha256"]) == ("x" * 65536, 200_000, bounded.sha256_hex(long))


def test_invalid_utf8_inside_json_is_kept(scratch: paths.Home) -> None:
    kept, _ = _decide(scratch, parse({"event": "Stop"}, b'{"session_id":"s\xff","hook_event_name":"Stop"}'))
    assert kept["session_id"] == "s\udcff"
    assert "invalid UTF-8" in kept["problem"]


@pytest.mark.parametrize("size", [200_000, 2_000_000])
def test_a_record_is_bounded_and_says_what_was_cut(scratch: paths.Home, size: int) -> None:
    text = "é" * size
    payload = {"tool_name": "Bash", "tool_response": {"stdout": text, "stderr": "short"}}
    kept, body = _decide(scratch, _event(payload), max_record_bytes="65536")
    assert len(body) <= 65536
    mark = kept["payload"]["tool_response"]["stdout"]
    assert mark["_cut"] == 2 * size
    assert mark["sha256"] == bounded.sha256_hex(text.encode())
    assert text.startswith(mark["head"])
    assert kept["payload"]["tool_response"]["stderr"] == "short"


def test_a_secret_on_the_cut_does_not_survive_in_half(scratch: paths.Home) -> None:
    secret = "ghp_" + "A1b2C3d4" * 5
    text = "x" * (4096 - 10) + " " + secret + " " + "y" * 200_000
    _, body = _decide(scratch, _event({"tool_response": text}), max_record_bytes="65536")
    assert b"ghp_A1" not in body


def test_many_small_values_are_bounded_too(scratch: paths.Home) -> None:
    kept, body = _decide(scratch, _event({"tool_response": list(range(100_000))}), max_record_bytes="65536")
    assert len(body) <= 65536
    assert set(kept["payload"]) == {"_cut", "sha256"}


def test_numbers_that_are_no_json_do_not_break_the_record(scratch: paths.Home) -> None:
    event = parse({"event": "Stop"}, b'{"a":NaN,"b":1e999,"c":123456789012345678901234567890}', json.loads)
    kept, _ = _decide(scratch, event)
    assert kept["payload"]["a"] in ("nan", None)


@pytest.mark.parametrize("depth", [100, 300, 900])
def test_nesting_is_recorded_or_marked(scratch: paths.Home, depth: int) -> None:
    raw = b'{"a":' * depth + b"1" + b"}" * depth
    kept, _ = _decide(scratch, parse({"event": "Stop"}, raw, json.loads))
    assert "payload" in kept or "raw" in kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [*record.TEXTS, "hook_event_name", "tool_input", "stop_hook_active", "tool_response", "prompt", "file_path"]
)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    payload=st.dictionaries(FIELDS, JSON, max_size=8) | JSON,
    name=st.sampled_from(["PreToolUse", "Stop", "PermissionRequest", "ConfigChange", "", "Unheard"]),
    header=st.dictionaries(
        st.sampled_from(["started_ns", "project", "agent", "attended", "path"]), st.text(max_size=9)
    ),
)
def test_any_json_makes_a_record_of_the_right_types(
    scratch: paths.Home, payload: Any, name: str, header: dict[str, str]
) -> None:
    raw = json.dumps(payload).encode()
    gate = Gate(scratch, hotconf.HotConf(), loads=orjson.loads, dumps=orjson.dumps)
    outcome, body = gate.decide(parse({**header, "event": name}, raw, orjson.loads))
    kept = json.loads(body)
    for key, value in kept.items():
        wanted = TYPES[key]
        assert type(value) in ((int, float) if wanted is float else (wanted,)), key
    assert kept["decision"] == outcome.decision.verdict


def test_timestamps_do_not_depend_on_the_order_they_are_made_in() -> None:
    texts = [record.timestamp(ns) for ns in (0, 999, 10**18, 10**9, 1_999_999_999, 10**18)]
    assert texts[0] == texts[1] == "1970-01-01T00:00:00.000000Z"
    assert texts[3:5] == ["1970-01-01T00:00:01.000000Z", "1970-01-01T00:00:01.999999Z"]
    assert texts[2] == texts[5] == "2001-09-09T01:46:40.000000Z"


# sessions


def _context(home: paths.Home) -> Context:
    context = Context(home, hotconf.HotConf(), json.loads, dumps)
    context.now_us = time.time_ns() // 1000
    return context


@pytest.mark.parametrize(
    ("agent", "version"),
    [
        ("claude-code_2-1-330_harness", "2.1.330"),
        ("claude-code_2-1-197", "2.1.197"),
        ("claude-code/2.1.330/agent", "2.1.330"),
        ("claude-code_x-1_harness", None),
        ("other_2-1-330", None),
        ("", None),
        (None, None),
    ],
)
def test_the_clients_version(agent: str | None, version: str | None) -> None:
    assert sessions.client_version(agent) == version


def test_a_session_is_written_once_and_read_by_another_process(scratch: paths.Home, call: Call) -> None:
    event = call("SessionStart", source="startup")
    event.env = {"agent": "claude-code_2-1-330_harness"}
    sessions.register(event, _context(scratch))
    file = Path(scratch.sessions, "s-1.json")
    assert file.stat().st_mode & 0o777 == 0o600
    written = file.stat().st_ino
    later = _context(scratch)
    other = call("PostToolUse")
    sessions.register(other, later)
    assert file.stat().st_ino == written
    assert sessions.version_of(other, later) == "2.1.330"
    assert [entry.name for entry in Path(scratch.sessions).iterdir()] == ["s-1.json"]


def test_a_flood_of_sessions_that_never_start_leaves_a_bounded_number_of_files(scratch: paths.Home, call: Call) -> None:
    """Anything may stand in session_id, and a file for each of a million would use up the disk's inodes."""
    context = _context(scratch)
    for number in range(3000):
        event = call("PreToolUse", session_id=f"s-{number}")
        event.id = f"{number:032x}"
        sessions.register(event, context)
    assert len(list(Path(scratch.sessions).iterdir())) < 2100


@pytest.mark.parametrize("session_id", ["../../etc/passwd", "a/b", "\x00", "x" * 5000, ".", "..", "ä", "a b", "\udcff"])
def test_a_hostile_session_id_stays_in_its_folder(scratch: paths.Home, call: Call, session_id: str) -> None:
    before = sorted(str(path) for path in Path(scratch.root).parent.rglob("*") if "sessions" not in str(path))
    sessions.register(call("SessionStart", session_id=session_id), _context(scratch))
    after = sorted(str(path) for path in Path(scratch.root).parent.rglob("*") if "sessions" not in str(path))
    assert before == after
    (file,) = Path(scratch.sessions).iterdir()
    assert file.name.startswith("x-")


def test_the_version_is_found_in_the_transcript_at_session_start(
    scratch: paths.Home, call: Call, tmp_path: Path
) -> None:
    transcript = tmp_path / "t.jsonl"
    transcript.write_text('{"type":"user","version":"2.1.197","cwd":"/"}\n')
    event = call("SessionStart", source="resume", transcript_path=str(transcript))
    context = _context(scratch)
    sessions.register(event, context)
    assert sessions.version_of(event, context) == "2.1.197"


def test_a_transcript_that_is_no_file_does_not_hold_us(scratch: paths.Home, call: Call, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", "/dev/zero", "\x00"):
        assert sessions.transcript_version(str(path)) is None


def test_a_session_file_of_rubbish_is_no_session(scratch: paths.Home, call: Call) -> None:
    Path(scratch.sessions).mkdir()
    for rubbish in (b"", b"[]", b"{", b"\xff", b'{"client_version": 5}'):
        Path(scratch.sessions, "s-1.json").write_bytes(rubbish)
        assert sessions.version_of(call("Stop"), _context(scratch)) is None


def test_old_sessions_are_swept_a_bounded_number_at_a_time(
    scratch: paths.Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(scratch.sessions)
    folder.mkdir()
    now = time.time()
    for number in range(30):
        (folder / f"{number}.json").touch()
        os.utime(folder / f"{number}.json", (now, now - (40 - number) * 86400))
    assert sessions.sweep(str(folder), now) == 10
    assert sessions.sweep(str(folder), now) == 0
    monkeypatch.setattr(sessions, "_KEPT", 15)
    monkeypatch.setattr(sessions, "_SWEPT_AT_ONCE", 3)
    assert [sessions.sweep(str(folder), now) for _ in range(3)] == [3, 2, 0]
    assert sessions.sweep(str(folder / "nowhere"), now) == 0


def test_a_session_that_cannot_be_written_is_an_observers_failure_only(scratch: paths.Home, call: Call) -> None:
    Path(scratch.sessions).write_text("a file where the folder belongs")
    outcome, body = Gate(scratch, hotconf.HotConf()).decide(call("SessionStart", source="startup"))
    assert outcome.decision.verdict == "allow"
    assert "error" in json.loads(body)["hooks"][-1]


def test_memory_stays_bounded(scratch: paths.Home, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_IN_MEMORY", 20)
    monkeypatch.setattr(sessions, "_write", lambda *_: None)
    context = _context(scratch)
    for number in range(100):
        sessions.register(call("Stop", session_id=f"s{number}"), context)
    assert len(context.memory["sessions"]) <= 20


def test_an_outcome_can_be_given_a_decision() -> None:
    assert Outcome().decision.verdict == "allow"
