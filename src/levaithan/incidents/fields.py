"""What a record's fields are taken as: bounded, of the right type, never an exception. A record may be anybody's."""

from __future__ import annotations

import math
from typing import Any

from levaithan.stores.search_fields import clean
from levaithan.stores.times import Times

LONGEST_NAME = 256
MOST_LABELS = 32
_FAR_S = 253_402_300_799.0


def text(value: Any, longest: int = LONGEST_NAME) -> str:
    """A text without NUL and lone surrogates, cut; "" for whatever else."""
    return clean(value)[:longest].strip() if type(value) is str else ""


def number(value: Any, default: float = 0.0) -> float:
    """A finite number; `default` for whatever else."""
    if type(value) not in (int, float):
        return default
    try:
        found = float(value)
    except OverflowError:
        return default
    return found if math.isfinite(found) else default


def maybe(value: Any) -> float | None:
    """A finite number or None."""
    found = number(value, math.nan)
    return None if math.isnan(found) else found


def seconds(value: Any, default: float = 0.0) -> float:
    """Unix seconds of a time that can be written down."""
    return min(max(number(value, default), 0.0), _FAR_S)


def moment(value: Any) -> float | None:
    """A record's `at` (ISO 8601, UTC) in seconds; None where it is none."""
    if type(value) is not str:
        return None
    try:
        found = Times().us(value) / 1e6
    except (ValueError, TypeError, OverflowError):
        return None
    return found if abs(found) <= _FAR_S else None


def labels(value: Any) -> dict[str, str]:
    """Labels: at most 32 of texts."""
    if type(value) is not dict:
        return {}
    found = {text(name, 128): text(said) for name, said in list(value.items())[:MOST_LABELS]}
    return {name: said for name, said in found.items() if name}


def counts(value: Any, most: int = MOST_LABELS) -> dict[str, int]:
    """Names with whole numbers."""
    if type(value) is not dict:
        return {}
    return {text(name): int(number(said)) for name, said in list(value.items())[:most] if text(name)}


def numbers(value: Any, most: int) -> dict[str, float]:
    """Names with numbers."""
    if type(value) is not dict:
        return {}
    return {text(name): number(said) for name, said in list(value.items())[:most] if text(name)}


def texts(value: Any, most: int = MOST_LABELS) -> list[str]:
    """A list of texts, without the empty ones."""
    if type(value) is not list:
        return []
    return [found for one in value[:most] if (found := text(one))]
