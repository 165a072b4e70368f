"""Journals of a scratch home for the tests beside this file, read back by hand: the chain is checked without ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from levaithan.hot import segments
from levaithan.hot.journal import Journal

SRC = str(Path(__file__).parents[3] / "src")


def item(number: int, size: int = 60) -> tuple[str, bytes]:
    one = f"{number:032x}"
    return one, b'{"v":1,"kind":"event","id":"%s","x":"%s"}' % (one.encode(), b"x" * size)


def new_home(root: Path) -> Path:
    """A home with a state folder, as setup makes it."""
    (root / "state").mkdir(parents=True)
    return root


_MADE: list[Journal] = []


def writer(home: Path, **options) -> Journal:
    made = Journal(str(home / "logs" / "journal"), machine="m", **{"fsync": "never", **options})
    _MADE.append(made)
    return made


def close_all() -> None:
    """Give back the descriptors of every writer: a worker of the tests has a thousand, and others need them."""
    while _MADE:
        _MADE.pop().close()


def folder(home: Path) -> Path:
    return home / "logs" / "journal"


def records(home: Path) -> list[dict]:
    """Every record, after the chain and the numbers were checked by hand."""
    prev, out, bad = "0" * 64, [], False
    for path in sorted(folder(home).glob("journal-*.log")):
        for line in path.read_bytes().splitlines():
            body = line[65:]
            record = json.loads(body)
            if record["kind"] == "segment":
                assert path.name == segments.name_of(record["seq"])
                assert record["first"] == record["seq"]
                if "damage" in record:
                    prev = record["prev"]
                assert record["prev"] == prev
            digest = hashlib.sha256(prev.encode() + b" " + body).hexdigest()
            bad = bad or digest != line[:64].decode()
            prev = line[:64].decode()
            out.append(record)
    assert not bad
    assert [one["seq"] for one in out] == list(range(1, len(out) + 1))
    return out


def events(home: Path) -> list[int]:
    return [int(one["id"], 16) for one in records(home) if one["kind"] == "event"]
