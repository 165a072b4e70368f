"""A home that cannot be written: on a read-only disk, or of folders that are closed. It guards, answers, and says why.

Each `inside_…` runs as root of a mount namespace of its own (tests/support/namespaces.py).
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from pathlib import Path

import pytest
from tests.support import calls, homes
from tests.support.namespaces import inside, outside_of_homes, remount, small_disk

from levaithan.hot import gap, paths

pytestmark = pytest.mark.faults
CHECKS = ("--no-proof", "--only", "lost", "--only", "journal", "--only", "stores")


def everything_is_decided(root: str, mode: str = "decide") -> int:
    """Each way decides, says why nothing is recorded and what to do; the number of events dropped."""
    for way in calls.WAYS:
        harmless = calls.call(root, way)
        dangerous = calls.call(root, way, calls.tool_call(calls.DANGEROUS))
        after = calls.call(root, way, calls.tool_call(event="PostToolUse"))
        assert harmless.denied == (mode == "deny"), (way, harmless.said)
        assert (dangerous.denied, after.denied) == (True, False), (way, dangerous.said, after.said)
        assert "fs.delete-root" in dangerous.reason, (way, dangerous.reason)
        for one in (harmless, dangerous, after):
            assert one.code == 0, (way, one.words)
            assert one.words.count("could not record") == 1, (way, one.words)
            assert "make the folder writable" in one.words, (way, one.words)
            assert "Next step" in one.words, (way, one.words)
    return 3 * len(calls.WAYS)


READS = (
    ("audit", "list"),
    ("audit", "tail", "--limit", "5"),
    ("audit", "search", "harmless"),
    ("audit", "export"),
    ("halt", "list"),
    ("journal", "verify"),
    ("hooks", "list"),
)
"""Commands that need nothing but to read, and so must work."""
WRITES = {
    ("start",): "writ",
    ("serve",): "writ",
    ("halt", "set", "--scope", "all", "--reason", "look"): "mend its folder",
    ("hooks", "install", "--user"): "writable",
    ("journal", "repair"): "writ",
    ("journal", "rebuild"): "writable",
    ("uninstall", "--yes"): "writable",
}
"""Commands that cannot do what they are for, and a word of the next step that they name."""


def reads_work(root: str, reads: tuple[tuple[str, ...], ...] = READS) -> None:
    for words in reads:
        done = homes.cli(root, *words, check=False)
        assert done.returncode == 0, (words, done)
        assert "Traceback" not in done.stderr, done.stderr


def writes_say_why(root: str) -> None:
    for words, next_step in WRITES.items():
        done = homes.cli(root, *words, check=False)
        assert done.returncode == 1, (words, done)
        assert "Traceback" not in done.stdout + done.stderr, (words, done.stderr)
        assert "should not have" not in done.stderr, (words, done.stderr)
        error, _, fix = done.stderr.rpartition("next: ")
        assert "Read-only file system" in error, (words, done.stderr)
        assert next_step in fix, (words, done.stderr)


def registered(root: str, project: Path) -> None:
    """`hooks run` sends what is registered, and gives what it gave."""
    for command, denied in (("true", False), (calls.DANGEROUS, True)):
        payload = json.dumps(calls.tool_call(command))
        done = homes.cli(root, "hooks", "run", "PreToolUse", "--project", str(project), input=payload)
        assert ('"deny"' in done.stdout) == denied, done
        assert "could not record" in done.stderr, done


def alarmed(root: str, dropped: int) -> None:
    count = gap.read(gap.files(paths.home_at(root).journal))
    assert count is not None, "nothing was counted"
    assert (count.dropped, count.reason) == (dropped, "readonly"), (count.dropped, count.reason)
    values = [row["value"] for row in calls.reading(root, "status", code=3) if row["status"] == "fail"]
    assert any(one.startswith(f"{dropped} events could not be recorded") for one in values), values
    assert any("cannot be written: nothing can be recorded" in one for one in values), values
    found = {row["check"]: row for row in calls.reading(root, "doctor", *CHECKS, code=3)}
    assert (found["lost"]["status"], found["journal"]["status"]) == ("fail", "fail"), found
    assert "mount its disk for writing" in found["journal"]["remedy"], found
    assert found["ledger"]["status"] == "ok", found["ledger"]


def mended(root: str, recorded: list[str], dropped: int) -> None:
    """Once it can be written the gap is recorded, and all that was answered as recorded is in the ledger."""
    for way in calls.WAYS:
        one = calls.call(root, way)
        assert (one.recorded, one.said) == (True, {}), (way, one.words)
        recorded.append(one.id)
    gaps = [one for one in homes.journal_records(root) if one["kind"] == "gap"]
    assert [(one["dropped"], one["reason"]) for one in gaps] == [(dropped, "readonly")], gaps
    homes.cli(root, "audit", "list")
    assert sorted(homes.ledger_column(root, "SELECT tool_use_id FROM events")) == sorted(recorded)
    assert homes.verify(root).ok


def inside_read_only(folder: str) -> None:
    """Nobody serves: one-shots on a disk that is mounted read-only."""
    outside_of_homes()
    disk, project = small_disk(folder + "/disk", "16m"), Path(folder, "project")
    project.mkdir()
    os.environ["HOME"] = folder  # where --user would write
    root = homes.make_home(disk / "h", compiled=False)
    homes.cli(root, "hooks", "install", "--project", str(project))
    recorded = [calls.call(root, way, calls.tool_call("true harmless")).id for way in calls.WAYS]
    homes.cli(root, "audit", "list")
    homes.cli(root, "audit", "search", "harmless")
    remount(disk, "ro")
    dropped = everything_is_decided(root) + 2
    reads_work(root)
    writes_say_why(root)
    registered(root, project)
    alarmed(root, dropped)
    remount(disk, "rw")
    mended(root, recorded, dropped)


def test_a_home_on_a_read_only_disk(tmp_path: Path) -> None:
    inside(inside_read_only, str(tmp_path))


def inside_served(folder: str) -> None:
    """A service whose socket is elsewhere, because the home's path is long: it decides, is not ready, and recovers."""
    outside_of_homes()
    disk = small_disk(folder, "16m")
    root = homes.make_home(disk / ("h" * 100), journal_failure="deny", canary_interval_s=0, compiled=False)
    recorded = [calls.call(root, "oneshot").id]
    homes.cli(root, "audit", "list")
    remount(disk, "ro")
    dropped = everything_is_decided(root, "deny")
    began = homes.cli(root, "start", check=False)
    try:
        assert began.returncode == 3, began
        assert "not ready" in began.stderr, began.stderr
        assert "next: run `levaithan doctor`" in began.stderr, began.stderr
        dropped += everything_is_decided(root, "deny")
        alarmed(root, dropped)
        told = homes.control(root, "status")
        assert told is not None
        assert "writable" in told["journal"]["last_error"], told["journal"]
        assert told["events"]["unrecorded"] == 6, told["events"]
        remount(disk, "rw")
        homes.until(lambda: (homes.control(root, "ping") or {}).get("ready"), 20)
        mended(root, recorded, dropped)
        calls.reading(root, "status", code=0)
    finally:
        homes.cli(root, "stop", check=False)


