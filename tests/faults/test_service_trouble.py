"""Trouble while it serves: a journal that cannot be written, hooks that hang, half frames, a bounded journal."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import homes
from tests.unit.service.conftest import Client, control, event

from levaithan.hot import gap, paths
from levaithan.service import server

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

pytestmark = pytest.mark.faults


def status(home: Home) -> dict[str, Any]:
    told = homes.control(home.root, "status")
    assert told is not None
    return told


def ask(home: Home, frame: bytes) -> tuple[int, bytes, bytes]:
    with Client(home) as client:
        client.send(frame)
        return client.answer()


def break_journal(home: Home) -> None:
    """A file where the folder was: nobody can write into that, not even root."""
    os.rename(home.journal, home.journal + ".away")
    Path(home.journal).write_text("in the way")


def mend_journal(home: Home) -> None:
    os.unlink(home.journal)
    os.rename(home.journal + ".away", home.journal)


@pytest.mark.parametrize("mode", ["decide", "deny"])
def test_a_journal_that_fails_and_comes_back(tmp_path: Path, mode: str) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False, journal_failure=mode))
    with homes.serving(home.root):
        assert ask(home, event()) == (0, b"", b"")
        break_journal(home)
        code, said, words = ask(home, event())
        assert code == 0
        assert b"could not record" in words
        assert (b'"deny"' in said) == (mode == "deny")
        assert b'"deny"' in ask(home, event(command="rm -rf /"))[1]
        told = status(home)
        assert "journal" in told["journal"]["last_error"]
        assert told["journal"]["dropped"] == 2
        assert told["events"]["unrecorded"] == 2
        assert gap.read(gap.files(home.journal)) is not None
        mend_journal(home)
        assert ask(home, event()) == (0, b"", b"")
        assert status(home)["journal"]["last_error"] is None
    kinds = [one["kind"] for one in homes.journal_records(home.root)]
    assert kinds.count("gap") == 1
    assert next(one["dropped"] for one in homes.journal_records(home.root) if one["kind"] == "gap") == 2
    assert homes.verify(home.root).ok
    log = Path(home.logs, "service.log").read_text()
    assert log.count("events are not recorded") == 1
    assert log.count("events are recorded again") == 1


def test_a_journal_that_cannot_be_opened_at_the_start(tmp_path: Path) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False))
    Path(home.journal).parent.mkdir(exist_ok=True)
    Path(home.journal).write_text("in the way")
    with homes.serving(home.root):
        assert status(home)["ready"] is False
        assert b'"deny"' in ask(home, event(command="rm -rf /"))[1]
        os.unlink(home.journal)
        homes.until(lambda: status(home)["ready"], 10)
        assert ask(home, event()) == (0, b"", b"")


HANGS = {
    "a loop": "while True: pass",
    "a sleep": "import time; time.sleep(60)",
    "a loop that catches everything": "\n    while True:\n        try:\n            while True: pass\n"
    "        except Exception: pass",
    "a loop of calls": "sum(1 for _ in iter(int, 1))",
}


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS)
def test_a_hook_that_hangs_is_interrupted(tmp_path: Path, body: str) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False, deadline_ms=300))
    Path(home.hooks, "hanging.py").write_text(f"def hook(event, context):\n    {body}\n")
    flows = Path(home.context, "workflows.toml")
    flows.write_text(flows.read_text().replace('["halt_check", "policy_check", "restraint_check"]', '["hanging"]', 1))
    with homes.serving(home.root):
        begun = time.monotonic()
        with Client(home) as other:
            code, said, _ = ask(home, event())
            assert time.monotonic() - begun < 2
            assert b'"deny"' in said
            assert b"hanging" in said
            other.send(control("ping") + event(name="PostToolUse"))
            assert json.loads(other.answer()[1])["ok"] is True
            assert other.answer() == (0, b"", b"")
        assert b'"deny"' in ask(home, event())[1]
        assert status(home)["events"]["total"] == 3
        assert code == 0


def test_changed_rules_are_taken_up_while_it_runs(tmp_path: Path) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False))
    with homes.serving(home.root):
        assert ask(home, event()) == (0, b"", b"")
        Path(home.hooks, "never.py").write_text(
            "from levaithan.hot.contract import Opinion\n"
            "def hook(event, context):\n    return Opinion('deny', 'never', 'never')\n"
        )
        flows = Path(home.context, "workflows.toml")
        flows.write_text(flows.read_text().replace('["halt_check", "policy_check", "restraint_check"]', '["never"]', 1))
        homes.until(lambda: b"never" in ask(home, event())[1], 10)
        conf = Path(home.hot_conf)
        text = conf.read_text()
        conf.write_text(
            text.replace("segment_bytes=67108864", "segment_bytes=70000").replace("fsync=always", "fsync=no")
        )
        homes.until(lambda: status(home)["settings"]["restart_needed"] == ["segment_bytes"], 10)
        assert "fsync=no" in status(home)["settings"]["problems"][0]


def test_half_frames_are_given_up(tmp_path: Path) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False))
    frame = event()
    with homes.serving(home.root):
        slow = [Client(home) for _ in range(20)]
        begun = time.monotonic()
        for number, one in enumerate(slow):
            one.send(frame[: 5 + number * 8])
        assert ask(home, event()) == (0, b"", b"")
        assert all(one.closed(server.UNFINISHED_S + 3) for one in slow)
        assert time.monotonic() - begun > server.UNFINISHED_S / 2
        assert status(home)["connections"]["refused"]["unfinished"] == 20


def test_the_journal_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = homes.make_home(tmp_path / "h", native=False, segment_bytes=50_000, journal_max_bytes=200_000)
    home = paths.home_at(root)
    with homes.serving(root):
        for _ in range(12):
            with Client(home) as client:
                client.send(b"".join(event() for _ in range(100)))
                for _ in range(100):
                    client.answer()
        homes.sync(root)
        homes.until(lambda: status(home)["pruned"]["removed"] >= 4, 40)  # over 200 kB of 50 kB each
        homes.until(lambda: status(home)["journal"]["bytes"] <= 200_000, 40)
        homes.sync(root)
    assert homes.verify(root).ok
    assert homes.ledger_column(root, "SELECT count(*) FROM events") == [1200]


def test_memory_stays_flat(tmp_path: Path) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False, fsync="never"))
    count = int(os.environ.get("LEVAITHAN_FAULT_EVENTS", "20000"))

    def send(events: int) -> int:
        with Client(home, 60) as client:
            for _ in range(0, events, 500):
                client.send(b"".join(event() for _ in range(500)))
                for _ in range(500):
                    client.answer()
        used: int = status(home)["memory"]["rss_bytes"]
        return used

    with homes.serving(home.root):
        early = send(5000)
        late = send(count)
    assert late < early + (4 << 20), (early, late)
    assert late < 120 << 20
