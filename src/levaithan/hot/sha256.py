"""SHA-256 at the price that fits: the bare C module for a one-shot, OpenSSL's (several times faster) once it is loaded.

Importing hashlib costs a one-shot 4 ms while Claude Code waits; a service has it anyway. Imports nothing of ours.
"""

from __future__ import annotations

from sys import modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def pick() -> Callable[[bytes], Any]:
    """The constructor to use from now on; what it makes has .hexdigest() and .update()."""
    if "hashlib" not in modules:
        for name in ("_sha256", "_sha2"):  # until Python 3.11, and after it
            try:
                made: Callable[[bytes], Any] = __import__(name).sha256
            except ImportError:
                continue
            return made
    import hashlib

    return hashlib.sha256
