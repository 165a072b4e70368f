"""A home on a disk that is really full: decided all the same, nothing half-written, counted, said, and it recovers.

Each `inside_…` runs as root of a mount namespace of its own, with a disk of a few MiB (tests/support/namespaces.py).
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support import calls, homes
from tests.support.namespaces import full, inside, outside_of_homes, small_disk

from levaithan.hot import gap, paths
from levaithan.service import log

pytestmark = pytest.mark.faults


def fill_the_rest(root: str) -> int:
    """Send events until one cannot be recorded: the last page of a file has room on a disk without a free block.

    They are as small as an event can be: what is left must not be enough for the record of a gap either.
    """
    for number in range(40):
        if not calls.call(root, "oneshot", {"hook_event_name": "Unheard", "tool_use_id": f"u{number}"}).recorded:
            return 1
    raise AssertionError("forty events found room on a full disk")


def everything_is_decided(root: str, mode: str) -> int:
    """Each way decides while nothing can be recorded, and says so with the next step; the number of events dropped."""
    dropped = 0
    for way in calls.WAYS:
        harmless = calls.call(root, way)
        dangerous = calls.call(root, way, calls.tool_call(calls.DANGEROUS))
        after = calls.call(root, way, calls.tool_call(event="PostToolUse"))
        assert harmless.denied == (mode == "deny"), (way, harmless.said)
        assert dangerous.denied, (way, dangerous.said)
        assert "fs.delete-root" in dangerous.reason, (way, dangerous.reason)
        assert not after.denied, (way, after.said)
        assert (harmless.code, dangerous.code, after.code) == (0, 0, 0), way
        for one in (harmless, dangerous, after):
            assert one.words.count("could not record") == 1, (way, one.words)
            assert "free space on its disk" in one.words, (way, one.words)
            assert "Next step" in one.words, (way, one.words)
            assert one.words.count("\n") == 1, (way, one.words)
            dropped += 1
    return dropped


def alarmed(root: str, dropped: int, served: str) -> None:
    """Count, status and doctor all know how many."""
    count = gap.read(gap.files(paths.home_at(root).journal))
    assert count is not None, "nothing was counted"
    assert (count.dropped, count.reason) == (dropped, "full"), (count.dropped, count.reason)
    values = [row["value"] for row in calls.reading(root, "status", code=3) if row["status"] == "fail"]
    assert any(one.startswith(f"{dropped} events could not be recorded (full)") for one in values), values
    doctor = calls.reading(root, "doctor", "--no-proof", "--only", "lost", "--only", "disk", code=3)
    found = {row["check"]: row for row in doctor}
    assert found["lost"]["status"] == found["disk"]["status"] == "fail", found
    assert f"{dropped} events" in found["lost"]["message"], found
    assert "make room" in found["lost"]["remedy"], found
    if served == "served":
        told = homes.control(root, "status")
        assert told is not None, "the service answers no more"
        assert told["journal"]["dropped"] == dropped, told["journal"]
        assert "free space" in told["journal"]["last_error"], told["journal"]


def nothing_is_half_written(root: str) -> None:
    """The journal verifies, every log has whole lines, and no temporary file lies about."""
    found = homes.verify(root)
    assert found.ok, found.findings
    for file in Path(root, "logs").rglob("*"):
        if file.is_file() and file.name != "cli-errors.log":
            data = file.read_bytes()
            assert data == b"" or data.endswith(b"\n"), (file, data[-200:])
    for line in Path(root, "logs", "service.log").read_bytes().splitlines() if served_once(root) else ():
        json.loads(line)
    left = [str(one) for one in Path(root).rglob("*") if ".tmp" in one.name or one.name.startswith(".projector.json")]
    assert left == [], left


def served_once(root: str) -> bool:
    return Path(root, "logs", "service.log").exists()


def recovered(root: str, answered: list[str], dropped: int, served: str) -> None:
    """The next event records the gap; whatever was answered as recorded is in journal and ledger exactly once."""
    for way in calls.WAYS:
        one = calls.call(root, way)
        assert (one.recorded, one.said) == (True, {}), (way, one.words)
        answered.append(one.id)
    if served == "served":
        homes.sync(root)
    else:
        homes.cli(root, "audit", "list")
    records = list(homes.journal_records(root))
    gaps = [one for one in records if one["kind"] == "gap"]
    assert [(one["dropped"], one["reason"]) for one in gaps] == [(dropped, "full")], gaps
    events = [one["tool_use_id"] for one in records if one["kind"] == "event"]
    assert len(events) == len(set(events)), "an event was recorded twice"
    assert set(answered) <= set(events), set(answered) - set(events)
    ledger = homes.ledger_column(root, "SELECT tool_use_id FROM events")
    assert sorted(ledger) == sorted(events), set(ledger) ^ set(events)
    assert gap.read(gap.files(paths.home_at(root).journal)) is None
    nothing_is_half_written(root)


def inside_whole_system(folder: str, mode: str, served: str) -> None:
    """Full while it runs: the service beside the clients ("served"), or nobody ("alone")."""
    outside_of_homes()
    disk = small_disk(folder, "16m")
    root = homes.make_home(
        disk / "h", journal_failure=mode, checkpoint_interval_s=1, canary_interval_s=0, compiled=False
    )
    service = homes.start_service(root) if served == "served" else None
    try:
        answered = [calls.call(root, way).id for way in calls.WAYS for _ in range(3)]
        if service:
            homes.sync(root)
        with full(disk):
            dropped = fill_the_rest(root)
            dropped += everything_is_decided(root, mode)
            alarmed(root, dropped, served)
            nothing_is_half_written(root)
        recovered(root, answered, dropped, served)
        if service:
            assert "events are recorded again" in Path(root, "logs", "service.log").read_text()
            homes.until(lambda: b'"kind":"checkpoint"' in last_line(root), 20)
            calls.reading(root, "status", code=0)
            assert homes.stop_service(service) == 0
    finally:
        if service and service.poll() is None:
            service.kill()
    assert homes.verify(root).ok


def last_line(root: str) -> bytes:
    return homes.journal_files(root)[-1].read_bytes().splitlines()[-1][:400]


@pytest.mark.parametrize(("mode", "served"), [("decide", "served"), ("deny", "alone")])
def test_a_disk_that_fills_up(tmp_path: Path, mode: str, served: str) -> None:
    inside(inside_whole_system, str(tmp_path / "d"), mode, served)


def inside_started_full(folder: str) -> None:
    """A service that is started on a full disk, with a home that has never recorded anything."""
    outside_of_homes()
    disk = small_disk(folder, "16m")
    root = homes.make_home(disk / "h", journal_failure="deny", canary_interval_s=0, compiled=False)
    with full(disk):
        dropped = fill_the_rest(root) + everything_is_decided(root, "deny")
        began = homes.cli(root, "start", check=False)
        try:
            assert began.returncode == 3, began
            assert "not ready" in began.stderr, began.stderr
            assert "free space" in began.stderr, began.stderr
            assert "next:" in began.stderr, began.stderr
            dropped += everything_is_decided(root, "deny")
            alarmed(root, dropped, "served")
        except BaseException:
            homes.cli(root, "stop", check=False)
            raise
    try:
        homes.until(lambda: (homes.control(root, "ping") or {}).get("ready"), 20)
        recovered(root, [], dropped, "served")
        calls.reading(root, "status", code=0)
    finally:
        homes.cli(root, "stop")
    assert homes.verify(root).ok


def test_a_service_that_starts_on_a_full_disk(tmp_path: Path) -> None:
    inside(inside_started_full, str(tmp_path / "d"))


def inside_full_for_the_ledger(folder: str) -> None:
    """Room enough for the journal's lines, none for SQLite's pages: the stores wait, and say why."""
    outside_of_homes()
    disk = small_disk(folder, "16m")
    root = homes.make_home(disk / "h", canary_interval_s=0, compiled=False)
    with homes.serving(root):
        answered = [calls.call(root, "native").id]
        homes.sync(root)
        with full(disk, leave=256 << 10):
            answered += send_until_a_store_is_full(root)
            failed = [row for row in calls.reading(root, "status", code=3) if row["item"] in ("ledger", "search")]
            words = [row["value"] for row in failed if row["status"] == "fail"]
            assert any("disk is full" in one for one in words), failed
            assert "free disk space" in next(row["remedy"] for row in failed if row["status"] == "fail"), failed
            homes.cli(root, "audit", "list")  # answers what it has
        answered.append(calls.call(root, "native").id)  # had the journal no room for one either, this records the gap
        homes.sync(root)
        calls.reading(root, "status", code=0)
    ledger = homes.ledger_column(root, "SELECT tool_use_id FROM events")
    assert len(ledger) == len(set(ledger)), "twice in the ledger"
    assert set(answered) <= set(ledger), set(answered) - set(ledger)
    assert len(answered) > 3, answered
    assert homes.verify(root).ok


def send_until_a_store_is_full(root: str) -> list[str]:
    """What was answered as recorded before SQLite found no room."""
    answered = []
    for _ in range(400):
        one = calls.call(root, "native", calls.tool_call("true " + "x" * 2000))
        if one.recorded:
            answered.append(one.id)
        told = homes.control(root, "sync", 0.05) or {}
        if "disk is full" in told.get("error", ""):
            return answered
    raise AssertionError(f"the stores had room for all {len(answered)}")


def test_a_disk_with_room_for_the_journal_only(tmp_path: Path) -> None:
    inside(inside_full_for_the_ledger, str(tmp_path / "d"))


WATCHED_S = 25.0
"""The journal's folder is tried each 10 s, and the rules on what was found are tuned to fire soon."""


