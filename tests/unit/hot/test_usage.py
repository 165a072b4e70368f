"""Usage from transcripts: each call once, in any split of the reading, whatever stands in the file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.hot import plain_json
from levaithan.hot.usage import SYNTHETIC, Call, Tail, calls_of, files

DATA = Path(__file__).parents[2] / "data" / "transcripts"
RECORDED = sorted(path for path in DATA.rglob("*.jsonl") if path.parent.name != "subagents")


def line(message_id: str = "m1", **more: Any) -> dict[str, Any]:
    """A line of a transcript as the client writes it; keys of `more` replace those of the usage."""
    usage = {
        "input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 9,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
        "server_tool_use": {"web_search_requests": 6}, "service_tier": "standard", "speed": "standard",
    }  # fmt: skip
    return {
        "type": "assistant", "sessionId": "s1", "timestamp": "2026-11-23T14:32:46.534Z",
        "message": {"id": message_id, "model": "claude-opus-5-5", "usage": usage | more},
    }  # fmt: skip


def written(path: Path, *lines: Any) -> Path:
    path.write_bytes(b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines))
    return path


def read(path: Path, **more: Any) -> Tail:
    tail = Tail(str(path))
    while tail.read(plain_json.loads, **more) or tail.more:
        pass
    return tail


def calls_in(transcript: Path) -> dict[str, Call]:
    found: dict[str, Call] = {}
    for name in files(str(transcript)):
        found |= read(Path(name)).calls
    return found


@pytest.mark.parametrize("transcript", RECORDED, ids=lambda path: path.parent.name)
def test_the_tokens_are_those_that_the_client_counted(transcript: Path) -> None:
    """By model and by class, on every recorded session, those of subagents included."""
    names = {
        "input": "inputTokens", "output": "outputTokens", "cache_read": "cacheReadInputTokens",
        "cache_write_5m": "cacheCreationEphemeral5mInputTokens",
        "cache_write_1h": "cacheCreationEphemeral1hInputTokens", "web_search": "webSearchRequests",
    }  # fmt: skip
    client = read(transcript).client
    assert client is not None
    calls = calls_in(transcript).values()
    assert {call.model for call in calls} == set(client["modelUsage"])
    for model, told in client["modelUsage"].items():
        for ours, theirs in names.items():
            assert sum(getattr(call, ours) for call in calls if call.model == model) == told[theirs], (model, ours)


def test_the_recorded_sessions_hold_what_is_hard() -> None:
    """A message on several lines, and subagents: without them the test above would prove little."""
    assert len(RECORDED) == 11
    lines = sum(path.read_bytes().count(b'"usage"') for path in DATA.rglob("*.jsonl"))
    assert lines > sum(len(calls_in(path)) for path in RECORDED)
    agents = [call for path in RECORDED for call in calls_in(path).values() if call.agent_id]
    assert len(agents) == 4 and all(call.session_id for call in agents)


def test_every_class_of_tokens_is_kept_apart(tmp_path: Path) -> None:
    call = read(written(tmp_path / "t", line())).calls["m1"]
    assert call == Call("m1", "claude-opus-5-5", "s1", "", "2026-11-23T14:32:46.534Z", "", 1, 2, 3, 4, 5, 6)
    assert (call.prompt, call.tokens) == (13, 15)
    assert Call(*json.loads(json.dumps(call.row()))) == call


@pytest.mark.parametrize(
    ("usage", "short", "long"),
    [
        ({"cache_creation": None}, 9, 0),
        ({"cache_creation": {}}, 9, 0),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 5}}, 4, 5),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 20, "ephemeral_5m_input_tokens": 1}}, 1, 20),
        ({"cache_creation_input_tokens": None}, 4, 5),
    ],
)
def test_a_cache_write_of_unknown_length_is_a_short_one(usage: dict[str, Any], short: int, long: int) -> None:
    [call] = calls_of(line(**usage))
    assert (call.cache_write_5m, call.cache_write_1h) == (short, long)


@pytest.mark.parametrize(
    ("usage", "mode"), [({"speed": "fast"}, "fast"), ({"service_tier": "batch"}, "batch"), ({"speed": None}, "")]
)
def test_the_mode_that_changes_the_price_is_kept(usage: dict[str, Any], mode: str) -> None:
    [call] = calls_of(line(**usage))
    assert call.mode == mode


def test_calls_inside_of_a_call_count_beside_it() -> None:
    """Summaries and advice are billed, and the call's own usage leaves them out; its own steps are in it."""
    inside = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3500},
        {"type": "message", "input_tokens": 1, "output_tokens": 2},
        {"type": "advisor_message", "model": "claude-fable-5-2", "input_tokens": 7, "cache_creation_input_tokens": 8},
    ]
    own, summary, advice = calls_of(line(iterations=inside))
    assert own == calls_of(line())[0] == calls_of(line(iterations=[]))[0]
    assert (summary.message_id, summary.model, summary.tokens) == ("m1/0", "claude-opus-5-5", 183_500)
    assert (advice.message_id, advice.model, advice.row()[6:]) == ("m1/2", "claude-fable-5-2", [7, 0, 0, 8, 0, 0])
    assert (advice.session_id, advice.time) == (own.session_id, own.time)


