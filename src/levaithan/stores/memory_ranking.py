"""How near a memory is to a question: one rule for every adapter, so that a server and a file answer in one order.

Standard library; numpy where it is there already makes it faster.
"""

from __future__ import annotations

import re
from array import array
from importlib import import_module
from operator import mul
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = re.compile(r"\w+")
MOST_WORDS = 64
FEW = 256
"""Below so many vectors, loading numpy takes longer than doing without."""


def terms(text: str) -> list[str]:
    """The words of a question, lower case, each once, the first 64."""
    return list(dict.fromkeys(_WORD.findall(text[:10_000].casefold())))[:MOST_WORDS]


def spellings(text: str) -> list[str]:
    """`terms`, and the same words in small letters only: an index need not hold that ß is ss, or that the sigma at a
    word's end is the one within it. What an index finds is then held against `terms` (see share)."""
    small = dict.fromkeys(_WORD.findall(text[:10_000].lower()))
    return list(dict.fromkeys([*terms(text), *list(small)[:MOST_WORDS]]))


def share(asked: Sequence[str], text: str) -> float:
    """The share of the words `asked` that `text` holds: 0 to 1."""
    return len(set(_WORD.findall(text.casefold())) & set(asked)) / len(asked) if asked else 0.0


def fused(alpha: float, cosine: float, words: float) -> float:
    """See roles.Memory.hybrid."""
    return alpha * max(0.0, cosine) + (1.0 - alpha) * words


def cosines(asked: array[float], vectors: Sequence[bytes]) -> list[float]:
    """The cosine of each of `vectors` (float32, of length 1) with `asked`; one of another dimension is far from all."""
    size = len(asked) * asked.itemsize
    sound = [one if len(one) == size else bytes(size) for one in vectors]
    if len(sound) >= FEW:
        try:
            np: Any = import_module("numpy")
        except ImportError:
            pass
        else:
            rows = np.frombuffer(b"".join(sound), dtype="f4").reshape(len(sound), len(asked))
            return [float(one) for one in rows @ np.frombuffer(asked, dtype="f4")]
    return [sum(map(mul, asked, memoryview(one).cast("f"))) for one in sound]