def inside_watched(folder: str) -> None:
    """The monitor goes on looking: what is wrong is an incident that began while nothing could be written."""
    outside_of_homes()
    disk = small_disk(folder, "16m")
    root = homes.make_home(disk / "h", monitor="on", monitor_interval_s=1, metrics_listen="127.0.0.1:0", compiled=False)

    tuned = "".join(f'[alerts.{name}]\nfor = "1s"\n' for name in ("JournalUnwritable", "DiskFull"))
    Path(root, "context", "alerts.toml").write_text(tuned)

    def told() -> dict[str, Any]:
        return (homes.control(root, "status") or {}).get("monitor") or {}

    with homes.serving(root):
        homes.until(lambda: told().get("doing") == "watching" and told()["child"] == told().get("pid"), 40, 0.2)
        first = told()["child"]
        calls.call(root, "native")
        with full(disk):
            time.sleep(WATCHED_S)
            freed_s = time.time()
        homes.until(lambda: told().get("incidents", {}).get("P0"), 60, 0.5)
        assert told()["child"] == first
        homes.until(lambda: opened(root), 30, 0.5)
        assert all(at_s < freed_s for at_s in opened(root)), "it saw nothing until there was room again"


def opened(root: str) -> list[float]:
    """When the incidents that such a disk is were opened; s since 1970."""
    found = [one for one in homes.journal_records(root) if one["kind"] == "incident" and one.get("action") == "open"]
    told = [one["at"] for one in found if one["alert"] in ("JournalUnwritable", "DiskFull")]
    return [datetime.fromisoformat(at).timestamp() for at in told]


