"""The ways in which a file, a folder, or one thing of a certain form can be damaged. Standard library only."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path


def _data(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _put(path: Path, data: bytes) -> None:
    """A hand or a disk does not rename: the same file has another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        path.unlink()
    path.write_bytes(data)


def _missing(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    path.unlink(missing_ok=True)


def _empty(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    _put(path, b"")


def _cut(path: Path, _elsewhere: Path, chance: random.Random) -> None:
    data = _data(path)
    _put(path, data[: chance.randrange(len(data))] if data else b"")


def _flipped(path: Path, _elsewhere: Path, chance: random.Random) -> None:
    data = bytearray(_data(path) or b"?")
    for _ in range(chance.choice((1, 1, 3, 20))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    _put(path, bytes(data))


def _noise(path: Path, _elsewhere: Path, chance: random.Random) -> None:
    _put(path, chance.randbytes(chance.randrange(1, 4000)))


def _more(path: Path, _elsewhere: Path, chance: random.Random) -> None:
    _put(path, _data(path) + chance.choice((b"\0" * 700, chance.randbytes(90), b"half a line", b"\n\n", b"}\n")))


def _zeros(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    _put(path, bytes(len(_data(path)) or 10))


def _folder(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    (path / "kept.txt").write_text("somebody's")


def _dangling(path: Path, elsewhere: Path, _chance: random.Random) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(elsewhere / "nothing-there")


def _loop(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)


def _linked(path: Path, elsewhere: Path, _chance: random.Random) -> None:
    """Somebody moved the file and left a link; or put a link to a file of his there."""
    there = elsewhere / path.name
    if path.is_file():
        shutil.move(path, there)
    else:
        path.unlink(missing_ok=True)
        there.write_text("somebody's file\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(there)


def _closed(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    if not path.exists():
        _put(path, b"")
    path.chmod(0)


def _opened(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    if not path.exists():
        _put(path, b"")
    path.chmod(0o777)


FILE_WAYS: dict[str, Callable[[Path, Path, random.Random], None]] = {
    "missing": _missing, "empty": _empty, "cut": _cut, "flipped": _flipped, "noise": _noise, "more": _more,
    "zeros": _zeros, "a folder": _folder, "a dangling link": _dangling, "a link to itself": _loop,
    "a link elsewhere": _linked, "closed": _closed, "open to all": _opened,
}  # fmt: skip


def _gone(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    if path.is_dir():
        shutil.rmtree(path)


def _a_file(path: Path, elsewhere: Path, chance: random.Random) -> None:
    _gone(path, elsewhere, chance)
    path.write_text("a file in the folder's place\n")


def _nowhere(path: Path, elsewhere: Path, chance: random.Random) -> None:
    _gone(path, elsewhere, chance)
    path.symlink_to(elsewhere / "nothing-there")


def _moved(path: Path, elsewhere: Path, _chance: random.Random) -> None:
    there = elsewhere / ("folder-" + path.name)
    if path.is_dir():
        shutil.move(path, there)
    else:
        there.mkdir()
    path.symlink_to(there)


def _shut(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0)


def _read_only(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o500)


def _public(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o777)


FOLDER_WAYS: dict[str, Callable[[Path, Path, random.Random], None]] = {
    "missing": _gone, "a file": _a_file, "a dangling link": _nowhere, "a link elsewhere": _moved, "closed": _shut,
    "read-only": _read_only, "open to all": _public,
}  # fmt: skip


def _sql(*statements: str) -> Callable[[Path, Path, random.Random], None]:
    def run(path: Path, _elsewhere: Path, _chance: random.Random) -> None:
        with contextlib.closing(sqlite3.connect(path)) as link, link:
            for statement in statements:
                link.execute(statement)

    return run


def _text(text: str) -> Callable[[Path, Path, random.Random], None]:
    return lambda path, _elsewhere, _chance: _put(path, text.encode())


def _replaced(old: bytes, new: bytes) -> Callable[[Path, Path, random.Random], None]:
    return lambda path, _elsewhere, _chance: _put(path, _data(path).replace(old, new))


def _other_journal(path: Path, elsewhere: Path, _chance: random.Random) -> None:
    """Another installation's segment was copied here."""
    shutil.copyfile(elsewhere / "foreign.log", path)


_CURSORS = {
    "back": _sql('UPDATE cursors SET "offset" = 0, seq = 0'),
    "between": _sql('UPDATE cursors SET "offset" = "offset" - 7'),
    "beyond": _sql('UPDATE cursors SET "offset" = "offset" + 999999'),
    "another record": _sql("UPDATE cursors SET hash = 'x'"),
    "another segment": _sql("UPDATE cursors SET segment = 'journal-00000000000999999999.log'"),
    "a path": _sql("UPDATE cursors SET segment = '../../keys/journal.key'"),
    "a text for a number": _sql("UPDATE cursors SET \"offset\" = 'x', seq = 'y'"),
    "gone": _sql("DELETE FROM cursors"),
    "two journals": _sql("UPDATE cursors SET journal = 'another'"),
}
SPECIAL: dict[str, dict[str, Callable[[Path, Path, random.Random], None]]] = {
    "state/ledger.sqlite3#cursor": _CURSORS,
    "state/search.sqlite3#cursor": _CURSORS,
    "state/ledger.sqlite3#schema": {
        "of a newer version": _sql("UPDATE schema_version SET version_num = '0099'"),
        "of no version": _sql("UPDATE schema_version SET version_num = 'x'"),
        "without its version": _sql("DELETE FROM schema_version"),
        "without a table": _sql("DROP TABLE tool_calls"),
    },
    "state/search.sqlite3#schema": {
        "of a newer version": _sql("PRAGMA user_version = 99"),
        "of no version": _sql("PRAGMA user_version = 0"),
        "without a table": _sql("DROP TABLE spans"),
    },
    "state/halts.json#version": {
        "of another version": _text('{"version": 2, "halts": []}\n'),
        "of another form": _text('{"version": 1, "halts": {"all": true}}\n'),
        "with a strange halt": _text('{"version": 1, "halts": [{"scope": "galaxy"}]}\n'),
    },
    "state/restraints.json#version": {
        "of another version": _text('{"version": 2, "restraints": []}\n'),
        "of another form": _text('{"version": 1, "restraints": [1]}\n'),
        "with a strange restraint": _text('{"version": 1, "restraints": [{"kind": "hold"}]}\n'),
    },
    "state/hot.conf#version": {
        "of another version": _text("format=2\npython=\nsrc=\nfsync=perhaps\nsegment_bytes=-5\n"),
        "of another Python": _replaced(b"python=/", b"python=/nonexistent/"),
        "of another source": _replaced(b"src=/", b"src=/nonexistent/"),
        "with odd limits": _text("deadline_ms=1\nmax_record_bytes=1\nmax_stdin_bytes=1\n"),
    },
    "context/workflows.toml#version": {
        "of another version": _text("version = 2\n[workflow.default]\nrecord = ['audit_record']\n"),
        "with an unknown hook": _replaced(b"policy_check", b"policy_chock"),
    },
    "context/policies/base.toml#version": {
        "of another version": _replaced(b"[pack]", b"[pack2]"),
        "with another effect": _replaced(b'effect = "deny"', b'effect = "perhaps"'),
    },
    "state/installs.json#version": {
        "of another version": _text('{"version": 7, "places": []}\n'),
        "of another form": _text('{"version": 1, "installs": [{"path": 1}]}\n'),
        "a list": _text("[]\n"),
    },
    "session#version": {
        "of another version": _text('{"version": 9, "client_version": 5}\n'),
        "a list": _text("[1, 2]\n"),
    },
    "state/cache/policy.json#version": {
        "of another version": _replaced(b'"format":1', b'"format":2'),
        "of odd rules": _text('{"format":1,"hash":"x","rules":[1,"two"]}'),
    },
    "state/cache/workflows.json#version": {
        "of another version": _text('{"key":[2,"x",1,1],"flows":{}}'),
        "of odd flows": _text('{"key":[1,"x",1,1],"flows":{"default":{"checks":"all"}}}'),
    },
    "run/service.json#version": {
        "of another process": _text('{"pid": 1, "started_at": "x", "version": "0"}\n'),
        "of another form": _text('{"pid": "many"}\n'),
    },
    "run/service.lock#version": {"with a foreign pid": _text("1\n"), "with no number": _text("x\n")},
    "segment:first#version": {"of another format": _replaced(b"levaithan-journal/1", b"levaithan-journal/2")},
    "segment:last#version": {
        "of another format": _replaced(b"levaithan-journal/1", b"levaithan-journal/2"),
        "of another journal": _other_journal,
    },
    "segment:middle#version": {"of another journal": _other_journal},
    "keys/journal.key#version": {
        "another key": lambda path, elsewhere, _: _put(path, (elsewhere / "other.key").read_bytes())
    },
    ".env#version": {
        "of another version": _text("LEVAITHAN_WARP=9\n"),
        "with a wrong value": _text("LEVAITHAN_FSYNC=sometimes\n"),
        "no settings": _text("what is this\n"),
    },
}
