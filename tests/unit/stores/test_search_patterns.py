"""Words, templates and patterns: what every search adapter makes of a record."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.stores import patterns
from levaithan.stores.elastic_documents import place, position
from levaithan.stores.search_fields import LONGEST_TEMPLATE, fields_of, template_of
from levaithan.stores.search_words import words_of


@pytest.mark.parametrize(
    ("said", "template"),
    [
        ("Bash\nsleep 5", "Bash sleep <number>"),
        ("Bash\ncat /etc/hosts ./a/b.py ~/x", "Bash cat <path> <path> <path>"),
        ('Bash\ngit commit -m "fix the thing" --amend', "Bash git commit -m <text> --amend"),
        ("curl https://a.example/x?y=1 -o out", "curl <url> -o out"),
        ("show 4f9a2b7c1d and 123e4567-e89b-12d3-a456-426614174000", "show <hex> and <id>"),
        ("don't stop, isn't it", "don't stop, isn't it"),
        ("a b c d e f g h i j", "a b c d e f g h"),
        ("   \n\t", "Stop"),
        ("nul\0 \udcff x", "nul  ? x"),
    ],
)
def test_a_template_keeps_what_is_always_there(said: str, template: str) -> None:
    assert template_of(said, {"event": "Stop"}) == template


@given(st.text())
def test_any_text_has_a_template_that_a_store_can_hold(said: str) -> None:
    made = template_of(said, {})
    assert len(made) <= LONGEST_TEMPLATE
    assert "\0" not in made
    made.encode()


def test_templates_that_differ_in_a_few_words_are_one_pattern_in_any_order() -> None:
    templates = [(f"Bash git push origin branch{chr(97 + n)}", n + 1) for n in range(20)]
    templates += [("Bash git status --short", 50), ("Read <path>", 7), ("Bash npm run build now", 3)]
    expected = [("Bash git push origin <*>", 210), ("Bash git status --short", 50), ("Read <path>", 7),
                ("Bash npm run build now", 3)]  # fmt: skip
    for seed in range(5):
        random.Random(seed).shuffle(templates)
        found = patterns.joined(templates)
        assert [(one.pattern, one.count) for one in found] == expected
        assert found[0].template == "Bash git push origin brancht", "the most frequent stands for all"


def test_fields_that_are_no_text_are_left_out() -> None:
    record = {"event": "Stop", "tool_name": 7, "decision": "", "rule": None, "session_id": ["x"], "project": "p" * 900}
    assert fields_of(record) == {"event": "Stop", "project": "p" * 512}


@given(st.text())
def test_words_are_stable_and_hold_no_separator(text: str) -> None:
    words = words_of(text)
    assert words_of(words) == words
    assert words == " ".join(words.split())


@given(st.integers(0, 1 << 57), st.integers(0, (1 << 31) - 1), st.integers(0, (1 << 62)))
def test_a_position_is_its_place_again(at_us: int, lane: int, seq: int) -> None:
    assert place(position(at_us, lane, seq)) == [at_us, lane, seq]
