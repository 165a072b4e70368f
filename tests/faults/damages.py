"""What may be wrong with a home: the files and folders of one, and the ways in which each can be damaged.

A damage is chosen and made from a seed, so that one number is one damaged home, everywhere. Nothing of the product is
imported here: the home is damaged from outside, as a disk, a crash or a hand does it.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.damage_ways import FILE_WAYS, FOLDER_WAYS, SPECIAL

HOOKS = ("halt_check", "policy_check", "restraint_check", "session_register", "audit_record")
GATE = ("context/workflows.toml", "context/policies/base.toml", *(f"hooks/{name}.py" for name in HOOKS))
"""What the gate is made of: while one of these is broken a guard may refuse, and nothing else may."""
JOURNAL = ("segment:first", "segment:middle", "segment:last")
FILES = (
    *JOURNAL, *JOURNAL, *GATE, "state/ledger.sqlite3", "state/ledger.sqlite3", "state/search.sqlite3",
    "state/ledger.sqlite3-wal", "state/search.sqlite3-wal", "state/projector.lock", "run/service.lock",
    "run/start.lock", "run/hook.sock", "run/service.json", "run/projector.json", "state/halts.json",
    "state/halts.json", "state/restraints.json", "state/hot.conf", "state/machine-id", "state/gap", "session",
    "logs/journal/checkpoints.jsonl", "keys/journal.key", "keys/journal.pub", "state/installs.json",
    "state/cache/policy.json",
    "state/cache/workflows.json", "state/shipped.json", ".env", "logs/service.log", "logs/hook-errors.log",
)  # fmt: skip
FOLDERS = (
    "logs/journal", "logs/journal/torn", "logs", "state", "state/sessions", "state/cache", "run", "keys", "context",
    "context/policies", "hooks", "bin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Damage:
    """target: as in FILES, FOLDERS or SPECIAL; path: the file or folder in the home; kind: a name of WAYS."""

    target: str
    path: str
    kind: str

    def __str__(self) -> str:
        return f"{self.target}: {self.kind}"


def choose(root: Path, chance: random.Random) -> list[Damage]:
    """One to three damages of different targets."""
    count = chance.choice((1, 1, 1, 2, 2, 3))
    chosen: dict[str, Damage] = {}
    while len(chosen) < count:
        one = _one(root, chance)
        if all(
            not one.path.startswith(other.path) and not other.path.startswith(one.path) for other in chosen.values()
        ):
            chosen[one.target] = one
    return list(chosen.values())


def _one(root: Path, chance: random.Random) -> Damage:
    roll = chance.random()
    if roll < 0.15:
        target = chance.choice(FOLDERS)
        return Damage(target, target, chance.choice(list(FOLDER_WAYS)))
    if roll < 0.35:
        target = chance.choice(list(SPECIAL))
        kind = chance.choice(list(SPECIAL[target]))
        return Damage(target, _path(root, target, chance), kind)
    target = chance.choice(FILES)
    return Damage(target, _path(root, target, chance), chance.choice(list(FILE_WAYS)))


def _path(root: Path, target: str, chance: random.Random) -> str:
    """The path below the home that a target means this time."""
    plain = target.partition("#")[0]
    if plain.startswith("segment:"):
        segments = sorted((root / "logs" / "journal").glob("journal-*.log"))
        place = {"first": 0, "middle": chance.randrange(1, len(segments) - 1), "last": -1}[plain[8:]]
        return str(segments[place].relative_to(root))
    if plain == "session":
        return str(chance.choice(sorted((root / "state" / "sessions").glob("*.json"))).relative_to(root))
    return plain


def make(root: Path, elsewhere: Path, damage: Damage, chance: random.Random) -> None:
    """Do it. `elsewhere`: an existing folder outside the home, for what is moved away and linked to."""
    path = root / damage.path
    way: Callable[[Path, Path, random.Random], None] | None = None
    if damage.target in SPECIAL:
        way = SPECIAL[damage.target].get(damage.kind)
    if way is None:
        way = (FOLDER_WAYS if damage.target in FOLDERS else FILE_WAYS)[damage.kind]
    if path.is_file() and not path.is_symlink():
        path.chmod(0o600)
    way(path, elsewhere, chance)


def open_folders(folder: Path) -> None:
    """Make every folder below `folder` readable again."""
    folder.chmod(0o700)
    for place, folders, _ in os.walk(folder):
        for name in folders:
            if not Path(place, name).is_symlink():
                Path(place, name).chmod(0o700)


def all_bytes(folder: Path) -> bytes:
    """Everything below `folder` but the stores, whatever its mode is, which stays."""
    parts: list[bytes] = []
    for entry in sorted(folder.iterdir()):
        mode = entry.lstat().st_mode
        if entry.is_symlink() or entry.name.endswith(("sqlite3", "-wal", "-shm")):
            continue
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            needed = mode | (0o500 if stat.S_ISDIR(mode) else 0o400)
            if needed != mode:
                entry.chmod(needed)
            parts.append(all_bytes(entry) if stat.S_ISDIR(mode) else entry.read_bytes())
            if needed != mode:
                entry.chmod(stat.S_IMODE(mode))
    return b"\n".join(parts)


def everything(folder: Path) -> dict[str, tuple[str, int, int, bytes]]:
    """Every entry below `folder`: kind, mode, time, content (of a link: where it points to)."""
    found: dict[str, tuple[str, int, int, bytes]] = {}
    for place, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            path = Path(place, name)
            seen = path.lstat()
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = ("link", 0, 0, os.fsencode(os.readlink(path)))
            elif path.is_dir():
                found[key] = ("folder", seen.st_mode & 0o7777, 0, b"")
            elif path.is_file():
                found[key] = ("file", seen.st_mode & 0o7777, seen.st_mtime_ns, path.read_bytes())
            else:
                found[key] = ("socket", 0, 0, b"")
    return found
