"""Checks of the record: the service, the journal and its chain, what was lost, and how far the stores are behind."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan import __version__
from levaithan.hot import gap, segments, wire
from levaithan.hot.gate import machine_id
from levaithan.hot.journal import Journal
from levaithan.install.finding import Result
from levaithan.journal import repair
from levaithan.projector import feed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
    from levaithan.install.finding import Asked

_PING_S = 2.0
_QUICK_BYTES = 8 << 20


def service(asked: Asked) -> Iterator[Result]:
    told = ping(asked.home)
    if told is None:
        words = "no service answers; hooks are decided and recorded without it, slower"
        yield Result("service", "warn", words, "levaithan start")
        return
    version = told.get("version")
    if version not in (None, __version__):
        words = f"the service is of version {version}, installed is {__version__}"
        yield Result("service", "warn", words, "levaithan restart", data={"pid": told.get("pid")})
    else:
        yield Result("service", "ok", f"it answers (pid {told.get('pid', '?')})", data={"pid": told.get("pid")})
    copy = ((_asked(asked.home, "status") or {}).get("sharing") or {}).get("copy")
    if copy:  # only machines that share can see it
        yield Result("service", "warn", str(copy.get("message")), str(copy.get("fix")))


def ping(home: Home) -> dict[str, Any] | None:
    """What the service says to a ping; None when none answers in time."""
    return _asked(home, "ping")


def _asked(home: Home, operation: str) -> dict[str, Any] | None:
    frame = wire.pack_request({"id": wire.new_event_id(), "op": operation, "timeout_ms": "1000"}, b"")
    try:
        _code, answer, _words = wire.request(home.socket, frame, _PING_S)
        told = json.loads(answer)
    except (OSError, wire.WireError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def journal(asked: Asked) -> Iterator[Result]:
    folder = asked.home.journal
    remedy = f"make {folder} yours: chmod 700, chown, or mount its disk for writing"
    names = segments.listing(folder)[0]
    odd = repair.unreadable(folder)
    if odd:
        words = f"{', '.join(odd[:3])} cannot be read, and what follows waits for it: it is no file, or closed to us"
        mend = partial(_repair, asked.home)
        yield Result("journal", "fail", words, "levaithan doctor --fix (or levaithan journal repair)", mend)
    elif closed(folder):
        yield Result("journal", "fail", f"{folder} cannot be written: nothing can be recorded", remedy)
    else:
        yield Result("journal", "ok", f"{feed.last_seq(folder)} records in {len(names)} segments")


def _repair(home: Home) -> str:
    writer = Journal(home.journal, machine=machine_id(home))
    return "; ".join(repair.repair(home.journal, journal=writer).done) or "nothing to repair"


def closed(folder: str) -> bool:
    """Whether the journal's folder, or its last segment, is there and cannot be written. A segment without a write bit
    is complete, and the next record begins another one."""
    if not Path(folder).is_dir():
        return False
    last = [Path(folder, name) for name in segments.listing(folder)[0][-1:]]
    return not os.access(folder, os.W_OK | os.X_OK) or any(
        one.stat().st_mode & 0o200 and not os.access(one, os.W_OK) for one in last
    )


def chain(asked: Asked) -> Iterator[Result]:
    folder = asked.home.journal
    names = segments.listing(folder)[0]
    if not names:
        yield Result("chain", "ok", "nothing is recorded yet")
        return
    if names[-1] in repair.unreadable(folder):
        yield Result("chain", "fail", f"{names[-1]} cannot be read", "levaithan doctor --fix")
        return
    records, wrong = quick_chain(Path(folder, names[-1]))
    if wrong:
        yield Result("chain", "fail", f"{names[-1]}: {wrong}", "levaithan journal verify")
    else:
        words = f"the last {records} records fit together (`levaithan journal verify` proves all)"
        yield Result("chain", "ok", words, data={"records": records})


def quick_chain(segment: Path) -> tuple[int, str]:
    """(records compared, what is wrong or "") over the last 8 MiB of a segment; its whole lines only."""
    with segment.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        begin = max(0, size - _QUICK_BYTES)
        file.seek(begin)
        data = file.read()
    lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
    lines = lines[1:] if begin else lines
    count = 0
    for before, line in itertools.pairwise(lines):
        digest = hashlib.sha256(before[:64] + b" " + line[65:]).hexdigest().encode()
        if line[:64] != digest:
            seq = segments.seq_of(line[65:])
            return count, f"the record {seq if seq is not None else '(unreadable)'} does not follow from the one before"
        count += 1
    return count, ""


def lost(asked: Asked) -> Iterator[Result]:
    count = gap.read(gap.files(asked.home.journal))
    if count is None:
        yield Result("lost", "ok", "no event was lost")
        return
    words = f"{count.dropped} events could not be recorded ({count.reason}), from {count.first_at} to {count.last_at}"
    yield Result("lost", "fail", words, "make room on the disk; the next event that is recorded writes the gap down")


CHECKS = {"service": service, "journal": journal, "chain": chain, "lost": lost}
