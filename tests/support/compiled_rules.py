"""The compiled rules of a scratch home: what every home keeps from its first call on. A process of tests compiles them
once; a home whose packs are changed afterwards compiles them anew, as ever, and has these as its last good ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.hot import kept, paths, policy_cache, policy_pack

if TYPE_CHECKING:
    from pathlib import Path

_COMPILED: dict[tuple[tuple[str, bytes], ...], list[dict[str, Any]]] = {}


def put(root: Path | str) -> None:
    """Write what the packs of the home `root` are compiled to, where its first call would have written it."""
    home = paths.home_at(str(root))
    packs = policy_cache._read(home.context + "/policies")
    known = tuple((path.rpartition("/")[2], data) for path, data in packs)
    if known not in _COMPILED:
        _COMPILED[known] = policy_pack.compile_packs(packs)
    value = {"format": policy_cache.FORMAT, "hash": policy_cache._hash(packs), "rules": _COMPILED[known]}
    assert kept.write(home.state + "/cache" + policy_cache._FILE, value)
