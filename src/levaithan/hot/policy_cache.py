"""Compiled rules between processes: one JSON file by the hash of the packs, so that no hook waits for a TOML parser.

The same file is the last good set: when somebody breaks a pack it stays in force, and the problem is said. Standard
library only.
"""

from __future__ import annotations

import os

from levaithan.hot import kept
from levaithan.hot.bounded import sha256_hex
from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 2
_FILE = "/policy.json"


def rules(folder: str, cache: str) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """(the rules of the packs in `folder`, problems). None instead of rules: they are bad and never were good.

    `cache`: the folder that keeps the compiled rules; that it cannot be written is no problem, only slower.
    """
    good = _kept(cache + _FILE)
    try:
        packs = _read(folder)
    except OSError as error:
        return _last_good(good, [f"{error.filename}: {error.strerror}"])
    if not packs:
        return _last_good(good, [f"{folder} holds no *.toml"])
    digest = _hash(packs)
    if good and good["hash"] == digest:
        return good["rules"], []
    from levaithan.hot.policy_pack import PackError, compile_packs

    held = _turn(cache)
    try:
        good = _kept(cache + _FILE)
        if good and good["hash"] == digest:  # somebody else has compiled them meanwhile
            return good["rules"], []
        made = compile_packs(packs)
        kept.write(cache + _FILE, {"format": FORMAT, "hash": digest, "rules": made})
    except PackError as error:
        return _last_good(good, [str(error)])
    else:
        return made, []
    finally:
        if held >= 0:
            os.close(held)


def _turn(cache: str) -> int:
    """Waits until nobody else compiles: of sixteen hooks at once one does the work. -1 where that cannot be had."""
    import fcntl

    from levaithan.hot.lockfile import open_lock

    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        descriptor = open_lock(cache + "/policy.lock")
    except OSError:
        return -1
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def would_be_good(folder: str, cache: str, name: str, data: bytes) -> bool:
    """Whether the packs of `folder` with `data` as the pack `name` are the last good set; also when there is none."""
    good = _kept(cache + _FILE)
    if good is None:
        return True
    try:
        packs = {path: found for path, found in _read(folder, besides=name)}
    except OSError:
        return False
    packs[f"{folder}/{name}"] = data
    return bool(good["hash"] == _hash(sorted(packs.items())))


def _last_good(good: dict[str, Any] | None, problems: list[str]) -> tuple[list[dict[str, Any]] | None, list[str]]:
    if good is None:
        return None, problems
    return good["rules"], [f"{problem}; the last good rules stay in force" for problem in problems]


def _read(folder: str, besides: str = "") -> list[tuple[str, bytes]]:
    packs = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(".toml") and name != besides:
            path = f"{folder}/{name}"
            with open(path, "rb", opener=regular) as file:
                packs.append((path, file.read(8 << 20)))
    return packs


def _hash(packs: list[tuple[str, bytes]]) -> str:
    lengths = b"".join(b"%d %s %d\n" % (len(path), os.fsencode(path), len(data)) for path, data in packs)
    return sha256_hex(b"%d\n" % FORMAT + lengths + b"".join(data for _, data in packs))


def _kept(path: str) -> dict[str, Any] | None:
    value = kept.read(path)
    good = isinstance(value, dict) and value.get("format") == FORMAT and isinstance(value.get("rules"), list)
    return value if good else None
