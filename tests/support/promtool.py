"""Runs promtool: what Prometheus itself says of a rule file and of series made up for a test.

promtool comes with Prometheus (Debian: `prometheus`; `tests/servers/install --system` brings it; that beside
LEVAITHAN_TEST_PROMETHEUS_BIN is taken first). Where there is none a test is skipped and says so, and
LEVAITHAN_REQUIRE_STORES=prometheus makes that a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from levaithan.detectors.extrapolation import V2, V3

if TYPE_CHECKING:
    from levaithan.detectors.extrapolation import Dialect


_ENVIRON = os.environ | {"GOGC": "800"}
"""It lives for seconds: its collector may look seldom."""


def program() -> str:
    """The path of promtool; skips (or fails) the test without one."""
    server = os.environ.get("LEVAITHAN_TEST_PROMETHEUS_BIN")
    beside = str(Path(server).with_name("promtool")) if server else None
    found = beside if beside and Path(beside).exists() else shutil.which("promtool")
    if found:
        return found
    words = "there is no promtool. next: tests/servers/install --system, or apt install prometheus"
    if {"prometheus", "all"} & set(re.split(r"[,\s]+", os.environ.get("LEVAITHAN_REQUIRE_STORES", ""))):
        pytest.fail(words)
    pytest.skip(words)


@cache
def dialect() -> Dialect:
    """How this version of Prometheus looks at the ends of ranges."""
    said = run("--version")
    found = re.search(r"promtool, version (\d+)\.(\d+)", said)
    assert found, said
    return V2 if int(found[1]) < 3 else V3


def run(*arguments: str, cwd: Path | None = None) -> str:
    """What promtool says; fails the test when it is not content."""
    done = subprocess.run(
        [program(), *arguments], cwd=cwd, env=_ENVIRON, capture_output=True, text=True, timeout=250, check=False
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    return said
