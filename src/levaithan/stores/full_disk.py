"""A server whose disk is full, as its own words tell it: each says so in its way, and some fall silent afterwards."""

from __future__ import annotations

import os

_WORDS = (
    "no space left", "enospc", "os error 28", "disk usage exceeded", "disk usage too high", "flood-stage",
    "flood stage", "disk full", "disk is full", "not enough space", "not enough disk", "storage full",
)  # fmt: skip
"""Of strerror(ENOSPC), Elasticsearch's watermarks, Rust's io::Error and object stores, Weaviate."""
FIX = "free disk space on the server"
_LEAST = 1 << 20


def is_named_in(words: str) -> bool:
    """Whether a message speaks of a full disk."""
    lower = words.lower()
    return any(one in lower for one in _WORDS)


def is_full(folder: str) -> bool:
    """Whether the disk of this folder has less than a MiB left for us. False where it cannot be asked."""
    left = free(folder)
    return left is not None and left < _LEAST


def free(folder: str) -> int | None:
    """Bytes free for us on the disk of this folder; None where it cannot be asked."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    return told.f_bavail * told.f_frsize
