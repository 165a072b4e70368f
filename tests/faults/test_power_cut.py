"""The machine loses its power while a service answers: whatever was answered is in the journal afterwards.

The home lies on a file system in a file: what the file holds at a moment is what a disk would hold then, and what the
system has not written yet is lost in a copy of it. Real calls, a real service, a real ext4 and its own recovery.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.support import calls, homes
from tests.support.namespaces import disk_in_a_file, inside_with_disks

from levaithan.hot import segments

pytestmark = pytest.mark.faults


def family(service: subprocess.Popen[bytes]) -> list[int]:
    """The service and its children."""
    theirs = [Path(task, "children").read_text().split() for task in Path(f"/proc/{service.pid}/task").iterdir()]
    return [service.pid, *(int(child) for some in theirs for child in some)]


def cut(image: Path, stopped: list[int]) -> Path:
    """A copy of the disk as it is at one moment: two copies in a row that are equal."""
    for one in stopped:
        os.kill(one, signal.SIGSTOP)
    first, second = image.with_name("first.img"), image.with_name("second.img")
    for _ in range(20):
        for copy in (first, second):
            subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
        if subprocess.run(["cmp", "-s", str(first), str(second)], check=False).returncode == 0:
            return first
    raise AssertionError("the disk was never the same for two copies in a row")


def segment_of(root: str) -> Path:
    return homes.journal_files(root)[-1]


def inside_a_power_cut(folder: str, between: str) -> None:
    image, disk = Path(folder, "disk.img"), Path(folder, "disk")
    disk_in_a_file(image, disk, size="300m")
    root = homes.make_home(disk / "home", native=False, compiled=False)
    service = homes.start_service(root)
    everyone = [service.pid]
    try:
        answered = []
        for number in range(40):
            way = "oneshot" if between == "oneshot" and number % 13 == 5 else "python"
            answered.append(calls.call(root, way))
        assert all(one.recorded for one in answered)
        live = segment_of(root).stat().st_size
        everyone = family(service)
        found = cut(image, everyone)
    finally:
        for one in everyone:  # a stopped child does not see that its service is gone
            os.kill(one, signal.SIGKILL)
        service.wait()
    after = str(disk_in_a_file(found, Path(folder, "after")) / "home")
    assert (Path(after, "logs", "journal") / segments.AHEAD).exists()
    lost = live - len(segment_of(after).read_bytes().rstrip(b"\0"))  # a file may end in zeros then
    assert lost > 0, "nothing was lost, so this shows nothing"
    one = calls.call(after, "oneshot")
    ids = {record.get("tool_use_id") for record in homes.journal_records(after)}
    assert not {each.id for each in (*answered, one)} - ids
    repairs = [record for record in homes.journal_records(after) if record["kind"] == "repair"]
    assert [(one["what"], one["bytes"]) for one in repairs] == [("ahead", lost)], (lost, live, repairs)
    told = homes.verify(after)
    assert told.ok, told.findings
    again = homes.start_service(after)
    assert calls.call(after, "python").recorded
    assert homes.stop_service(again) == 0
    assert homes.verify(after).ok


@pytest.mark.parametrize("between", ["nobody", "oneshot"])
def test_what_was_answered_outlives_the_machine(tmp_path: Path, between: str) -> None:
    inside_with_disks(inside_a_power_cut, str(tmp_path), between)
