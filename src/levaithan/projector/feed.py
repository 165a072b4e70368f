"""Journal lines on their way into a store: batches after a cursor, single lines for a second try, and how far is left.

Reads only; imports the journal's reader and the stores' types, no driver.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

import orjson

from levaithan.hot.segments import seq_of
from levaithan.journal import read
from levaithan.journal.identity import journal_id
from levaithan.projector.segments import segments
from levaithan.stores import poison
from levaithan.stores.roles import Cursor, Delivery

HASH = 64
"""Hexadecimal digits at the start of a line, then a space, then the record."""
_STEP = 65_536
_LONGEST_LINE = 512 << 20


class Feed:
    """Batches of one journal folder.

    `note` says why the last batch did not begin where it was asked to; "" when it did.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.note = ""

    def journal(self) -> str:
        """The id of the journal that is there now; "" before it is begun."""
        return journal_id(self.directory)

    def batch(self, cursor: Cursor | None, limit_bytes: int) -> tuple[list[Delivery], Cursor | None]:
        """What follows `cursor` (None = from the oldest segment), about `limit_bytes` of it, and the cursor after it.

        Nothing new: an empty list and the same cursor. Raises OSError, and what journal.read raises.
        """
        after = None
        if cursor is not None:
            segment, offset = self._place(cursor)
            after = read.Position(segment, offset, cursor.seq, cursor.hash)
        lines, end = read.read_batch(self.directory, after, limit_bytes)
        self.note = end.note if end is not None else ""
        journal = cursor.journal if cursor else self.journal()
        batch = []
        for line in lines:
            if isinstance(line, read.Damage):
                why = f"damaged journal line: {line.why}"
                batch.append(Delivery(0, "", journal, line.segment, line.offset, None, bytes(line.line), why))
                continue
            record, problem = poison.parse(line.body)
            if record is not None and record.get("kind") == "segment":
                journal = str(record.get("journal") or journal)
            batch.append(Delivery(line.seq, line.hash, journal, line.segment, line.offset, record, line.body, problem))
        if end is None or (not batch and (cursor and (end.segment, end.offset) == (cursor.segment, cursor.offset))):
            return [], cursor
        return batch, Cursor(journal, end.segment, end.offset, end.seq, end.hash)

    def _place(self, cursor: Cursor) -> tuple[str, int]:
        """Where to read on: the cursor's segment may have been pruned after it was delivered."""
        if not Path(self.directory, cursor.segment).is_file():
            for later in segments(self.directory):
                if later.name > cursor.segment:
                    return later.name, 0
        return cursor.segment, cursor.offset

    def doubt(self, cursor: Cursor) -> str:
        """Why `cursor` cannot be a place in this journal ("" = it can).

        A store restored from a copy, a journal cut or replaced, a flipped byte in the cursor: each would make the
        store skip records silently. Then it reads from the start again, which changes nothing that is there already.
        """
        path = Path(self.directory, cursor.segment)
        if Path(cursor.segment).name != cursor.segment:
            return "it names no segment"
        if path.is_file():
            return _misplaced(path, cursor) if cursor.offset else ""
        later = [one for one in segments(self.directory) if one.name > cursor.segment]
        if later and int(later[0].stem[8:]) == cursor.seq + 1:
            return ""
        return f"the segment {cursor.segment} is not there"

    def line(self, segment: str, offset: int, journal: str) -> Delivery:
        """One line again, checked against the line before it. `problem` says what is (still) wrong with it."""
        gone = Delivery(0, "", journal, segment, offset, None, b"", "no longer in the journal")
        path = Path(self.directory, segment)
        if not path.is_file() or path.stat().st_size <= offset:
            return gone
        with path.open("rb") as file:
            file.seek(offset)
            line = file.readline(_LONGEST_LINE)
            before = _line_before(file, offset) if offset else None
        if not line.endswith(b"\n") or not _whole(line):
            return Delivery(0, "", journal, segment, offset, None, line, "damaged journal line: no hash or no record")
        stated, body = line[:HASH].decode("ascii", "replace"), line[HASH + 1 : -1]
        record, problem = poison.parse(body)
        seq = record.get("seq") if record else None
        delivery = Delivery(seq if type(seq) is int else 0, stated, journal, segment, offset, record, body, problem)
        previous = before[:HASH] if before else str((record or {}).get("prev", "0" * HASH)).encode()
        if hashlib.sha256(previous + b" " + body).hexdigest() != stated:
            delivery.record, delivery.problem = None, "damaged journal line: its hash is not that of its bytes"
        return delivery


