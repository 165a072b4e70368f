"""Equal vectors are kept a little apart in Weaviate, and no score shows it.

People say "continue" a thousand times, and a vector is made of the text alone. To an HNSW graph, equal vectors are the
worst there is: each new one is weighed against all the neighbours that the others share. So each is turned a little,
in a few dimensions only: points that are spread in all of 256 have no near neighbours, and the graph looks at nearly
all of them.

Measured on Weaviate 1.35, two cores: 490 objects a second of one text, 1,580 of different ones, 1,760 of one text whose
vectors are apart. Of 11,000 of two texts the server needs 1.05 ms each where they are apart in eight dimensions, 1.62
where they are in all, and for the last 2,500 of them 1.2 and 2.1.
"""

from __future__ import annotations

from hashlib import shake_256
from math import hypot
from typing import TYPE_CHECKING

from levaithan.stores import memory_ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.stores.embedding import Model

APART = 0.005
"""The length of the step by which a vector of length 1 is moved. A fifth of it is too little to help (820 a second)."""
DIMENSIONS = 8
"""In so many of its dimensions, evenly spread."""
_MIDDLE = 127.5
_SPREAD = 73.9
"""The standard deviation of a byte: the square root of (256 ** 2 - 1) / 12."""


def apart(vector: Sequence[float], record: str) -> list[float]:
    """`vector` (of length 1), turned by about APART in a direction made of the record's id, so that a record put
    twice has one vector."""
    moved = list(vector)
    places = range(0, len(moved), max(1, len(moved) // DIMENSIONS))[:DIMENSIONS]
    step = APART / (_SPREAD * max(1, len(places)) ** 0.5)
    noise = shake_256(record.encode("utf-8", "surrogatepass")).digest(len(places))
    for place, byte in zip(places, noise, strict=True):
        moved[place] += (byte - _MIDDLE) * step
    length = hypot(*moved) or 1.0
    return [value / length for value in moved]


class Question:
    """A text that is asked, and its vector. The server finds the candidates by it; how near they are is told by the
    model, for what is stored is turned."""

    def __init__(self, model: Model, text: str) -> None:
        self.text = text
        (self.vector,) = model.vectors([text])
        self._model = model

    def cosines(self, texts: Sequence[str]) -> list[float]:
        """The cosine of the vector of each of `texts` with the question's: equal texts are equally near."""
        once = list(dict.fromkeys(texts))
        made = [one.tobytes() for one in self._model.vectors(once)] if once else []
        known = dict(zip(once, memory_ranking.cosines(self.vector, made), strict=True))
        return [known[text] for text in texts]
