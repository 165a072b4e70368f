"""The steps that keep equal vectors apart in Weaviate: small, the same each time, and seen by nobody who asks."""

from __future__ import annotations

import math

import pytest

from levaithan.stores import embedding
from levaithan.stores.weaviate_vectors import APART, Question, apart


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.hypot(*one) / math.hypot(*other)


def test_equal_vectors_are_apart_and_a_record_has_one() -> None:
    (vector,) = embedding.model("hashing").vectors(["continue with the next step of the plan"])
    made = [apart(vector, f"{number:032x}") for number in range(300)]
    assert apart(vector, f"{7:032x}") == made[7]
    for one in made:
        assert math.dist(one, vector) == pytest.approx(APART, rel=0.15)
        assert math.hypot(*one) == pytest.approx(1.0, abs=1e-9), "a product of two is their cosine"
    distances = [math.dist(made[0], one) for one in made[1:]]
    assert min(distances) > APART, "some are as good as equal"
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


def test_equal_texts_are_equally_near_to_a_question() -> None:
    question = Question(embedding.model("hashing"), "mend the parser")
    near = question.cosines(["mend the parser", "bake bread", "mend the parser", "Mend, the parser!"])
    assert near[0] == near[2] == near[3] == pytest.approx(1.0, abs=1e-6)
    assert near[1] == pytest.approx(0.0, abs=0.2)
    assert question.cosines([]) == []
