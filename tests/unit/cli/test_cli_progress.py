"""A bar for what takes long, on a terminal only."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

CODE = """
import sys, time
from levaithan.cli import progress
progress.AFTER_S = float(sys.argv[1])
with progress.Progress("rebuilding", "bytes") as bar:
    for done in range(3):
        bar(done, 3)
        time.sleep(0.15)
print("rich" in sys.modules)
"""


def stderr_on_a_terminal(after: str) -> tuple[str, str]:
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm"}
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, after], stdout=subprocess.PIPE, stderr=theirs, text=True, env=env
    )
    os.close(theirs)
    told, _ = child.communicate(timeout=60)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(ours)
    return told, seen.decode()


def test_what_takes_long_shows_a_bar_and_data_stays_clean() -> None:
    told, seen = stderr_on_a_terminal("0")
    assert "rebuilding" in seen and told == "True\n"


def test_what_is_quick_shows_nothing() -> None:
    assert stderr_on_a_terminal("5") == ("False\n", "")


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", CODE, "0"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
