"""The machine that the home is on: processors, memory, the home's file system, open files. The only user of psutil."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.metrics.tally import Tally


class System:
    """Looks at the machine, in the labels by its name in records (`machine`) and by the host's; pid: of the service,
    whose open files count."""

    def __init__(self, machine: str, root: str, pid: Callable[[], int]) -> None:
        self._labels = (machine, os.uname().nodename)
        self._root = root
        self._pid = pid
        psutil.cpu_times_percent(None)  # the first look has nothing to compare with
        self._looked = False

    def collect(self, tally: Tally) -> None:
        """Bring the gauges up to now; what the system does not say stays as it was."""
        labels = self._labels
        memory = psutil.virtual_memory()
        found = {
            "cpu_idle_ratio": self._idle(),
            "load1": os.getloadavg()[0],
            "memory_available_bytes": float(memory.available),
            "memory_size_bytes": float(memory.total),
        }
        try:
            disk = os.statvfs(self._root)
            found["disk_free_bytes"] = float(disk.f_bavail * disk.f_frsize)
            found["disk_size_bytes"] = float(disk.f_blocks * disk.f_frsize)
        except OSError:  # the home is gone: then the monitor ends, too
            pass
        handles = _open_files(self._pid())
        if handles is not None:
            found["open_fds"] = float(handles)
        for name, value in found.items():
            tally.set(f"levaithan_system_{name}", labels, value)

    def _idle(self) -> float:
        """Share of the time since the last look that was idle; of the first second where there was none."""
        if not self._looked:
            self._looked = True
            return float(psutil.cpu_times_percent(0.1).idle) / 100
        return float(psutil.cpu_times_percent(None).idle) / 100


def _open_files(pid: int) -> int | None:
    """Open file handles of a process and all below it; None where that cannot be seen."""
    try:
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
    except psutil.Error:
        return None
    count, seen = 0, False
    for one in family:
        try:
            count += one.num_fds()
            seen = True
        except psutil.Error:  # it ended meanwhile, or is another user's
            continue
    return count if seen else None
