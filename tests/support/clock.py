"""A wall clock that a test can move, also while processes run: for every process started with `environ()`.

A shim in C stands before the C library's clock_gettime, gettimeofday and time and adds what a mapped file says. It
reaches what LD_PRELOAD reaches: a Python (also under -I), not the native client, which asks the kernel itself, so that
a moved clock also is one that client and service disagree on. Monotonic clocks and the kernel's file times stay.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

DAY_S = 86_400
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static const volatile int64_t *shift_s;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) shift_s = page;
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, at);
    if (!result && shift_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += *shift_s;
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
"""


class Clock:
    """The moved clock. `shift_s` is what is added to the real one, and may be set at any time."""

    def __init__(self, folder: Path) -> None:
        """Build the shim in `folder`. Skips the test where that cannot be done."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if sys.platform != "linux" or compiler is None:
            pytest.skip("a clock that moves under running processes needs Linux (LD_PRELOAD) and a C compiler")
        source, self._shim, self._file = folder / "clock.c", folder / "clock.so", folder / "clock"
        source.write_text(_SHIM)
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", self._shim, source, "-ldl"], check=True)
        self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 8)

    @property
    def shift_s(self) -> int:
        """Seconds that processes are ahead of the real clock."""
        return int.from_bytes(self._page[:8], sys.byteorder, signed=True)

    @shift_s.setter
    def shift_s(self, seconds: int) -> None:
        self._page[:8] = seconds.to_bytes(8, sys.byteorder, signed=True)

    def environ(self) -> dict[str, str]:
        """What a process must have in its environment to live by this clock."""
        return {"LD_PRELOAD": str(self._shim), "TEST_CLOCK": str(self._file)}

    def now_s(self) -> float:
        """The time by this clock."""
        return time.time() + self.shift_s

    def rule(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let every process that this test starts from now on live by this clock; proves that it does."""
        for name, value in self.environ().items():
            monkeypatch.setenv(name, value)
        self.shift_s = -DAY_S
        code = "import time, datetime; print(time.time(), datetime.datetime.now().timestamp(), time.time_ns() / 1e9)"
        said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
        self.shift_s = 0
        if any(abs(float(one) - time.time() + DAY_S) > 60 for one in said.split()):
            pytest.skip(f"this Python does not ask the C library for the time ({os.path.realpath(sys.executable)})")
