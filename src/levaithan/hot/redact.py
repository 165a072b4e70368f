"""Takes secrets out of everything before it reaches a disk: journal, logs and error messages all go through here.

Almost no event holds a secret, so a record is encoded first and a cheap gate looks at the encoded bytes; only when
that rings are the strings walked, each with the patterns (secret_rows.py) whose needle it holds, and the record
encoded anew. Because the gate sees re-encoded text, an escape such as \\u0041KIA... cannot hide a secret.

What is found becomes `[redacted:<kind>]`; all other text stays. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.secret_rows import ROWS, endings, rows_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from levaithan.hot.secret_rows import Row

_SEPARATORS = bytes(95 if byte in b"-." else byte for byte in range(256))
_LAST_THREE = slice(-3, None)
_KNOWN_KEYS: dict[str, tuple[str, int]] = {}
_MOST_KNOWN, _LONGEST_KNOWN = 1024, 64
_ENDINGS = endings()
_NOT_CAPITALS = bytes(byte for byte in range(256) if not 65 <= byte <= 90 and byte != 126)
_CAPITALS = ("AKIA", "ASIA", "ABIA", "AI", "AKC", "ATATT", "ATBB", "LTAI", "AA", "Q~", "SK")
_ESCAPES = (
    r"(?:\x1b|\\x1b|\\033|\\u001b|\\e)\[[0-9;]{0,12}[A-Za-z]"
    r"|\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-7]{3}|[nrtbfv])|%[0-9A-Fa-f]{2}"
)
"""Colours of a terminal; escapes of JSON, C and URLs as they stand in a text that was escaped once more."""
_KEPT = b"kywpsdcbuhljrta"
_NOT_KEPT = bytes(byte for byte in range(256) if byte not in _KEPT)
_WORDS = [
    (bytes(byte for byte in word if byte in _KEPT).decode(), word)
    for word in (
        b"key",
        b"token",
        b"bearer",
        b"pass",
        b"pwd",
        b"secret",
        b"auth",
        b"cred",
        b"basic ",
        b"curl",
        b"mysql",
        b"ified by",
        b"eyj",
        b"dapi",
        b"airtable",
        b"ops_pat",
        b"resend",
        b"cookie:",
        b"docker log",
        b"redis-cli",
        b"openssl",
    )
]
"""Words that a secret stands beside, each with what is left of it when only the letters of _KEPT are kept: looking for
that in the little that is left of a record is ten times as fast as looking for the word in all of it."""
_REAL = (b"AKIA", b"ASIA", b"ABIA", b"AIza", b"AKCp", b"ATATT3", b"ATBB", b"LTAI", b":AA", b"Q~", b"EAA")


def encode_redacted(record: dict[str, Any], dumps: Callable[[Any], str | bytes]) -> tuple[bytes, int]:
    """`record` as JSON bytes without secrets, and how many were taken out. `record` itself is not changed.

    `dumps` makes JSON of a dict (json.dumps or orjson.dumps); what it raises is passed on.
    """
    encoded = _encode(record, dumps)
    if not suspicious(encoded):
        return encoded, 0
    clean, count = redact_tree(record, rows_in(encoded.decode("latin-1")))
    return (_encode(clean, dumps), count) if count else (encoded, 0)


def redact_text(text: str, rows: Sequence[Row] = ROWS) -> tuple[str, int]:
    """`text` without its secrets, and how many were taken out. Linear in the length of `text`.

    `rows`: those of ROWS that can match at all; whoever has many texts asks for them once, of all (rows_in).
    """
    from levaithan.hot.secret_words import assigned

    count = 0
    if "-----BEGIN " in text or "-----END " in text:
        from levaithan.hot.secret_pem import without_pem

        text, count = without_pem(text)
    for row in rows:
        if any(needle in text for needle in row.needles):
            text, found = _replace(row.pattern, row.kind, text)
            count += found
            if found and row.kind == "aws-access-key":
                text, found = _replace(_aws_secret(), "aws-secret-key", text)
                count += found
    if "\\" in text or "%" in text or "\x1b" in text:
        text, found = _after_escapes(text, rows)
        count += found
    text, found = assigned(text)
    return text, count + found


def _after_escapes(text: str, rows: Sequence[Row]) -> tuple[str, int]:
    """The tokens that stand right behind an escape, whose last letter (`\\n`, `%3D`, the m of a colour) is no part of
    them: looked for in a copy that has blanks there."""
    import re

    blank = re.sub(_ESCAPES, lambda match: " " * len(match[0]), text)
    count = 0
    for row in rows if blank != text else ():
        if any(needle in blank for needle in row.needles):
            spans = [span for span in _spans(row.pattern, blank) if text[slice(*span)] == blank[slice(*span)]]
            if spans:
                text, blank = _without(text, spans, row.kind), _without(blank, spans, row.kind)
                count += len(spans)
    return text, count


def suspicious(encoded: bytes) -> bool:
    """Whether the encoded record may hold a secret: cheap, and without `re`, which the one-shot path has not loaded."""
    if not _ENDINGS.isdisjoint([piece[_LAST_THREE] for piece in encoded.translate(_SEPARATORS).split(b"_")]):
        return True
    # A tenth of the bytes, and as text: `in` looks through a str in half the time that it takes for bytes.
    capitals = encoded.translate(None, _NOT_CAPITALS).decode("latin-1")
    for needle in _CAPITALS:
        if needle in capitals and (any(mark in encoded for mark in _REAL) or _twilio(encoded)):
            return True
    lowered = encoded.lower()
    rest = lowered.translate(None, _NOT_KEPT).decode("latin-1")
    for left, word in _WORDS:
        if left in rest and word in lowered:
            return True
    if b"://" in encoded and (b"@" in encoded or b"webhook" in encoded or b"hooks." in encoded or b"sig=" in encoded):
        return True
    return b"LS0tLS1CRUdJTi" in encoded or 6 in map(len, encoded.split(b"."))


def _twilio(encoded: bytes) -> bool:
    """SK and hexadecimal digits: the two letters alone stand in too many words."""
    at = encoded.find(b"SK")
    while at >= 0:
        following = encoded[at + 2 : at + 10]
        if len(following) == 8 and not following.strip(b"0123456789abcdef"):
            return True
        at = encoded.find(b"SK", at + 2)
    return False


def redact_tree(record: Any, rows: Sequence[Row] = ROWS) -> tuple[Any, int]:
    """A copy of the JSON value `record` with all strings (keys too) redacted, and the count. No recursion. `rows`: see
    redact_text."""
    top: list[Any] = [record]
    count = 0
    todo: list[tuple[Any, Any, Any, str]] = [(top, 0, record, "")]
    while todo:
        holder, place, value, name = todo.pop()
        if isinstance(value, str):
            holder[place], found = _field(name, value, rows)
            count += found
        elif isinstance(value, dict):
            holder[place] = copy = {}
            for key, inner in value.items():
                clean_key, found = _key(key, rows) if isinstance(key, str) else (key, 0)
                count += found
                while found and clean_key in copy:
                    clean_key += "'"
                copy[clean_key] = inner
                todo.append((copy, clean_key, inner, _name_of(value, key)))
        elif isinstance(value, list):
            holder[place] = items = list(value)
            todo.extend((items, index, inner, name) for index, inner in enumerate(items))
    return top[0], count


def _encode(record: Any, dumps: Callable[[Any], str | bytes]) -> bytes:
    encoded = dumps(record)
    return encoded if isinstance(encoded, bytes) else encoded.encode("utf-8", "surrogatepass")


def _name_of(pair: dict[Any, Any], key: Any) -> str:
    """What a value is called: its key, or its neighbour in {"name": "DB_PASSWORD", "value": ...}."""
    if key == "value":
        named = pair.get("name", pair.get("key"))
        if isinstance(named, str):
            return named
    return key if isinstance(key, str) else ""


def _key(key: str, rows: Sequence[Row]) -> tuple[str, int]:
    """Of a key of an object: the keys of a client's payloads are the same few again and again, and are remembered."""
    told = _KNOWN_KEYS.get(key)
    if told is None:
        told = redact_text(key, rows)
        if len(key) <= _LONGEST_KNOWN:
            if len(_KNOWN_KEYS) >= _MOST_KNOWN:
                _KNOWN_KEYS.clear()
            _KNOWN_KEYS[key] = told
    return told


