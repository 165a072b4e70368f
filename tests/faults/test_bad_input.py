"""Input that nobody should send, through every way in: a defined answer, a record that says what was wrong with it, and
a service that goes on deciding. tests/hot/test_gate_fuzz.py does the gate in one process; this is the wire.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import calls, homes, payloads
from tests.unit.service.conftest import Client

from levaithan.hot import wire
from levaithan.hot.catalogue import EVENTS
from levaithan.hot.event import MAX_VALUES
from levaithan.hot.paths import home_at

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.faults
EVENT = b"@EVENT@"
GUARD_AND_OTHER = ("PreToolUse", "PostToolUse")
BASH = b'{"session_id":"s","hook_event_name":"' + EVENT + b'","tool_name":"Bash","tool_use_id":"t",'
HARMLESS = BASH + b'"tool_input":{"command":"true"}}'
DANGEROUS = BASH + b'"tool_input":{"command":"rm -rf /"}}'


def with_value(value: bytes) -> bytes:
    """A harmless call that has `value` somewhere in it."""
    return BASH + b'"tool_input":{"command":"true","x":' + value + b"}}"


UNREADABLE = {
    "empty": b"",
    "blanks": b" \n\t\r\n ",
    "half of it": HARMLESS[:-20],
    "all but the last byte": HARMLESS[:-1],
    "two at once": HARMLESS * 2,
    "something after it": HARMLESS + b" x",
    "no UTF-8 at all": b"\xff\xfe\x00",
    "UTF-16": HARMLESS.decode().encode("utf-16"),
    "two byte order marks": b"\xef\xbb\xbf" * 2 + HARMLESS,
    "open lists, 100,000 deep": b"[" * 100_000,
    "lists in a value, 100,000 deep": with_value(b"[" * 100_000 + b"]" * 100_000),
    "objects in a value, 100,000 deep": with_value(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a list": b"[" + HARMLESS + b"]",
    "a text": json.dumps(HARMLESS.decode()).encode(),
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "NUL bytes": bytes(40),
    "5,000 digits": with_value(b"9" * 5000),
    "single quotes": HARMLESS.replace(b'"', b"'"),
    "a comment": b"/* */" + HARMLESS,
    "a number for the tool": HARMLESS.replace(b'"Bash"', b"5"),
    "null for the tool": HARMLESS.replace(b'"Bash"', b"null"),
    "a list for the input": BASH + b'"tool_input":["rm -rf /"]}',
    "a text for the input": BASH + b'"tool_input":"rm -rf /"}',
    "too many values": with_value(b"[" + b"1," * MAX_VALUES + b"1]"),
}
"""What no guard can judge: it is refused there, and recorded as bad everywhere."""
ODD = {
    "invalid UTF-8 in a text": HARMLESS.replace(b"true", b"echo \xff\xfe"),
    "a lone surrogate": HARMLESS.replace(b"true", b"echo \\ud800"),
    "an escaped NUL": HARMLESS.replace(b"true", b"echo \\u0000"),
    "a NUL byte in a text": HARMLESS.replace(b"true", b"echo \0"),
    "a line feed in a text": HARMLESS.replace(b"true", b"echo 1\necho 2"),
    "not a number": with_value(b"NaN"),
    "infinity": with_value(b"-Infinity"),
    "a float out of range": with_value(b"1e999"),
    "400 digits": with_value(b"9" * 400),
    "a byte order mark": b"\xef\xbb\xbf" + HARMLESS,
    "a key twice, the last is harmless": BASH + b'"tool_input":{"command":"rm -rf /"},"tool_input":{"command":"true"}}',
    "numbers where texts belong": HARMLESS.replace(b'"session_id":"s"', b'"session_id":5,"cwd":[],"agent_id":{}'),
    "lists 500 deep": with_value(b"[" * 500 + b"]" * 500),
    "commas in a text": with_value(b'"' + b"1," * MAX_VALUES + b'"'),
}
"""What is strange and can be judged: a harmless call passes."""
DENIED = {
    "a byte order mark before it": b"\xef\xbb\xbf" + DANGEROUS,
    "a key twice, the last counts": BASH + b'"tool_input":{"command":"true"},"tool_input":{"command":"rm -rf /"}}',
    "the inner key twice": BASH + b'"tool_input":{"command":"true","command":"rm -rf /"}}',
    "escapes in keys and values": DANGEROUS.replace(b"command", b"\\u0063ommand").replace(
        b"rm -rf /", b"rm \\u002drf /"
    ),
    "a line feed before it": DANGEROUS.replace(b"rm", b"true\nrm"),
    "invalid UTF-8 beside it": DANGEROUS.replace(b'"s"', b'"\xff"'),
    "a number that is none beside it": BASH + b'"tool_input":{"command":"rm -rf /","x":NaN}}',
}
"""What is strange and dangerous: the rules still see it."""


class Sent(NamedTuple):
    """A case as it was sent, and what came of it."""

    case: str
    event: str
    answered: calls.Answered


def send(root: str, way: str, event: str, raw: bytes) -> calls.Answered:
    done = subprocess.run(
        calls.WAYS[way](root, event),
        input=raw.replace(EVENT, event.encode()),
        capture_output=True,
        env=homes.plain_environment(),
        timeout=30,
        check=False,
    )
    assert done.returncode == 0 or done.stdout == b"", done
    return calls.Answered("", done)


def send_all(root: str, way: str, served: bool) -> list[Sent]:
    """Every case for a guard, and one way also for another event; the one-shots of the clients get no odd ones."""
    events = GUARD_AND_OTHER if way == ("native" if served else "oneshot") else GUARD_AND_OTHER[:1]
    cases = UNREADABLE | DENIED | ODD if served or way == "oneshot" else UNREADABLE | DENIED
    return [Sent(case, event, send(root, way, event, raw)) for event in events for case, raw in cases.items()]


def judged(one: Sent, record: dict[str, Any]) -> None:
    """What was answered and what was recorded is what the case calls for."""
    refused = one.event == "PreToolUse" and (one.case in UNREADABLE or one.case in DENIED)
    assert one.answered.denied == refused, one
    assert record["event"] == one.event, (one, record)
    assert record["decision"] == ("deny" if refused else "allow"), (one, record)
    if one.case in UNREADABLE and one.event == "PreToolUse":
        assert record["rule"] == "bad-input", (one, record)
        assert "Next step" in one.answered.reason, one.answered.reason
    if one.case in DENIED and refused:
        assert record["rule"] == "fs.delete-root", (one, record)
    judgeable = one.event == "PostToolUse" and one.case.endswith((" the tool", " the input"))
    if (one.case in UNREADABLE and not judgeable) or one.case.startswith(("invalid", "numbers")):
        assert record["problem"], (one, record)


def recorded(root: str) -> list[dict[str, Any]]:
    return [one for one in homes.journal_records(root) if one["kind"] == "event"]


@pytest.mark.parametrize("served", [True, False], ids=["served", "alone"])
def test_every_case_through_every_way(tmp_path: Path, served: bool) -> None:
    ways = ["native", "python"] if served else list(calls.WAYS)
    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda way: through(tmp_path / way, way, served), ways))
    for others in sent[1:]:
        same = zip(sent[0], others, strict=False)  # the guard's come first
        assert [(one.case, one.answered.said) for one, other in same if one.answered.said != other.answered.said] == []


def through(folder: Path, way: str, served: bool) -> list[Sent]:
    """Every case one way, into a home of its own; what was sent and answered."""
    root = homes.make_home(folder, canary_interval_s=0, deadline_ms=4000)
    if served:
        with homes.serving(root):
            sent = send_all(root, way, served)
            told = homes.control(root, "status")
            assert told is not None
            assert told["events"]["total"] == len(sent), "all of it was decided by the service"
            assert told["connections"]["refused"] == dict.fromkeys(told["connections"]["refused"], 0)
            homes.sync(root)
    else:
        sent = send_all(root, way, served)
    records = recorded(root)
    assert len(records) == len(sent)
    for one, record in zip(sent, records, strict=True):
        judged(one, record)
    assert homes.verify(root).ok
    kept_or_told(root, records)
    return sent


def kept_or_told(root: str, records: list[dict[str, Any]]) -> None:
    """All of it is in the ledger, or waits in the dead letters with its reason."""
    homes.cli(root, "audit", "list")
    ledger = homes.ledger_column(root, "SELECT id FROM events")
    dead = [one for one in homes.rows(root, "journal", "dead-letters") if one["store"] == "ledger"]
    assert sorted([*ledger, *(one["id"] for one in dead)]) == sorted(one["id"] for one in records)
    assert all(one["reason"] for one in dead)
    errors = Path(root, "logs", "hook-errors.log")
    assert not errors.exists(), errors.read_text()


def test_the_event_is_found_in_what_cannot_be_read(tmp_path: Path) -> None:
    """Registered without a name, or under another one: a guard stays a guard."""
    root = homes.make_home(tmp_path / "h", canary_interval_s=0)
    half = DANGEROUS[:-5].replace(EVENT, b"PreToolUse")
    with homes.serving(root):
        for way in calls.WAYS:
            assert send(root, way, "Stop", DANGEROUS.replace(EVENT, b"PreToolUse")).denied, way
            assert send(root, way, "PreToolUse", DANGEROUS.replace(EVENT, b"Stop")).denied, way
            assert not send(root, way, "Unheard", HARMLESS).denied, way
            assert not send(root, way, "Unheard", b"{").denied, way
            command = [word for word in calls.WAYS[way](root, "@") if word != "@"]
            done = subprocess.run(command, input=half, capture_output=True, env=homes.plain_environment(), check=False)
            assert calls.Answered("", done).denied, way
    noted = [one for one in recorded(root) if "registered for" in one.get("problem", "")]
    assert len(noted) == 2 * len(calls.WAYS)


SIZE = 50 << 20
WRITE = b'{"hook_event_name":"PreToolUse","tool_name":"Write","tool_input":{"file_path":"/tmp/x","content":'
LARGE = {
    "a text": (WRITE + b'"' + b"x" * SIZE + b'"}}', False),
    "invalid UTF-8": (WRITE + b'"' + b"\xff" * SIZE + b'"}}', False),
    "half a text": (WRITE + b'"' + b"x" * SIZE, True),
    "open lists": (b"[" * SIZE, True),
    "lists": (WRITE + b"[" + b"[]," * (SIZE // 3) + b"[]]}}", True),
}


def memory_mib(pid: int, which: str) -> int:
    """VmRSS or VmHWM of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split(which + ":")[1].split()[0]) >> 10


