"""The steps that keep equal vectors apart in Weaviate: small, the same each time, and seen by nobody who asks."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from levaithan.stores import embedding
from levaithan.stores.weaviate_vectors import APART, DIMENSIONS, Question, apart


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.hypot(*one) / math.hypot(*other)


def test_equal_vectors_are_apart_and_a_record_has_one() -> None:
    (vector,) = embedding.model("hashing").vectors(["continue with the next step of the plan"])
    made = [apart(vector, f"{number:032x}") for number in range(300)]
    assert apart(vector, f"{7:032x}") == made[7]
    steps = [math.dist(one, vector) for one in made]
    assert sum(steps) / len(steps) == pytest.approx(APART, rel=0.1)
    assert APART / 4 < min(steps) < max(steps) < APART * 2
    for one in made:
        assert math.hypot(*one) == pytest.approx(1.0, abs=1e-9), "a product of two is their cosine"
    distances = [math.dist(one, other) for one, other in combinations(made, 2)]
    assert min(distances) > APART / 10, "some are as good as equal"
    assert sum(distances) / len(distances) > APART
    assert min(cosine(made[0], one) for one in made) > 1 - 1e-4


def test_a_cosine_hardly_changes() -> None:
    model = embedding.model("hashing")
    asked, close, far = (list(one) for one in model.vectors(["mend the parser", "mend a parser", "bake bread"]))
    for other in (close, far):
        changes = [abs(cosine(asked, apart(other, str(number))) - cosine(asked, other)) for number in range(300)]
        assert max(changes) < APART / 3


@pytest.mark.parametrize("record", ["", "\ud800", "é" * 500])
def test_any_id_and_any_dimension(record: str) -> None:
    assert apart([], record) == []
    assert len(apart([1.0, 0.0], record)) == 2
    for dimension in (7, 8, 9, 256, 384):
        (moved,) = [apart([dimension**-0.5] * dimension, record)]
        assert len(moved) == dimension
        assert 0 < len({round(value, 9) for value in moved}) - 1 <= DIMENSIONS, "a few are moved, the others alike"


def test_equal_texts_are_equally_near_to_a_question() -> None:
    question = Question(embedding.model("hashing"), "mend the parser")
    near = question.cosines(["mend the parser", "bake bread", "mend the parser", "Mend, the parser!"])
    assert near[0] == near[2] == near[3] == pytest.approx(1.0, abs=1e-6)
    assert near[1] == pytest.approx(0.0, abs=0.2)
    assert question.cosines([]) == []
