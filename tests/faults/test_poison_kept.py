"""Records that no store can hold, among thousands that it can; and a store that takes nothing at all for a while.

Everything goes through the real service, the poison also through the client that is registered.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes
from tests.unit.service.conftest import Client, event

from levaithan.hot import paths

pytestmark = pytest.mark.faults
EVENTS = int(os.environ.get("LEVAITHAN_FAULT_EVENTS", "3000"))
SPOILED = {
    "NUL": (b'"a\\u0000b"', "NUL in payload.tool_input.description"),
    "too large": (b'"' + b"x" * (2 << 20) + b'"', "over the limit of 1048576 (LEVAITHAN_LEDGER_MAX_FIELD_BYTES)"),
    "bad UTF-8": (b'"caf\xe9"', "text with a lone surrogate"),
    "half a character": (b'"\\ud83d"', "text with a lone surrogate"),
}
"""A text as it stands in the JSON that is sent, and what the dead letter says."""
TABLES = ("events", "journal_notes", "checkpoints", "sessions", "agents", "tool_calls", "decisions", "prompts")


def call(number: int, text: bytes) -> bytes:
    return (
        b'{"session_id":"s-%d","cwd":"/tmp","hook_event_name":"PreToolUse","tool_name":"Bash",'
        b'"tool_use_id":"call-%05d","tool_input":{"command":"echo x","description":%s}}' % (number % 7, number, text)
    )


def spoiled(number: int) -> str:
    """Which poison the event `number` is; "" for all but one in a hundred."""
    return list(SPOILED)[number // 100 % len(SPOILED)] if number % 100 == 50 else ""


def send(home: paths.Home, first: int, count: int) -> None:
    """`count` events over one connection; each must be answered with nothing to say."""
    with Client(home, 60) as client:
        for start in range(first, first + count, 250):
            numbers = range(start, min(start + 250, first + count))
            for number in numbers:
                kind = spoiled(number)
                client.send(event(call(number, SPOILED[kind][0] if kind else b'"as usual"')))
            for number in numbers:
                assert client.answer() == (0, b"", b""), number


def tables(root: str) -> dict[str, list[Any]]:
    """Every row of the ledger, and the dead letters of both stores without their times."""
    found: dict[str, list[Any]] = {}
    with contextlib.closing(sqlite3.connect(f"{root}/state/ledger.sqlite3")) as link:
        for name in TABLES:
            found[name] = sorted(link.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
    found["dead letters"] = sorted((one["store"], one["id"], one["seq"], one["reason"]) for one in waiting(root))
    found["docs"] = indexed(root)
    return found


def indexed(root: str) -> list[Any]:
    """(id, time) of every event in the search index."""
    with contextlib.closing(sqlite3.connect(f"{root}/state/search.sqlite3")) as link:
        return sorted(link.execute("SELECT id, at_us FROM docs").fetchall())


def waiting(root: str) -> list[dict[str, Any]]:
    return homes.rows(root, "journal", "dead-letters", "--limit", "1000")


def delivered(root: str) -> collections.Counter[str]:
    """How often each tool call is in the ledger."""
    return collections.Counter(
        homes.ledger_column(root, "SELECT tool_use_id FROM events WHERE tool_use_id LIKE 'call-%'")
    )


def replay(root: str, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """(exit code, rows) of `journal replay`."""
    done = homes.cli(root, "journal", "replay", "--json", *words, check=False)
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"] if done.stdout.startswith("{") else []
    return done.returncode, rows


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[paths.Home]:
    """A service that has taken EVENTS events, one in a hundred of them poison, and four more by the client."""
    home = paths.home_at(homes.make_home(tmp_path_factory.mktemp("poison") / "h"))
    with homes.serving(home.root):
        send(home, 0, EVENTS)
        environ = {"PATH": os.environ["PATH"], "HOME": home.root}
        for number, (text, _reason) in enumerate(SPOILED.values(), EVENTS):
            told = call(number, text)
            words = homes.client_command(home.root, "PreToolUse")
            done = subprocess.run(words, input=told, capture_output=True, env=environ, timeout=30, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        homes.sync(home.root, 60)
        yield home


@pytest.fixture(scope="module")
def bad() -> dict[str, str]:
    """Every tool call that is poison, and what its dead letter says."""
    names = {number: spoiled(number) for number in range(EVENTS)}
    names |= dict(enumerate(SPOILED, EVENTS))
    return {f"call-{number:05d}": SPOILED[kind][1] for number, kind in names.items() if kind}


# The tests of this file run in their order, on one service: each goes on where the one before it stopped.


def test_the_others_arrive_and_the_poison_waits_with_its_reason(served: paths.Home, bad: dict[str, str]) -> None:
    assert len(bad) == EVENTS // 100 + 4
    good = {f"call-{number:05d}" for number in range(EVENTS)} - set(bad)
    assert delivered(served.root) == dict.fromkeys(good, 1)
    letters = waiting(served.root)
    assert {one["store"] for one in letters} == {"ledger"}
    assert len(letters) == len(bad)
    for one in letters:
        assert bad[one["tool_use_id"]] in one["reason"], one
        assert one["attempts"] == 1
    events = [one for one in homes.journal_records(served.root) if one["kind"] == "event"]
    assert len(events) == EVENTS + 4
    assert [row[0] for row in indexed(served.root)] == sorted(one["id"] for one in events), "the index takes all"


def test_the_status_counts_them(served: paths.Home, bad: dict[str, str]) -> None:
    told = homes.control(served.root, "status")
    assert told is not None
    assert told["projector"]["stores"]["ledger"]["dead_letters"] == len(bad)
    assert told["projector"]["stores"]["ledger"]["error"] is None
    answer = json.loads(homes.cli(served.root, "status", "--json", check=False).stdout)
    (row,) = [one for one in answer["rows"] if one["item"] == "dead letters"]
    assert (row["status"], row["data"]["waiting"]) == ("warn", len(bad))
    assert row["remedy"] == "levaithan journal dead-letters"


def test_a_rebuild_gives_the_same_rows_and_the_same_dead_letters(served: paths.Home) -> None:
    before = tables(served.root)
    homes.cli(served.root, "journal", "rebuild")
    assert tables(served.root) == before


def test_replay_changes_nothing_before_the_fix(served: paths.Home, bad: dict[str, str]) -> None:
    code, rows = replay(served.root)
    assert code == 5
    assert len(rows) == len(bad)
    assert not any(one["delivered"] for one in rows)
    assert {one["attempts"] for one in waiting(served.root)} == {2}


def test_replay_delivers_what_a_greater_limit_lets_in(served: paths.Home, bad: dict[str, str]) -> None:
    env = Path(served.root, ".env")
    env.write_text(env.read_text() + "LEVAITHAN_LEDGER_MAX_FIELD_BYTES=4M\n")
    code, rows = replay(served.root)
    large = {name for name, reason in bad.items() if "over the limit" in reason}
    assert code == 5, "the others wait still"
    assert sum(one["delivered"] for one in rows) == len(large) > 0
    assert {one["tool_use_id"] for one in waiting(served.root)} == set(bad) - large
    found = delivered(served.root)
    assert {name: found[name] for name in large} == dict.fromkeys(large, 1)
    assert not any(one["delivered"] for one in replay(served.root)[1]), "a second time there is nothing to deliver"
    assert delivered(served.root) == found


def test_replay_makes_harmless_what_it_is_told_to(served: paths.Home, bad: dict[str, str]) -> None:
    code, rows = replay(served.root, "--sanitize")
    assert code == 0
    assert all(one["delivered"] for one in rows)
    assert waiting(served.root) == []
    every = {f"call-{number:05d}" for number in range(EVENTS + 4)}
    assert delivered(served.root) == dict.fromkeys(every, 1)
    marked = homes.ledger_column(served.root, "SELECT tool_use_id FROM events WHERE sanitized = 1")
    assert set(marked) == {name for name, reason in bad.items() if "over the limit" not in reason}
    assert replay(served.root, "--sanitize") == (0, [])


def test_what_was_made_harmless_stays_so_in_a_rebuild(served: paths.Home) -> None:
    before = tables(served.root)
    homes.cli(served.root, "journal", "rebuild")
    assert tables(served.root) == before
    assert before["dead letters"] == []


def test_new_poison_waits_again_and_the_service_is_well(served: paths.Home) -> None:
    send(served, EVENTS + 100, 100)
    homes.sync(served.root)
    assert len(waiting(served.root)) == 1
    told = homes.control(served.root, "status")
    assert told is not None
    assert told["loops"]["projector"]["restarts"] == 0
    assert homes.verify(served.root).ok


def test_a_ledger_that_takes_nothing_is_a_lag_and_no_loss(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_text("in the way")  # where the ledger's folder must be: nobody can write there, not even root
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False, ledger_url=f"sqlite:///{disk}/l.sqlite3"))
    with homes.serving(home.root):
        send(home, 0, 500)

        def told() -> dict[str, Any]:
            status = homes.control(home.root, "status")
            assert status is not None
            found: dict[str, Any] = status["projector"].get("stores", {}).get("ledger", {})
            return found

        homes.until(lambda: told().get("state") == "down" and told()["lag_events"] > 500, 20)
        assert "in the way" not in told()["error"]["message"]
        assert told()["error"]["fix"]
        assert told()["dead_letters"] == 0
        status = homes.control(home.root, "status")
        assert status is not None
        assert status["loops"]["projector"]["restarts"] == 0, "it waits, it does not crash"
        assert status["projector"]["stores"]["search"]["lag_events"] == 0, "the other store does not wait for it"
        send(home, 500, 100)
        disk.unlink()
        homes.sync(home.root, 30)
        assert told()["error"] is None
    with contextlib.closing(sqlite3.connect(f"{disk}/l.sqlite3")) as link:
        found = collections.Counter(row[0] for row in link.execute("SELECT tool_use_id FROM events"))
        dead = [row[0] for row in link.execute("SELECT tool_use_id FROM dead_letters")]
    every = {f"call-{number:05d}" for number in range(600)}
    assert found == dict.fromkeys(every - set(dead), 1)
    assert set(dead) == {f"call-{number:05d}" for number in range(600) if spoiled(number)}


def test_a_folder_put_in_the_ledgers_place_while_it_runs_costs_nothing(tmp_path: Path) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False))
    ledger = Path(home.state, "ledger.sqlite3")
    with homes.serving(home.root):
        send(home, 0, 40)
        homes.sync(home.root)
        for side in ("", "-wal", "-shm"):
            Path(f"{ledger}{side}").unlink(missing_ok=True)
        ledger.mkdir()
        send(home, 100, 40)
        homes.sync(home.root, 30)
    assert delivered(home.root) == dict.fromkeys([f"call-{n:05d}" for n in (*range(40), *range(100, 140))], 1)
    assert list(ledger.parent.glob("ledger.sqlite3.damaged-*"))