def _field(name: str, value: str, rows: Sequence[Row]) -> tuple[str, int]:
    from levaithan.hot.secret_words import secret_name

    kind = secret_name(name, value) if name else None
    return (f"[redacted:{kind}]", 1) if kind else redact_text(value, rows)


def _replace(pattern: re.Pattern[str], kind: str, text: str) -> tuple[str, int]:
    """Replaces group 1 (or the whole) of each match; a placeholder such as ${PASS} in a URL stays."""
    spans = list(_spans(pattern, text))
    return (_without(text, spans, kind), len(spans)) if spans else (text, 0)


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    from levaithan.hot.secret_looks import is_placeholder

    group = 1 if pattern.groups else 0
    for match in pattern.finditer(text):
        if not is_placeholder(match[group], whole=bool(group)):
            yield match.span(group)


def _without(text: str, spans: list[tuple[int, int]], kind: str) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += (text[at:start], f"[redacted:{kind}]")
        at = end
    return "".join(parts) + text[at:]


def _aws_secret() -> re.Pattern[str]:
    """A secret key has no mark of its own: forty base64 characters count only in a text with an access key id."""
    import re

    return re.compile(
        r"(?<![A-Za-z0-9/+=])(?=[^\s]{0,39}[a-z])(?=[^\s]{0,39}[A-Z])(?=[^\s]{0,39}[0-9/+])"
        r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
    )
