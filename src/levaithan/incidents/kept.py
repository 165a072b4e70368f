"""Reads what a monitor saved of its state: a file that anybody may have damaged, so every value is looked at.

What is none of it is refused as a whole: the journal, from which it was made, is folded again then.
"""

from __future__ import annotations

from typing import Any, TypeVar

DAMAGED = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
"""What a damaged value raises, wherever it is met."""
Made = TypeVar("Made")


def read(form: Any, values: Any) -> Any:
    """`values` as `form` (a dataclass, or a type of lists and dictionaries); fields that it does not know are passed
    over. Raises ValueError for what is none: an id that is no text, a number that is none."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - once, at the start of a monitor

    return TypeAdapter(form).validate_python(values)


def list_of(kind: type[Made], values: Any) -> list[Made]:
    """`values`, where it is a list of nothing but `kind`. Raises TypeError."""
    if type(values) is not list or any(type(one) is not kind for one in values):
        raise TypeError(f"no list of {kind.__name__}")
    return list(values)