def test_fifty_mebibytes_of_anything(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "h", canary_interval_s=0, wait_ms=5000)  # a busy machine is another test's
    with homes.serving(root) as service:
        for case, (raw, denied) in LARGE.items():
            begun = time.monotonic()
            assert send(root, "native", "PreToolUse", raw).denied == denied, case
            assert time.monotonic() - begun < 8, case
            assert calls.call(root, "native").said == {}, "and the next one is decided"
        with ThreadPoolExecutor(3) as pool:
            small = pool.submit(
                lambda: [calls.call(root, "python", calls.tool_call(calls.DANGEROUS)) for _ in range(20)]
            )
            large = [pool.submit(send, root, "native", "PreToolUse", LARGE["half a text"][0]) for _ in range(2)]
            assert all(one.result().denied for one in large)
            assert all(one.denied for one in small.result())
        told = homes.control(root, "status")
        assert told is not None
        assert told["pid"] == service.pid
        if Path("/proc/self/status").exists():
            assert memory_mib(service.pid, "VmHWM") < 700
            assert memory_mib(service.pid, "VmRSS") < 200
        homes.sync(root, 60)
    assert len(recorded(root)) == 2 * len(LARGE) + 22
    assert homes.verify(root).ok
    assert send(root, "python", "PreToolUse", LARGE["open lists"][0]).denied, "and with no service"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One service for all that is thrown at it; at the end it must be the same one, lean and right."""
    root = homes.make_home(tmp_path_factory.mktemp("z") / "h", canary_interval_s=0, fsync="never")
    with homes.serving(root) as service:
        before = homes.control(root, "status")
        assert before is not None
        yield root
        told = homes.control(root, "status")
        assert told is not None
        assert told["pid"] == service.pid
        assert told["connections"]["refused"]["fault"] == 0
        assert told["memory"]["rss_bytes"] < before["memory"]["rss_bytes"] + (48 << 20)
        assert told["events"]["unrecorded"] == 0
        assert all(loop["restarts"] == 0 for loop in told["loops"].values()), told["loops"]
        assert calls.call(root, "native", calls.tool_call(calls.DANGEROUS)).denied
        homes.sync(root, 60)
    assert homes.verify(root).ok
    log = Path(root, "logs", "service.log").read_text()
    assert "Traceback" not in log
    assert '"fault"' not in log
    assert "deciding failed" not in log


NAMES = st.sampled_from([*EVENTS, "", "Unheard", "x" * 300])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
RECORDED = [json.dumps(payloads.payload(name)).encode() for name in payloads.names()]
KEYS = st.sampled_from(
    [b"path", b"started_ns", b"project", b"pid", b"agent", b"effort", b"attended", b"truncated", b"", b"id"]
)
THOROUGH = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def frame(head: bytes, payload: bytes) -> bytes:
    return b"".join((wire.REQUEST, len(head).to_bytes(4, "big"), len(payload).to_bytes(4, "big"), head, payload))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Whole frames whose header and payload may be anything, but for control requests."""
    lines = [b"event=" + draw(NAMES).encode()]
    for key, value in draw(st.lists(st.tuples(KEYS, st.binary(max_size=30)), max_size=5)):
        lines.append(key + b"=" + value)
    lines.append(draw(st.binary(max_size=20)))
    head = b"\n".join(one for one in lines if not one.lstrip().startswith(b"op")).replace(b"\nop", b"\n")
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return frame(head, draw(st.binary(max_size=300)))
    if kind == 1:
        return frame(head, json.dumps(draw(VALUES)).encode())
    data = bytearray(draw(st.sampled_from(RECORDED)))
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    for _ in range(chance.randrange(5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return frame(head, bytes(data))


def sound(answer: tuple[int, bytes, bytes]) -> None:
    code, out, err = answer
    assert code in (0, 2)
    assert not out or (code == 0 and isinstance(json.loads(out), dict))
    assert b"Traceback" not in out + err


@THOROUGH
@given(frames=st.lists(requests(), min_size=1, max_size=6), cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_any_frames_are_answered_one_by_one(fuzzed: str, frames: list[bytes], cuts: list[int]) -> None:
    data, home = b"".join(frames), home_at(fuzzed)
    before = homes.control(fuzzed, "status")
    with Client(home) as client:
        places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
        for start, end in itertools.pairwise(places):
            client.send(data[start:end])
        for _ in frames:
            sound(client.answer())
    after = homes.control(fuzzed, "status")
    assert before is not None
    assert after is not None
    assert after["events"]["total"] - before["events"]["total"] == len(frames)


@THOROUGH
@given(
    good=st.lists(requests(), max_size=3),
    garbage=st.binary(min_size=1, max_size=400),
    lead=st.sampled_from([b"", b"LVH1"]),
)
def test_garbage_ends_its_own_connection_only(fuzzed: str, good: list[bytes], garbage: bytes, lead: bytes) -> None:
    with Client(home_at(fuzzed)) as other, Client(home_at(fuzzed)) as client:
        client.send(b"".join(good) + lead + garbage)
        for _ in good:
            try:
                sound(client.answer())
            except ConnectionError:  # it was closed before its answers went out: its one-shot decides
                break
        other.send(frame(b"event=PreToolUse", DANGEROUS.replace(EVENT, b"PreToolUse")))
        assert b'"deny"' in other.answer()[1]


@THOROUGH
@given(
    operation=st.text(max_size=20).filter(lambda one: one.strip() != "stop"),
    wait=st.text(max_size=12),
    body=st.binary(max_size=50),
)
def test_any_control_request_is_answered(fuzzed: str, operation: str, wait: str, body: bytes) -> None:
    head = b"op=%s\ntimeout_ms=%s" % (operation.encode("utf-8", "replace"), wait.encode("utf-8", "replace"))
    with Client(home_at(fuzzed)) as client:
        client.send(frame(head, body))
        code, out, _err = client.answer()
        assert json.loads(out)["ok"] is (code == 0)
