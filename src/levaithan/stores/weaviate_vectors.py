"""Equal vectors are kept a little apart in Weaviate, and what that adds to scores is taken away.

People say "continue" a thousand times, and a vector is made of the text alone. To an HNSW graph, equal vectors are the
worst there is: each new one is weighed against all the neighbours that the others share. Measured on Weaviate 1.35, two
cores: 490 objects a second of one text, 1,580 of different ones, and 1,760 of one text whose vectors are apart like
this.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import shake_256
from math import hypot
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from levaithan.stores.roles.memory import Remembered

APART = 0.005
"""The length of the step by which a vector of length 1 is moved. A fifth of it is too little to help (820 a second)."""
_MIDDLE = 127.5
_SPREAD = 73.9
"""The standard deviation of a byte: the square root of (256 ** 2 - 1) / 12."""


def apart(vector: Sequence[float], record: str) -> list[float]:
    """`vector` (of length 1), turned by about APART in a direction made of the record's id, so that a record put
    twice has one vector. A cosine with another vector changes by APART / sqrt(dimension) as a rule."""
    step = APART / (_SPREAD * max(1, len(vector)) ** 0.5)
    noise = shake_256(record.encode("utf-8", "surrogatepass")).digest(len(vector))
    moved = [value + (byte - _MIDDLE) * step for value, byte in zip(vector, noise, strict=True)]
    length = hypot(*moved) or 1.0
    return [value / length for value in moved]


def near_zero(cosine: float) -> float:
    """A measured cosine; one below APART, which may be of the steps alone, is 0."""
    return 0.0 if abs(cosine) < APART else cosine


def level(found: Iterable[Remembered]) -> list[Remembered]:
    """`found` with one score for equal texts, which differ by the steps apart only, so that they can be put in order.
    Which of them the server gives, where there are more than it is asked for, is chance, as it is of equal vectors."""
    made = list(found)
    best: dict[str, float] = {}
    for one in made:
        best[one.text] = max(best.get(one.text, -1.0), one.score or 0.0)
    return [replace(one, score=best[one.text]) for one in made]
