"""Finds LevAIthan's sources for a hook that is run alone, with a plain python3 and nothing installed.

In a checkout they lie beside this folder; elsewhere state/hot.conf says where. In a workflow this file is never loaded.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def _sources() -> str | None:
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    places = [os.path.dirname(home) + "/src"]
    try:
        with open(home + "/state/hot.conf", encoding="utf-8", errors="surrogateescape") as file:
            places += [line[4:].strip() for line in file if line.startswith("src=")]
    except OSError:
        pass
    return next((place for place in places if os.path.isdir(place + "/levaithan/hot")), None)


__all__ = ("run",)


def _refuse(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """A hook that cannot work must not look like one that had no objection; Claude Code lets the tool run on exit 1."""
    sys.stderr.write(
        f"This LevAIthan hook cannot be loaded, so it refuses ({type(error).__name__}: {error}). Next step: "
        "run `./setup.sh` again, which mends the installation\n"
    )
    sys.stderr.flush()
    os._exit(2)


sys.excepthook = _refuse
_found = _sources()
if _found:
    sys.path.insert(0, _found)
from levaithan.hot.alone import run  # noqa: E402 - the path is only known now