def test_of_the_lines_of_a_message_the_last_counts(tmp_path: Path) -> None:
    tail = read(written(tmp_path / "t", line(output_tokens=1), line("m2"), line(output_tokens=70), line("m2")))
    assert {one: call.output for one, call in tail.calls.items()} == {"m1": 70, "m2": 2}


HOSTILE: list[dict[str, Any]] = [
    {"input_tokens": -1}, {"input_tokens": 1.5}, {"input_tokens": 1e300}, {"input_tokens": "7"},
    {"input_tokens": 10**30}, {"input_tokens": True}, {"output_tokens": [1]}, {"output_tokens": {"a": 1}},
    {"cache_creation": [1]},
    {"cache_creation": "x"}, {"cache_creation": {"ephemeral_5m_input_tokens": -5}}, {"server_tool_use": 3},
    {"server_tool_use": {"web_search_requests": "many"}},
    {"iterations": 5}, {"iterations": ["x"]}, {"iterations": [{"type": "compaction", "input_tokens": -1}]},
    {"cache_read_input_tokens": float("inf")},
]  # fmt: skip


@pytest.mark.parametrize("usage", HOSTILE, ids=str)
def test_a_line_with_nonsense_is_skipped_and_counted(tmp_path: Path, usage: dict[str, Any]) -> None:
    tail = read(written(tmp_path / "t", line("a"), line("bad", **usage), line("b")))
    assert (set(tail.calls), tail.skipped) == ({"a", "b"}, 1)


@pytest.mark.parametrize(
    "bad",
    [
        b'{"usage"', b'"usage"', b'["usage"]', b'{"usage":' + b"[" * 100_000, b'\xff\xfe "usage"',
        b'{"type":"assistant","message":{"usage":{}}}',
        b'{"type":"assistant","message":{"id":7,"model":"m","usage":{}}}',
        b'{"type":"assistant","message":{"id":"x","model":["m"],"usage":{}}}',
        b'{"type":"assistant","message":{"id":"' + b"x" * 999 + b'","usage":{}}}',
    ],
    ids=range(9),
)  # fmt: skip
def test_a_broken_line_is_skipped_and_counted(tmp_path: Path, bad: bytes) -> None:
    tail = read(written(tmp_path / "t", line("a"), bad, line("b")))
    assert (set(tail.calls), tail.skipped) == ({"a", "b"}, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"type": "user", "message": {"id": "x", "usage": {"input_tokens": 5}}},
        {"type": "assistant", "message": {"id": "x", "usage": None}},
        {"type": "assistant", "message": "usage", "usage": {}},
        {"type": "user", "toolUseResult": {"usage": {"input_tokens": 5}}},
        {"type": "assistant", "message": {"content": 'a text with "usage": {"input_tokens": 5}'}},
    ],
)
def test_what_is_no_call_is_none(tmp_path: Path, other: dict[str, Any]) -> None:
    tail = read(written(tmp_path / "t", other))
    assert (tail.calls, tail.skipped) == ({}, 0)


def test_the_client_s_own_messages_are_calls_without_tokens() -> None:
    given = line(input_tokens=0)
    given["message"]["model"] = SYNTHETIC
    [call] = calls_of(given)
    assert (call.model, call.tokens) == (SYNTHETIC, 0)


@given(
    cuts=st.lists(st.integers(0, 20_000), max_size=12), most=st.integers(1, 30_000), again=st.booleans(),
    which=st.sampled_from(RECORDED),
)  # fmt: skip
def test_any_split_of_the_reading_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], most: int, again: bool, which: Path
) -> None:
    """As the file grows at any byte, in reads of any size, and with a new process at each of them."""
    data, longest = which.read_bytes(), max(map(len, which.read_bytes().splitlines())) + 1
    path = tmp_path_factory.mktemp("split") / "t.jsonl"
    tail = Tail(str(path))
    for cut in [*sorted(cuts), len(data)]:
        path.write_bytes(data[:cut]) if not path.exists() else _grow(path, data[:cut])
        while tail.read(plain_json.loads, most_bytes=max(most, longest)) or tail.more:
            pass
        if again:
            client, until = tail.client, tail.client_until
            tail = Tail(str(path), *json.loads(json.dumps(tail.place())), known=tail.calls)
            tail.client, tail.client_until = client, until
    whole = read(which)
    assert tail.calls == whole.calls and list(tail.calls) == list(whole.calls)
    assert (tail.client, tail.client_until, tail.offset) == (whole.client, whole.client_until, whole.offset)


