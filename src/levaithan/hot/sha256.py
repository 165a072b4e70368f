"""SHA-256 at the price that fits: the bare C module for a one-shot, OpenSSL's (several times faster) once it is loaded.

Importing hashlib costs a one-shot 4 ms while Claude Code waits; a service has it anyway. Imports nothing of ours.
"""

from __future__ import annotations

from sys import modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_WORTH_IT = 1 << 20
"""Bytes that the bare module takes 4 ms for, OpenSSL's less than one."""


def pick(size: int = 0) -> Callable[[bytes], Any]:
    """The constructor for `size` bytes (0: for all that is to come); what it makes has .hexdigest() and .update()."""
    if size < _WORTH_IT and "hashlib" not in modules:
        for name in ("_sha256", "_sha2"):  # until Python 3.11, and after it
            try:
                made: Callable[[bytes], Any] = __import__(name).sha256
            except ImportError:
                continue
            return made
    import hashlib

    return hashlib.sha256