def test_a_service_on_a_read_only_disk(tmp_path: Path) -> None:
    inside(inside_served, str(tmp_path / "d"))


def with_closed_folders(folder: str) -> None:
    """The same by modes, for a user whom they bind."""
    os.environ["HOME"] = folder
    root = homes.make_home(Path(folder, "h"), compiled=False)
    home = paths.home_at(root)
    recorded = [calls.call(root, way, calls.tool_call("true harmless")).id for way in calls.WAYS]
    homes.cli(root, "audit", "list")
    homes.cli(root, "audit", "search", "harmless")
    folders = [root, *(str(one) for one in Path(root).rglob("*") if one.is_dir())]
    files = [home.gap, str(homes.journal_files(root)[-1])]
    for one in [*files, *folders]:
        os.chmod(one, 0o400 if one in files else 0o500)
    try:
        dropped = everything_is_decided(root)
        reads_work(root, READS[:1])
        alarmed(root, dropped)
        began = homes.cli(root, "start", check=False)  # what is its own it opens again, but for the journal
        assert began.returncode == 3, began
        assert "Permission denied" in began.stderr, began.stderr
        dropped += everything_is_decided(root)
        homes.cli(root, "stop")
    finally:
        for one in [*folders, *files]:
            os.chmod(one, 0o600 if one in files else 0o700)
    mended(root, recorded, dropped)


def inside_bound_by_modes(folder: str) -> None:
    """Root whose children cannot pass over modes: without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    outside_of_homes()
    drop, system = 24, ctypes.CDLL(None, use_errno=True)  # PR_CAPBSET_DROP
    for capability in (1, 2):
        assert system.prctl(drop, capability, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    with_closed_folders(folder)


def test_a_home_of_closed_folders(tmp_path: Path) -> None:
    if os.getuid() == 0:
        inside(inside_bound_by_modes, str(tmp_path))
        return
    try:
        with_closed_folders(str(tmp_path))
    finally:
        shutil.rmtree(paths.outside(os.path.realpath(tmp_path / "h")), ignore_errors=True)
