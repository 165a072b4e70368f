"""What the figures were taken on, and what one sync of its disk costs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

RECORD = b"x" * 1300 + b"\n"
"""About the size of a journal record of a tool call."""


class Disk:
    """A file on the disk to be measured; `sync()` appends a record and gives the seconds its fdatasync took."""

    def __init__(self, folder: str) -> None:
        self._file = os.open(os.path.join(folder, "disk-yardstick"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._sync = getattr(os, "fdatasync", os.fsync)

    def sync(self) -> float:
        os.write(self._file, RECORD)
        begun = time.perf_counter()
        self._sync(self._file)
        return time.perf_counter() - begun

    def close(self) -> None:
        os.close(self._file)


def describe(folder: str) -> list[str]:
    """The machine in a few lines: processor, memory, system, file system of `folder`, Python."""
    return [
        f"{_processor()}, {os.cpu_count()} cores, {_memory()} of memory",
        f"{platform.system()} {platform.release()}, {_file_system(folder)}",
        f"CPython {platform.python_version()} ({os.path.basename(os.path.realpath(sys.executable))})",
        f"load average when the run began: {os.getloadavg()[0]:.1f}",
    ]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB"


def _file_system(folder: str) -> str:
    kind = _said("stat", "-f", "-c", "%T", folder) if sys.platform == "linux" else ""
    return kind or "file system unknown"


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except OSError:
        return ""
