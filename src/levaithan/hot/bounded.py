"""A record as redacted JSON bytes of bounded size, whatever strange values the input had.

Standard library only.
"""

from __future__ import annotations

from levaithan.hot.plain_json import dumps as plain_dumps
from levaithan.hot.redact import encode_redacted, redact_text
from levaithan.hot.sha256 import pick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_HEAD = 4096
_MARGIN = 512
_DEEPEST = 200
_CUTS = (1 << 20, 64 << 10, 4 << 10, 256)


def head(text: str, keep: int) -> str:
    """The first `keep` characters, redacted before the cut: half a secret would no longer be recognized."""
    window = text[: 2 * keep + _MARGIN]
    clean = redact_text(window)[0]
    if len(window) < len(text):
        clean = clean[: max(len(clean) - _MARGIN, 0)]  # its own end may be half a secret
    return clean[:keep]


def short(text: str, keep: int) -> str:
    """`text` itself when it has at most `keep` characters, else its head."""
    return text if len(text) <= keep else head(text, keep)


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of `data` in hex."""
    digest: str = pick(len(data))(data).hexdigest()
    return digest


def encode(record: dict[str, Any], dumps: Callable[[Any], Any], size: int, most: int) -> bytes:
    """`record` redacted, as JSON bytes of at most about `most`; `size` is the length of the input it came from.

    Long strings are cut, the longest first, and marked {"_cut": bytes, "sha256", "head"}. Never raises on data.
    """
    if size > most:
        record = cut(record, _CUTS[0])
    body = _encode(record, dumps)
    for longest in _CUTS:
        if len(body) <= most:
            return body
        record = cut(record, longest)
        body = _encode(record, dumps)
    if len(body) > most:
        whole = plain_dumps(record.get("payload")).encode()
        record = dict(record, payload={"_cut": len(whole), "sha256": sha256_hex(whole)}, hooks=[])
        body = _encode(record, dumps)
    return body


def _encode(record: dict[str, Any], dumps: Callable[[Any], Any]) -> bytes:
    """As it is; else by the slower encoder, which bears lone surrogates; else with what is no JSON made into text."""
    for given, how in ((record, dumps), (record, plain_dumps)):
        try:
            return _counted(given, how)
        except (TypeError, ValueError, RecursionError, UnicodeError):
            continue
    return _counted(_plain(record), plain_dumps)


def _counted(record: dict[str, Any], dumps: Callable[[Any], Any]) -> bytes:
    body, redactions = encode_redacted(record, dumps)
    if redactions:
        return body[:-1] + b',"redactions":%d}' % redactions
    return body


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """A copy that any encoder takes: numbers no JSON has as text, and what lies too deep as a mark."""
    top: list[Any] = [None]
    todo: list[tuple[Any, Any, Any, int]] = [(top, 0, record, 0)]
    while todo:
        holder, place, value, depth = todo.pop()
        if isinstance(value, dict) and depth < _DEEPEST:
            copy: dict[str, Any] = dict.fromkeys(map(str, value))  # keeps their order
            holder[place] = copy
            todo.extend((copy, str(key), inner, depth + 1) for key, inner in value.items())
        elif isinstance(value, (list, tuple)) and depth < _DEEPEST:
            holder[place] = items = [None] * len(value)
            todo.extend((items, index, inner, depth + 1) for index, inner in enumerate(value))
        elif _is_plain(value):
            holder[place] = value
        else:
            holder[place] = "too deep" if isinstance(value, (dict, list, tuple)) else repr(value)[:_HEAD]
    copied: dict[str, Any] = top[0]
    return copied


def _is_plain(value: object) -> bool:
    """Whether every JSON parser reads `value` back."""
    if isinstance(value, float):
        return value - value == 0
    return value is None or isinstance(value, (str, bool)) or (isinstance(value, int) and abs(value) < 1 << 63)


def cut(record: dict[str, Any], longest: int) -> dict[str, Any]:
    """A copy of `record` with every string longer than `longest` characters replaced by its mark."""
    top: list[Any] = [None]
    todo: list[tuple[Any, Any, Any]] = [(top, 0, record)]
    while todo:
        holder, place, value = todo.pop()
        if type(value) is dict:
            copy: dict[str, Any] = {}
            holder[place] = copy
            for key, inner in value.items():
                short = key if len(key) <= longest else head(key, min(longest, _HEAD))
                copy[short] = None
                todo.append((copy, short, inner))
        elif type(value) is list:
            holder[place] = items = [None] * len(value)
            todo.extend((items, index, inner) for index, inner in enumerate(value))
        elif type(value) is str and len(value) > longest:
            data = value.encode("utf-8", "surrogatepass")
            holder[place] = {"_cut": len(data), "sha256": sha256_hex(data), "head": head(value, min(longest, _HEAD))}
        else:
            holder[place] = value
    copied: dict[str, Any] = top[0]
    return copied
