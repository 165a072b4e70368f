"""Where a store is, as text to compare: what a broken circuit names, so that it holds no store that is elsewhere.

A server's scheme, host, port and path. Who asks and what stands behind a `?` are no part of it: so a password never is,
and another user of the same server is no other address. Standard library only.
"""

from __future__ import annotations

import os
from typing import Any

from levaithan.stores.opening import masked


def of(store: Any) -> str:
    """The address of a store that was opened, or the file of an embedded one; "" where it tells of none."""
    opening = getattr(store, "opening", None)
    if opening is None or not opening.url:
        path = str(getattr(getattr(store, "file", None), "path", "") if opening is None else opening.path)
        folder, _, name = path.rpartition("/")
        return f"{os.path.realpath(folder or '.')}/{name}" if name else ""  # not the file: a rebuild swaps its link
    return masked(opening.url.partition("?")[0]).replace("***@", "", 1)
