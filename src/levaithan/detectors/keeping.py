"""The evaluator's state as something JSON-able, and back: the samples as one compressed text, the alerts beside it.

A state is read with suspicion, for it may be of another version, of other rules, or half a file: what does not fit
whole is left alone, and the evaluator begins anew.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
import zlib
from array import array
from typing import TYPE_CHECKING, Any

from levaithan.detectors.active import FIRING, PENDING, Active
from levaithan.detectors.banks import BANKS, Column, Track

if TYPE_CHECKING:
    from levaithan.detectors.evaluator import Evaluator
    from levaithan.detectors.samples import Samples

VERSION = 1
_LEVEL = 1
_MOST_BYTES = 1 << 28


def dump(evaluator: Evaluator) -> dict[str, Any]:
    """See Evaluator.dump."""
    samples = evaluator.samples
    tracks = [_track(track) for track in samples.tracks.values()]
    return {
        "version": VERSION,
        "order": sys.byteorder,
        "banks": [[*shape, len(bank.times)] for shape, bank in zip(BANKS, samples.banks, strict=True)],
        "tracks": base64.b64encode(zlib.compress(json.dumps(tracks).encode(), _LEVEL)).decode(),
        "samples": [_bank(samples, number) for number in range(len(BANKS))],
        "shift_ms": samples.shift_ms,
        "evaluated_ms": evaluator.evaluated_ms,
        "active": [
            [alert, [list(pair) for pair in labels], one.since_ms, one.value, one.state, one.keep_ms]
            for alert, active in evaluator.active.items()
            for labels, one in active.items()
        ],
    }


def _bank(samples: Samples, number: int) -> str:
    """The times and all columns of a bank as a text. A coarse one changes seldom, and is made again only then."""
    bank = samples.banks[number]
    state = (samples.births, bank.times[-1] if bank.times else 0, len(bank.times))
    if number in samples.written and samples.written[number][0] == state:
        return samples.written[number][1]
    arrays: list[array[float]] = [array("d", bank.times)]
    for track in samples.tracks.values():
        column = track.columns.get(number)
        if column is not None:
            arrays.append(column.values)
            if column.sums is not None and column.counts is not None:
                arrays += [column.sums, column.counts]
    blob = zlib.compress(b"".join(one.tobytes() for one in arrays), _LEVEL)
    samples.written[number] = (state, base64.b64encode(blob).decode())
    return samples.written[number][1]


def load(evaluator: Evaluator, state: dict[str, Any]) -> bool:
    """See Evaluator.load."""
    samples = evaluator.samples
    try:
        if state["version"] != VERSION or state["order"] != sys.byteorder:
            return False
        if [tuple(bank[:2]) for bank in state["banks"]] != list(BANKS):
            return False
        numbers = [Numbers(one) for one in state["samples"]]
        times = [[int(t) for t in of.next(bank[2])] for bank, of in zip(state["banks"], numbers, strict=True)]
        tracks = [_read(row, numbers, samples) for row in json.loads(_unpacked(state["tracks"]))]
        active = {rule.alert: dict[Any, Active]() for rule in evaluator.rules}
        for alert, pairs, since, value, word, keep in state["active"]:
            if word not in (PENDING, FIRING):
                return False
            if alert in active:
                labels = tuple((str(name), str(of)) for name, of in pairs)
                active[alert][labels] = Active(int(since), float(value), word, int(keep))
        shift, evaluated = int(state["shift_ms"]), int(state["evaluated_ms"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, EOFError, binascii.Error, zlib.error):
        return False
    for bank, kept in zip(samples.banks, times, strict=True):
        bank.times = kept
    for track in tracks:
        if track is not None:
            samples.adopt(track)
    evaluator.active, evaluator.evaluated_ms, samples.shift_ms = active, evaluated, shift
    return True


class Numbers:
    """All arrays of a bank, one after the other."""

    def __init__(self, words: str) -> None:
        self._every = array("d")
        self._every.frombytes(_unpacked(words))
        self._at = 0

    def next(self, count: int) -> array[float]:
        """The next `count` of them. Raises ValueError when they are not there."""
        if not 0 <= count <= len(self._every) - self._at:
            raise ValueError("there are fewer numbers than it says")
        self._at += count
        return self._every[self._at - count : self._at]


def _unpacked(words: str) -> bytes:
    stream = zlib.decompressobj()
    data = stream.decompress(base64.b64decode(words, validate=True), _MOST_BYTES)
    if stream.unconsumed_tail or not stream.eof:
        raise ValueError("it is too long, or cut off")
    return data


def _track(track: Track) -> list[Any]:
    columns = [
        [number, column.start, len(column.values), column.sums is not None, column.holes, column.total, column.count]
        for number, column in track.columns.items()
    ]
    last = None if track.last != track.last else track.last
    return [track.name, track.given, last, track.last_ms, track.resets, columns]


def _read(row: list[Any], numbers: list[Numbers], samples: Samples) -> Track | None:
    """One series; None when no rule reads it any more, its numbers passed over."""
    name, pairs, last, last_ms, resets, columns = row
    track = Track(str(name), tuple((str(label), str(value)) for label, value in pairs))
    track.last, track.last_ms = float("nan") if last is None else float(last), int(last_ms)
    track.resets = [(int(at), float(lost)) for at, lost in resets]
    needs = samples.needs(track.name)
    for number, start, length, gathers, holes, total, count in columns:
        column = Column(int(start), gathers=bool(gathers))
        own = numbers[int(number)]
        column.values, column.holes = own.next(length), bool(holes)
        if gathers:
            column.sums, column.counts = own.next(length), own.next(length)
        column.total, column.count = float(total), float(count)
        if needs.get(int(number)) == bool(gathers):
            track.add(int(number), column)
    if not samples.wants(track.name):
        return None
    for number, gathers in needs.items():
        if number not in track.columns:
            track.add(number, Column(0, gathers=gathers))
    return track
