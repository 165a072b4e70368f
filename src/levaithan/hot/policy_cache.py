"""Compiled rules between processes: one JSON file by the hash of the packs, so that no hook waits for a TOML parser.

The same file is the last good set: when somebody breaks a pack it stays in force, and the problem is said. Standard
library only.
"""

from __future__ import annotations

import os

from levaithan.hot.bounded import sha256_hex
from levaithan.hot.plain_json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1
_FILE = "/policy.json"


def rules(folder: str, cache: str) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """(the rules of the packs in `folder`, problems). None instead of rules: they are bad and never were good.

    `cache`: the folder that keeps the compiled rules; that it cannot be written is no problem, only slower.
    """
    kept = _kept(cache + _FILE)
    try:
        packs = _read(folder)
    except OSError as error:
        return _last_good(kept, [f"{error.filename}: {error.strerror}"])
    if not packs:
        return _last_good(kept, [f"{folder} holds no *.toml"])
    digest = _hash(packs)
    if kept and kept["hash"] == digest:
        return kept["rules"], []
    from levaithan.hot.policy_pack import PackError, compile_packs

    try:
        made = compile_packs(packs)
    except PackError as error:
        return _last_good(kept, [str(error)])
    _keep(cache, {"format": FORMAT, "hash": digest, "rules": made})
    return made, []


def _last_good(kept: dict[str, Any] | None, problems: list[str]) -> tuple[list[dict[str, Any]] | None, list[str]]:
    if kept is None:
        return None, problems
    return kept["rules"], [f"{problem}; the last good rules stay in force" for problem in problems]


def _read(folder: str) -> list[tuple[str, bytes]]:
    packs = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(".toml"):
            path = f"{folder}/{name}"
            with open(path, "rb") as file:
                packs.append((path, file.read(8 << 20)))
    return packs


def _hash(packs: list[tuple[str, bytes]]) -> str:
    lengths = b"".join(b"%d %s %d\n" % (len(path), os.fsencode(path), len(data)) for path, data in packs)
    return sha256_hex(b"%d\n" % FORMAT + lengths + b"".join(data for _, data in packs))


def _kept(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            value = loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    good = isinstance(value, dict) and value.get("format") == FORMAT and isinstance(value.get("rules"), list)
    return value if good else None


def _keep(folder: str, value: dict[str, Any]) -> None:
    temporary = f"{folder}{_FILE}.{os.getpid()}.tmp"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        text = dumps(value)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        os.rename(temporary, folder + _FILE)
    except OSError:  # a full or read-only disk: the rules are compiled again next time
        if os.path.exists(temporary):
            os.unlink(temporary)
