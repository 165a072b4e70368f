"""`levaithan version`: which version runs, from where, on which Python."""

from __future__ import annotations

import platform

from levaithan import __version__
from levaithan.cli import options, output


def version(json: options.Json = False) -> None:
    """The version of LevAIthan."""
    from levaithan.hot import paths

    row = {"version": __version__, "python": platform.python_version(), "source": paths.source_folder()}
    output.out(output.envelope([row]) if json else f"levaithan {__version__}")
    output.flush()
