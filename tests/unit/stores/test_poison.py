"""What no store can hold: found, named, cured."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.stores import poison

LIMIT = 2000


def said(record: dict[str, Any]) -> str:
    body = json.dumps(record).encode()
    found, problem = poison.parse(body)
    return problem or poison.problem(body, found or {}, LIMIT)


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({"a": "fine \u2400 \\u0000"}, ""),
        ({"a": "literally \\\\u0000"}, ""),
        ({"a": ["x", {"b": "\0"}]}, "NUL in a[].b"),
        ({"a": "\ud800"}, "text with a lone surrogate"),
        ({"a": "😀"}, ""),
        ({"a": "x" * LIMIT}, ""),
        ({"a": "x" * (LIMIT + 1)}, f"a has {LIMIT + 1} bytes, over the limit of {LIMIT}"),
        ({"a": "é" * (LIMIT // 2 + 1)}, f"a has {LIMIT + 2} bytes"),
        ({"a": {"x" * (LIMIT + 1): 1}}, "a key of a has"),
    ],
)
def test_what_is_wrong_is_named(record: dict[str, Any], wanted: str) -> None:
    assert said(record).startswith(wanted) if wanted else said(record) == ""


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"", "not JSON"), (b"{", "not JSON"), (b"[]", "not a JSON object"), (b"7", "not a JSON object"),
        (b'{"a": "\xff"}', "invalid UTF-8 at byte 7"), (b"\xff", "not JSON"), (b'{"a": NaN}', "not JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_record_is_said_and_never_raises(body: bytes, wanted: str) -> None:
    assert wanted in poison.parse(body)[1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(), json_values))
def test_a_cured_record_is_never_poison(record: dict[str, Any]) -> None:
    cured = poison.cure(record, LIMIT)
    body = orjson.dumps(cured)
    found, problem = poison.parse(body)
    assert problem == ""
    assert poison.problem(body, found or {}, LIMIT) == ""


healthy = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=400)


@given(st.dictionaries(healthy, healthy))
def test_a_healthy_record_is_not_changed(record: dict[str, Any]) -> None:
    assert poison.cure(record, LIMIT) == record


def test_the_cure_in_detail() -> None:
    cured = poison.cure({"nul": "a\0b", "lone": "a\udcffb", "pair": "\ud83d\ude00", "long": "é" * LIMIT}, LIMIT)
    assert cured["nul"] == "a\u2400b"
    assert cured["lone"] == "a\ufffdb"
    assert cured["pair"] == "😀"
    assert cured["long"].endswith("]")
    assert f"… [cut: {2 * LIMIT} bytes, sha256 " in cured["long"]
    assert len(cured["long"].encode()) <= LIMIT
