"""Joins templates of events that differ in a few words into patterns. Pure; standard library only.

After Drain (He, Zhu, Zheng, Lyu: Drain: An Online Log Parsing Approach with Fixed Depth Tree, ICWS 2017): templates of
as many words with the same first words are one pattern when most of their words are the same. What varies by its form
is masked before (search_fields). The package drain3 is not used: it pins its dependencies to versions of 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ALIKE = 0.6
"""The share of words that must be the same: with less, commands of one program become one pattern."""
FIRST_WORDS = 2
"""The tool and the program that it runs are never what varies."""
WILD = "<*>"
_MOST_GROUPS_EACH = 200


class Group:
    """Templates that are one pattern: its words, the events of all, and the most frequent template."""

    __slots__ = ("count", "template", "words")

    def __init__(self, words: list[str], count: int, template: str) -> None:
        self.words = words
        self.count = count
        self.template = template

    @property
    def pattern(self) -> str:
        """The words as one text."""
        return " ".join(self.words)


def joined(templates: Iterable[tuple[str, int]]) -> list[Group]:
    """The patterns of (template, count), the most frequent first. The same for the same templates, in any order."""
    known: dict[tuple[int, tuple[str, ...]], list[Group]] = {}
    for template, count in sorted(templates, key=lambda one: (-one[1], one[0])):
        words = template.split()
        place = known.setdefault((len(words), tuple(words[:FIRST_WORDS])), [])
        best = max(place, key=lambda one: _alike(one.words, words), default=None)
        if best is not None and _alike(best.words, words) >= ALIKE:
            best.words = [one if one == other else WILD for one, other in zip(best.words, words, strict=True)]
            best.count += count
        elif len(place) < _MOST_GROUPS_EACH:
            place.append(Group(words, count, template))
    groups = [group for place in known.values() for group in place]
    return sorted(groups, key=lambda one: (-one.count, one.template))


def _alike(one: list[str], other: list[str]) -> float:
    """The share of places with the same word; a place that is wild already counts for nothing."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / (len(one) or 1)
