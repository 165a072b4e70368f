"""Vectors of words alone, by feature hashing of words, pairs of words and parts of words. Standard library only.

Weinberger et al., Feature Hashing for Large Scale Multitask Learning (2009): a feature's hash gives its place and its
sign. Parts of words (n-grams of 3 to 5 characters, as in Bojanowski et al., Enriching Word Vectors with Subword
Information, 2017) bring forms of a word and misspelt ones together. It knows no synonyms: that takes a language model.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from array import array
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Sequence

DIMENSION = 512
_LONGEST = 4_000
_WORD = re.compile(r"\w{1,40}")
_PAIR = 0.5
_PARTS = 1.2
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by do for from has have i if in is it its me my no not of on or our so that the "
        "their then there these they this to was we were what when which with you your",
    )
)
"""Words that say little."""
_COMMON_WEIGHT = 0.1


class Hashing:
    """See embedding.Model."""

    name = "hashing-1"
    dimension = DIMENSION
    threaded = False

    def vectors(self, texts: Sequence[str]) -> list[array[float]]:
        """See embedding.Model."""
        return [_vector(text) for text in texts]


def _vector(text: str) -> array[float]:
    """The beginning of `text` (4,000 characters). A word's weight is 1 + ln(how often it is there)."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    words = _WORD.findall(folded) or [folded[:40]]
    made = [0.0] * DIMENSION
    for word, count in Counter(words).items():
        weight = 1.0 + math.log(count)
        for place, value in _features(word):
            made[place] += weight * value
    for one, two in set(itertools.pairwise(words)):
        if one not in _COMMON and two not in _COMMON:
            place, sign = _place(f"{one} {two}")
            made[place] += sign * _PAIR
    length = math.sqrt(math.fsum(value * value for value in made))
    if not length:
        made[0], length = 1.0, 1.0
    return array("f", [value / length for value in made])


@lru_cache(maxsize=4096)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """(place, value) of a word and its parts; the parts weigh as much together whatever the word's length."""
    weight = _COMMON_WEIGHT if word in _COMMON else 1.0
    place, sign = _place(word)
    found = [(place, sign * weight)]
    marked = f"<{word}>"
    parts = [marked[start : start + size] for size in (3, 4, 5) for start in range(len(marked) - size + 1)]
    if weight == 1.0 and parts:
        each = _PARTS / math.sqrt(len(parts))
        found += [(at, side * each) for at, side in map(_place, parts)]
    return tuple(found)


def _place(feature: str) -> tuple[int, float]:
    number = crc32(feature.encode("utf-8", "replace"))
    return number % DIMENSION, 1.0 if number >> 31 else -1.0