KEYS = sorted(line()["message"]["usage"])


def _grow(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data[path.stat().st_size :])


@given(
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b'{"usage":', b'"usage"', b'{"type":"assistant"}'])))
)
def test_no_content_raises(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = written(tmp_path_factory.mktemp("any") / "t", *lines, b"", line("good"))
    assert "good" in read(path).calls


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
        max_leaves=8,
    )
)  # fmt: skip
def test_no_usage_raises_and_no_count_is_negative(tmp_path_factory: pytest.TempPathFactory, usage: Any) -> None:
    given_line = line()
    given_line["message"]["usage"] = usage
    tail = read(written(tmp_path_factory.mktemp("any") / "t", given_line))
    assert all(type(count) is int and count >= 0 for call in tail.calls.values() for count in call.row()[6:])


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path, whole = tmp_path / "t", json.dumps(line()).encode()
    path.write_bytes(whole[:50])
    tail = Tail(str(path))
    assert tail.read(plain_json.loads) is False and tail.offset == 0
    _grow(path, whole)
    assert tail.read(plain_json.loads) is False and tail.calls == {}
    _grow(path, whole + b"\n")
    assert tail.read(plain_json.loads) is True and set(tail.calls) == {"m1"}
    assert tail.read(plain_json.loads) is False


def test_a_file_that_shrank_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "t", line("a"), line("b"))
    tail = read(path)
    with path.open("r+b") as file:
        file.truncate(len(json.dumps(line("a"))) + 1)
    assert tail.read(plain_json.loads) is True and set(tail.calls) == {"a"}


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "t", line("a"))
    tail = read(path)
    os.replace(written(tmp_path / "new", line("b"), line("c")), path)
    assert tail.read(plain_json.loads) is True and set(tail.calls) == {"b", "c"}


def test_a_file_that_was_written_over_is_read_anew(tmp_path: Path) -> None:
    """The same file by number, and longer than it was: only what stood before the place tells."""
    path = written(tmp_path / "t", line("a"))
    tail, before = read(path), path.stat().st_ino
    written(path, line("x"), line("y"))
    assert path.stat().st_ino == before
    assert Tail(str(path), *tail.place()).read(plain_json.loads) is True
    assert tail.read(plain_json.loads) is True and set(tail.calls) == {"x", "y"}


def test_a_line_longer_than_a_read_is_passed_over_once(tmp_path: Path) -> None:
    inside = json.dumps(line("hidden")).encode()
    path = written(tmp_path / "t", line("a"), b"x" * 5000 + inside, line("b"))
    tail = read(path, most_bytes=1000)
    assert (set(tail.calls), tail.skipped) == ({"a", "b"}, 1)


def test_reads_are_bounded(tmp_path: Path) -> None:
    path = written(tmp_path / "t", *(line(f"m{number}") for number in range(100)))
    tail = Tail(str(path))
    assert tail.read(plain_json.loads, most_bytes=2000) is True
    assert 0 < len(tail.calls) < 10 and tail.more


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "nul"])
def test_what_is_no_file_has_no_calls(tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / "t")
    if kind == "folder":
        os.mkdir(path)
    if kind == "pipe":
        os.mkfifo(path)
    tail = Tail(path + "\0" if kind == "nul" else path)
    assert tail.read(plain_json.loads) is False and tail.calls == {}
    assert files(tail.path) == [tail.path]


def test_the_subagents_of_a_session_belong_to_it(tmp_path: Path) -> None:
    agents = tmp_path / "s1" / "subagents"
    agents.mkdir(parents=True)
    for name in ("agent-b.jsonl", "agent-a.jsonl", "agent-a.meta.json", "notes.jsonl"):
        (agents / name).touch()
    transcript = str(tmp_path / "s1.jsonl")
    assert files(transcript) == [transcript, f"{agents}/agent-a.jsonl", f"{agents}/agent-b.jsonl"]


def test_the_client_s_sum_is_the_last_and_how_far_it_goes_is_known(tmp_path: Path) -> None:
    def told(usd: float) -> dict[str, Any]:
        return {"type": "cost-state", "totalCostUSD": usd, "modelUsage": {}}

    path = written(
        tmp_path / "t", told(1), {"timestamp": "early"}, told(2), b'{"type":"cost-state"', {"x": "cost-state"}
    )
    tail = read(path)
    assert tail.client == told(2) and tail.client_until == ""
    _grow(path, path.read_bytes() + b'{"a":1}\n{"timestamp":"later"}\n{"timestamp":"last"}\n')
    assert tail.read(plain_json.loads) is True and tail.client_until == "later"
