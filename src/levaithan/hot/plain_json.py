"""JSON without the `json` package: the C scanner and encoder under it, driven directly.

Importing `json` brings `re` along and costs the one-shot path several milliseconds while Claude Code waits; the two C
functions cost nothing. Strict both ways: NaN and Infinity, which other parsers refuse, are kept as strings. Standard
library only; where `_json` is missing (another Python than CPython) `json` itself is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_BLANK = " \t\n\r"


def _number(text: str) -> float | str:
    """A float, or the text itself where a float would become Infinity and no parser could read the record again."""
    value = float(text)
    return text if value - value != 0 else value


class _Reading:
    """What the C scanner wants to know."""

    strict = False  # control characters inside strings: kept, not refused
    object_hook = None
    object_pairs_hook = None
    parse_float = staticmethod(_number)
    parse_int = int
    parse_constant = str


try:
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    _scan: Callable[[str, int], tuple[Any, int]] = make_scanner(_Reading)  # type: ignore[arg-type]
except ImportError:
    import json as _json

    _decoder = _json.JSONDecoder(parse_float=_number, parse_constant=str, strict=False)
    _encoder = _json.JSONEncoder(separators=(",", ":"), allow_nan=False)
    _scan = _decoder.raw_decode

    def dumps(value: Any) -> str:
        return _encoder.encode(value)

else:

    def _refuse(value: Any) -> Any:
        raise TypeError(f"{type(value).__name__} is no JSON")

    def dumps(value: Any) -> str:
        """`value` as compact ASCII JSON. Raises TypeError, ValueError or RecursionError for what is no JSON."""
        if type(value) is str:
            return encode_basestring_ascii(value)
        return "".join(_encode(value))

    def _encode(value: Any) -> Any:
        return make_encoder({}, _refuse, encode_basestring_ascii, None, ":", ",", False, False, False)(value, 0)


def loads(data: bytes | str) -> Any:
    """The value of a whole JSON text; of equal keys the last counts. Raises ValueError or RecursionError."""
    text = data if isinstance(data, str) else data.decode("utf-8")
    at, size = 0, len(text)
    while at < size and text[at] in _BLANK:
        at += 1
    try:
        value, end = _scan(text, at)
    except StopIteration as stop:
        raise ValueError(f"a value is expected at character {stop.value}") from None
    except SystemError:  # the scanner wants to raise json.JSONDecodeError, and json is not loaded
        raise ValueError(_explain(text, at)) from None
    while end < size and text[end] in _BLANK:
        end += 1
    if end != size:
        raise ValueError(f"something follows the value at character {end}")
    return value


def _explain(text: str, at: int) -> str:
    """In words, where JSON that the scanner refused goes wrong; only then is `json` worth its import."""
    from json import JSONDecoder

    try:
        JSONDecoder(strict=False).raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        return str(error)
    return "it cannot be read"