@pytest.mark.timeout(240)
def test_a_monitor_on_a_full_disk_opens_incidents(tmp_path: Path) -> None:
    inside(inside_watched, str(tmp_path / "d"))


SETTINGS = """{
  "permissions": {"deny": ["Read(./.env)"]},   "hooks": {
    "PreToolUse": [ {"matcher": "Bash", "hooks": [{"type": "command", "command": "echo foreign"}]} ]
  }
}
"""


def inside_install(folder: str, which: str) -> None:
    """`hooks install` and `uninstall` when the home's disk, the project's disk, or both are full."""
    outside_of_homes()
    home_disk, project_disk = small_disk(folder + "/1", "8m"), small_disk(folder + "/2", "2m")
    root = homes.make_home(home_disk / "h", native=False, compiled=False)
    project, bare = project_disk / "p", project_disk / "bare"
    settings = project / ".claude" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(SETTINGS)
    bare.mkdir()
    disks = {"home": [home_disk], "project": [project_disk], "both": [home_disk, project_disk]}[which]
    full_install_changes_nothing(root, project, bare, disks)
    homes.cli(root, "hooks", "install", "--project", str(project))
    installed = settings.read_bytes()
    assert b"echo foreign" in installed, installed
    if which != "home":
        refused(root, "uninstall", project, disks)
        assert settings.read_bytes() == installed, "changed by an uninstall that failed"
    homes.cli(root, "hooks", "uninstall", "--project", str(project))
    assert settings.read_text() == SETTINGS, settings.read_text()


def full_install_changes_nothing(root: str, project: Path, bare: Path, disks: list[Path]) -> None:
    settings = project / ".claude" / "settings.json"
    before = sorted(str(one) for one in project.parent.rglob("*"))
    for where in (project, bare):
        refused(root, "install", where, disks)
    assert settings.read_text() == SETTINGS, settings.read_text()
    assert sorted(str(one) for one in project.parent.rglob("*")) == before, "something was left in the project"
    assert calls.reading(root, "hooks", "list", "--project", str(project), code=0) == []
    known = paths.home_at(root).installs
    assert not os.path.exists(known) or json.loads(Path(known).read_text())["installs"] == []


def refused(root: str, verb: str, project: Path, disks: list[Path]) -> None:
    with full(disks[0]), full(disks[-1]):
        done = homes.cli(root, "hooks", verb, "--project", str(project), check=False)
    assert done.returncode == 1, (verb, done)
    assert "No space left on device" in done.stderr, done.stderr
    assert "was left as it is" in done.stderr, done.stderr
    assert "disk has room" in done.stderr, done.stderr


@pytest.mark.parametrize("which", ["home", "project", "both"])
def test_the_settings_are_left_to_the_byte_when_there_is_no_room(tmp_path: Path, which: str) -> None:
    inside(inside_install, str(tmp_path / "d"), which)


def inside_logs(folder: str) -> None:
    """A line that only half fits is taken back, so that the next one stands alone."""
    disk = small_disk(folder, "256k")
    file = disk / "service.log"
    file.write_bytes(b"x" * 4080 + b"\n")
    lines = log.RotatingFile(str(file), 1 << 20, 3)
    with full(disk):
        for _ in range(3):
            lines.write(b"a line that goes beyond the page\n")
        assert lines.lost == 3, lines.lost
        assert file.read_bytes() == b"x" * 4080 + b"\n"
    lines.write(b"whole\n")
    assert file.read_bytes().endswith(b"x\nwhole\n")
    root = homes.make_home(disk / "h", native=False, compiled=False)
    errors = Path(root, "logs", "hook-errors.log")
    errors.write_bytes(b"x" * 4080 + b"\n")
    with full(disk):
        fill_the_rest(root)
        assert errors.read_bytes() == b"x" * 4080 + b"\n"


def test_a_log_line_is_whole_or_absent(tmp_path: Path) -> None:
    inside(inside_logs, str(tmp_path / "d"))
