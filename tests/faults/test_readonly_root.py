"""The service as the container runs it: the image's own entry point where nothing can be written but the home and /tmp.

`inside_container` runs as root of a mount namespace of its own (tests/support/namespaces.py): no image is built for it,
so it is the program that is tried and not the layers.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support import calls, homes
from tests.support.namespaces import ROOT, inside, outside_of_homes, small_disk

from levaithan.hot import paths

pytestmark = pytest.mark.faults
_KEPT = ("/proc", "/sys", "/dev", "/run")


def everything_read_only(*but: Path) -> None:
    """Make every mount read-only, as `read_only: true` does for the container's root, but for some."""
    mounts = [line.split()[1].replace("\\040", " ") for line in Path("/proc/self/mounts").read_text().splitlines()]
    kept = {str(one) for one in but}
    for place in sorted({one for one in mounts if one not in kept and not one.startswith(_KEPT)}):
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=place == "/", capture_output=True)


def entry_point() -> list[str]:
    """The words of the image's ENTRYPOINT."""
    (found,) = re.findall(r"^ENTRYPOINT (\[.*\])$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    words: list[str] = json.loads(found)
    assert "levaithan serve" in words[-1]
    return words


def inside_container(folder: str) -> None:
    outside = Path(f"/tmp/levaithan-{os.getuid()}")
    outside_of_homes()
    home = small_disk(f"{folder}/home", "128m")
    scratch = small_disk(f"{folder}/tmp", "32m")
    everything_read_only(home, scratch, outside)
    for place in (folder, str(ROOT), "/", "/etc"):
        with pytest.raises(OSError, match=r"Read-only file system|Permission denied"):
            Path(place, "written").touch()
    environ = homes.plain_environment(
        LEVAITHAN_HOME=str(home), HOME=str(home), TMPDIR=str(scratch), PYTHONDONTWRITEBYTECODE="1",
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    )  # fmt: skip
    with (home / "said").open("wb") as said:
        service = subprocess.Popen(
            entry_point(), env=environ, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    root = str(home)
    try:
        homes.until(lambda: service.poll() is not None or (homes.control(root, "ping") or {}).get("ready"), 60)
        assert service.poll() is None, (home / "said").read_text()
        for way in calls.WAYS:
            assert calls.call(root, way).recorded, way
            assert calls.call(root, way, calls.tool_call(calls.DANGEROUS)).denied, way
        homes.sync(root)
        healthy = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["service"]["healthcheck"]
        asked = subprocess.run(healthy["test"][1:], env=environ, capture_output=True, text=True, cwd="/", check=False)
        assert asked.returncode == 0, asked
        assert len(homes.ledger_column(root, "SELECT id FROM events WHERE canary = 0")) == 2 * len(calls.WAYS)
        again = subprocess.run(["levaithan", "setup", "--yes", "--no-service", "--no-demo"], env=environ, cwd="/",
                               capture_output=True, text=True, check=False)  # fmt: skip
        assert again.returncode == 0, again
        assert "nothing to do" in again.stderr, again.stderr
    finally:
        service.send_signal(signal.SIGTERM)  # the shell has given way to the service: it gets the signal itself
        ended = service.wait(30)
    words = (home / "said").read_text() + Path(paths.home_at(root).logs, "service.log").read_text()
    assert ended == 0, words
    assert "Read-only file system" not in words


def test_the_service_runs_where_only_its_home_can_be_written(tmp_path: Path) -> None:
    inside(inside_container, str(tmp_path))
