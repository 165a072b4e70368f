"""The two models of the memory: what they bring together, that they are the same each time, and what is refused."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levaithan.errors import NotConfigured
from levaithan.stores import embedding, embedding_int8, embedding_minilm, memory_ranking
from levaithan.stores.embedding_hashing import Hashing

LANGUAGE_MODEL = pytest.mark.usefixtures("language_model")


def cosine(one: array[float], two: array[float]) -> float:
    return memory_ranking.cosines(one, [two.tobytes()])[0]


@given(st.text(min_size=1, max_size=200))
@settings(deadline=None)
def test_any_text_has_a_vector_of_length_one_and_always_the_same(text: str) -> None:
    (first,), (again,) = Hashing().vectors([text]), Hashing().vectors([text])
    assert len(first) == Hashing.dimension
    assert math.isclose(sum(value * value for value in first), 1.0, abs_tol=1e-5)
    assert first == again


def test_hashing_does_not_depend_on_the_process() -> None:
    code = (
        "from levaithan.stores.embedding_hashing import Hashing\n"
        "print(Hashing().vectors(['fix the login'])[0].tobytes().hex())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_hashing_brings_forms_of_a_word_together() -> None:
    one, two, other = Hashing().vectors(["fixing failed tests", "fix the failing test", "chocolate cake recipe"])
    assert cosine(one, two) > 2 * abs(cosine(one, other))
    assert cosine(one, two) > 0.25


@pytest.mark.parametrize("count", [1, 1000])
def test_cosines_are_the_same_with_and_without_numpy(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = Hashing().vectors([f"text number {n} of many" for n in range(count)])
    blobs = [one.tobytes() for one in vectors]
    blobs[0] = b"short"
    fast = memory_ranking.cosines(vectors[-1], blobs)
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert memory_ranking.cosines(vectors[-1], blobs) == pytest.approx(fast, abs=1e-5)
    assert fast[0] == 0.0


@LANGUAGE_MODEL
def test_the_language_model_knows_that_two_sentences_mean_the_same() -> None:
    made = embedding_minilm.MiniLM()
    one, two, other = made.vectors(
        ["How do I fix the flaky login test?", "The sign-in check fails now and then; repair it", "Bake a cake"]
    )
    assert len(one) == made.dimension
    assert cosine(one, one) == pytest.approx(1.0, abs=1e-4)
    assert cosine(one, two) > 0.4 > 0.2 > cosine(one, other)
    texts = ["short", "word " * 5000, "🍰", "\n", *(f"text {n}" for n in range(20))]
    alone = [made.vectors([text])[0] for text in texts]
    together = made.vectors(texts)
    assert alone == together, "a vector does not depend on its neighbours"


TEXTS = (
    "fix the flaky login test", "the sign-in check fails now and then", "repair the authentication test",
    "bake a chocolate cake", "a recipe for apple pie", "add an index to the events table",
    "the query on the events table is slow", "migrate the database to the new schema", "roll back the last migration",
    "write the changelog for this release", "publish version 2.0 to the registry", "tag the release and push it",
    "delete unused imports", "format the code with ruff", "the linter complains about line length", "🍰", "ok",
    "TypeError: cannot unpack non-iterable NoneType object", "Traceback in the payment worker: connection reset",
    "please look at why the login test fails on main after we changed how sessions are stored " * 6,
)  # fmt: skip


@LANGUAGE_MODEL
def test_whole_numbers_mean_what_the_model_means_as_it_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against the same model with products of floats: each vector nearly the same, each neighbour the same."""
    fast = embedding_minilm.MiniLM().vectors(TEXTS)
    monkeypatch.setattr(embedding_minilm, "whole_numbers", lambda model: model)
    exact = embedding_minilm.MiniLM().vectors(TEXTS)
    assert fast != exact
    assert min(map(cosine, fast, exact)) > 0.98

    def nearest(made: list[array[float]], number: int) -> int:
        others = [one for one in range(len(made)) if one != number]
        return max(others, key=lambda other: cosine(made[number], made[other]))

    clear = [one for one in range(len(TEXTS)) if _lead(exact, one) > 0.05]
    assert len(clear) >= 8
    assert [nearest(fast, one) for one in clear] == [nearest(exact, one) for one in clear]


def _lead(made: list[array[float]], number: int) -> float:
    """By how much the nearest of the others is nearer than the one after it."""
    near = sorted(cosine(made[number], other) for at, other in enumerate(made) if at != number)
    return near[-1] - near[-2]


@LANGUAGE_MODEL
def test_a_model_that_is_built_otherwise_is_refused() -> None:
    twice = embedding_int8.whole_numbers(embedding_minilm.checked("model"))
    with pytest.raises(ValueError, match="2 of its products"):
        embedding_int8.whole_numbers(twice)


@LANGUAGE_MODEL
def test_the_runtime_tells_nobody_of_its_use_and_leaves_no_id(tmp_path: Path) -> None:
    program = "from levaithan.stores import embedding; embedding.model('minilm').vectors(['loaded'])"
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=60)
    assert [str(one) for one in tmp_path.rglob("*") if one.is_file()] == []


@LANGUAGE_MODEL
def test_another_file_than_the_one_we_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "somebody"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('it is never imported')")
    (package / "model.onnx").write_bytes(b"not the model")
    monkeypatch.syspath_prepend(str(tmp_path))
    known = embedding_minilm._FILES["model"]
    monkeypatch.setitem(embedding_minilm._FILES, "model", ("somebody", *known[1:]))
    with pytest.raises(NotConfigured, match="sha256") as caught:
        embedding_minilm.MiniLM().vectors(["x"])
    assert "levaithan[memory]" in str(caught.value.fix)


def test_the_setting_chooses_and_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedding.model("hashing").name == "hashing-1"
    found: dict[str, Any] = {"onnxruntime": None}
    real = embedding.util.find_spec
    monkeypatch.setattr(embedding.util, "find_spec", lambda name: found[name] if name in found else real(name))
    assert embedding.model("auto").name == "hashing-1"
    with pytest.raises(NotConfigured, match="onnxruntime") as caught:
        embedding.model("minilm")
    assert "levaithan[memory]" in str(caught.value.fix)
    monkeypatch.setattr(embedding.util, "find_spec", lambda _name: object())
    assert embedding.model("auto").name == embedding.model("minilm").name == "minilm-l6-v2-int8"


def test_the_vector_of_equal_texts_is_made_once() -> None:
    asked = []

    class Counted(Hashing):
        def vectors(self, texts: Sequence[str]) -> list[array[float]]:
            asked.append(list(texts))
            return super().vectors(texts)

    model = Counted()
    assert embedding.of_each(model, ["go on", "stop", "go on"]) == Hashing().vectors(["go on", "stop", "go on"])
    assert asked == [["go on", "stop"]]
    assert embedding.of_each(model, []) == []
    assert len(asked) == 1
