"""Takes in the scrapes: keeps of each only the series that rules read, in the banks that their windows need.

A scrape is everything at one time. A series that is in none but the ones before has ended: it has no value now. Time in
here only goes forward: when the clock was set back by more than the lookback, the time goes on from where it was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from levaithan.detectors.banks import BANKS, Bank, Column, Labels, Track
from levaithan.detectors.expression import AllSeries, Node, Over, Select, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LOOKBACK_MS = 300_000
MOST_SERIES = 20_000
_GATHERED = ("avg_over_time", "sum_over_time", "count_over_time")


class Samples:
    """What the rules' selectors find. dropped: series over the limit, never kept."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.banks = [Bank(step, keep) for step, keep in BANKS]
        self.tracks: dict[tuple[str, Labels], Track] = {}
        self.found: dict[Select, list[Track]] = {}
        self.prefixes: dict[str, int] = {}
        self.dropped = 0
        self.shift_ms = 0
        self.births = 0  # how often a series came or went
        self.written: dict[int, tuple[tuple[int, int, int], str]] = {}
        self._wanted: dict[str, list[Select]] = {}
        self._tests: dict[Select, Callable[[Labels], bool]] = {}
        self._needs: dict[str, dict[int, bool]] = {}
        for node in nodes:
            for one in walk(node):
                self._need(one)

    @property
    def newest_ms(self) -> int:
        """The time of the last scrape, -1 before the first."""
        return self.banks[0].times[-1] if self.banks[0].times else -1

    def place(self, at_s: float) -> int:
        """The time in here, milliseconds, at which something stands that is said to be at `at_s`."""
        at_ms = round(at_s * 1000)
        newest = self.newest_ms
        if self.shift_ms and at_ms > newest:
            self.shift_ms = 0  # the clock is right again
        if at_ms + self.shift_ms < newest - LOOKBACK_MS:
            self.shift_ms = newest + 1000 - at_ms
        return at_ms + self.shift_ms

    def take(self, at_s: float, series: Iterable[tuple[str, Labels, float]]) -> bool:
        """One scrape. False when it is not later than the last one (by a little: see `place`), and left out."""
        at_ms = self.place(at_s)
        if at_ms <= self.newest_ms:
            return False
        bank = self.banks[0]
        bank.times.append(at_ms)
        index, tracks, wanted = len(bank.times) - 1, self.tracks, self._wanted
        counted = dict.fromkeys(self.prefixes, 0)
        prefixes = tuple(self.prefixes)
        for name, labels, value in series:
            for prefix in prefixes:
                counted[prefix] += name.startswith(prefix)
            if name not in wanted or value != value:  # noqa: PLR0124 - NaN is no sample
                continue
            track = tracks.get((name, labels)) or self._born(name, labels, index)
            if track is not None and track.last_ms != at_ms:
                track.take(at_ms, value)
                if 0 in track.columns:
                    track.columns[0].put(index, value)
        self.prefixes = counted
        self._tick(at_ms)
        return True

    def forget(self) -> None:
        """Drop them all."""
        self.banks = [Bank(step, keep) for step, keep in BANKS]
        self.births += 1
        self.tracks.clear()
        for found in self.found.values():
            found.clear()
        self.shift_ms = 0

    def bank_for(self, span_ms: int) -> int:
        """The number of the finest bank that reaches back so far."""
        return next((number for number, bank in enumerate(self.banks) if bank.keep >= span_ms), len(self.banks) - 1)

    def adopt(self, track: Track) -> None:
        """A track that was kept before: its selectors find it again."""
        self.births += 1
        self.tracks[track.name, track.given] = track
        for select in self._wanted[track.name]:
            if self._tests[select](track.labels):
                self.found[select].append(track)

    def needs(self, name: str) -> dict[int, bool]:
        """The banks that series of this name are kept in, and whether their samples are gathered there."""
        return self._needs.get(name, {})

    def wants(self, name: str) -> bool:
        """Whether any rule reads series of this name."""
        return name in self._wanted

    def _need(self, node: Node) -> None:
        if isinstance(node, AllSeries):
            self.prefixes[node.prefix] = 0
        if isinstance(node, Over):
            number = self.bank_for(round((node.window + node.offset) * 1000))
            needs = self._needs.setdefault(node.of.name, {})
            needs[number] = needs.get(number, False) or (number > 0 and node.function in _GATHERED)
        if isinstance(node, Select) and node not in self.found:
            self.found[node] = []
            self._wanted.setdefault(node.name, []).append(node)
            self._tests[node] = test_of(node)

    def _born(self, name: str, labels: Labels, index: int) -> Track | None:
        if len(self.tracks) >= MOST_SERIES:
            self.dropped += 1
            return None
        track = Track(name, labels)
        for number, gathers in self.needs(name).items():
            track.add(number, Column(index if number == 0 else len(self.banks[number].times), gathers=gathers))
        self.adopt(track)
        return track

    def _tick(self, at_ms: int) -> None:
        """The coarse banks whose time has come take the newest values; what no window reaches is forgotten."""
        due = [(number, bank) for number, bank in enumerate(self.banks) if number and bank.due(at_ms)]
        for number, bank in due:
            bank.times.append(at_ms)
            index = len(bank.times) - 1
            for track in self.tracks.values():
                column = track.columns.get(number)
                if column is not None and track.last_ms == at_ms:
                    column.put(index, track.last)
        for number, bank in enumerate(self.banks):
            if first := bank.outdated(at_ms):
                self._forget(number, bank, first)

    def _forget(self, number: int, bank: Bank, first: int) -> None:
        del bank.times[:first]
        for track in self.tracks.values():
            if number in track.columns:
                track.columns[number].drop(first)
            if number == len(self.banks) - 1 or not track.columns:
                track.resets = [one for one in track.resets if one[0] >= bank.times[0]]
        oldest = self.newest_ms - LOOKBACK_MS
        ended = [
            key for key, track in self.tracks.items()
            if track.last_ms < oldest and not any(len(column.values) for column in track.columns.values())
        ]  # fmt: skip
        self._end(ended)

    def drop(self, over: Callable[[dict[str, str]], bool]) -> None:
        """Forget the series whose labels are `over`."""
        self._end([key for key in self.tracks if over(dict(key[1]))])

    def _end(self, ended: list[tuple[str, Labels]]) -> None:
        for key in ended:
            gone = self.tracks.pop(key)
            self.births += 1
            for select in self._wanted[gone.name]:
                if gone in self.found[select]:
                    self.found[select].remove(gone)


def test_of(select: Select) -> Callable[[Labels], bool]:
    """Whether a series' labels fit a selector's matchers; a label that is not there is the empty text."""
    exact = [(label, how == "=", value) for label, how, value in select.matchers if how in ("=", "!=")]
    forms = [(label, how == "=~", re.compile(value)) for label, how, value in select.matchers if how in ("=~", "!~")]

    def fits(labels: Labels) -> bool:
        given = dict(labels)
        return all((given.get(label, "") == value) is wanted for label, wanted, value in exact) and all(
            (form.fullmatch(given.get(label, "")) is not None) is wanted for label, wanted, form in forms
        )

    return fits