def _misplaced(path: Path, cursor: Cursor) -> str:
    """Why `cursor` does not stand after the record it names in the segment `path`; "" when it does."""
    with path.open("rb") as file:
        if path.stat().st_size < cursor.offset:
            return f"{cursor.segment} ends before byte {cursor.offset}"
        line = _line_before(file, cursor.offset)
    if line is None:
        return f"byte {cursor.offset} of {cursor.segment} is not the start of a line"
    stated = line[:HASH].decode("ascii", "replace")
    return "" if stated == cursor.hash or not _whole(line) else "the record before it is another one"


def _whole(line: bytes) -> bool:
    return len(line) > HASH + 2 and line[HASH : HASH + 1] == b" "


def _line_before(file: IO[bytes], offset: int) -> bytes | None:
    """The line that ends at `offset`, without its LF; None when none ends there."""
    seek, take = file.seek, file.read
    seek(offset - 1)
    if take(1) != b"\n":
        return None
    end, parts = offset - 1, []
    while end > 0:
        start = max(0, end - _STEP)
        seek(start)
        part = take(end - start)
        cut = part.rfind(b"\n")
        if cut >= 0:
            parts.append(part[cut + 1 :])
            break
        parts.append(part)
        end = start
    return b"".join(reversed(parts))


def last_seq(directory: str) -> int:
    """The number of the journal's last whole record, from its last bytes; 0 when there is none.

    Read as the journal's reader does: no store need be able to take the record (a text that is no UTF-8 counts too).
    """
    for path in reversed(segments(directory)):
        size = path.stat().st_size
        with path.open("rb") as file:
            end = size
            while end > 0:
                tail = _cut_tail(file, end)
                line = _line_before(file, tail) if tail else None
                if line is None:
                    break
                if _whole(line) and (seq := seq_of(line[HASH + 1 :])) is not None:
                    return seq
                end = tail - len(line) - 1
    return 0


def lag(directory: str, at: Cursor | int | None) -> int:
    """How many records of the journal come after `at`: a store's cursor, or the number of its last record; None is
    before the first. Never below 0: the end is looked up after `at` was read, and whoever is there meanwhile is not
    ahead of the journal."""
    return max(0, last_seq(directory) - (at.seq if isinstance(at, Cursor) else at or 0))


def _cut_tail(file: IO[bytes], end: int) -> int:
    """The offset just after the last LF before `end`."""
    seek, take = file.seek, file.read
    while end > 0:
        start = max(0, end - _STEP)
        seek(start)
        cut = take(end - start).rfind(b"\n")
        if cut >= 0:
            return int(start + cut + 1)
        end = start
    return 0


def cured(delivery: Delivery, max_field: int) -> Delivery:
    """`delivery` with what no store can hold replaced or cut, and marked; as it was when it holds no record at all."""
    if delivery.record is None:
        return delivery
    try:
        record = poison.cure(delivery.record, max_field)
        body = orjson.dumps(record)
    except (RecursionError, TypeError, ValueError) as error:
        delivery.problem = delivery.problem or f"cannot be made harmless: {error}"
        return delivery
    return Delivery(
        delivery.seq, delivery.hash, delivery.journal, delivery.segment, delivery.offset, record, body, "", True
    )
