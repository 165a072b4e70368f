"""Compiles the settings that the hot path needs into state/hot.conf, which C and a bare Python read without a parser.

The other side is `levaithan.hot.hotconf`; a test compares the two lists of keys, defaults and limits.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import NotConfigured
from levaithan.hot import paths
from levaithan.hot.hotconf import keys as hot_keys

if TYPE_CHECKING:
    from levaithan.config.settings import Settings
    from levaithan.hot.paths import Home


def interpreter() -> str:
    """The real Python that runs now, past every link: a venv or a shim may move or cost 77 ms, this one does not."""
    return str(Path(sys.executable).resolve())


def values(settings: Settings) -> dict[str, str]:
    """What hot.conf holds for `settings`: every key of levaithan.hot.hotconf, as text."""
    known = {"python": interpreter(), "src": paths.source_folder()}
    return {key: known.get(key) or str(getattr(settings, key)) for key in hot_keys()}


def render(settings: Settings) -> str:
    """The text of hot.conf. Raises NotConfigured for a path with a line break, which the form cannot hold."""
    lines = []
    for key, value in values(settings).items():
        if "\n" in value or "\r" in value:
            raise NotConfigured(f"{key} = {value!r} has a line break in it.", fix="move it to a path without one")
        lines.append(f"{key}={value}\n")
    return "".join(lines)


def write(home: Home, settings: Settings) -> bool:
    """Write H/state/hot.conf, by temp file and rename, and only when it would change. True when it was written.

    Raises OSError when the folder cannot be written.
    """
    data = render(settings).encode("utf-8", "surrogateescape")
    target = Path(home.hot_conf)
    try:
        with open(target, "rb", opener=paths.regular) as file:
            if file.read() == data:
                return False
    except OSError:
        pass  # missing or unreadable: written anew
    paths.ensure_private(str(target.parent))
    handle, name = tempfile.mkstemp(prefix=".hot.conf.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True
