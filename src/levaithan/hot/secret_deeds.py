"""What carries a secret in its own text: a command, a file that is written, a prompt.

Only secrets that have a shape of their own count here: a word beside `password=` is redacted (redact.py), but nobody is
stopped for it. Standard library only; the patterns are compiled when a text looks as if it held one.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed
from levaithan.hot.redact import suspicious
from levaithan.hot.secret_rows import ROWS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_WRITTEN = ("content", "new_string", "new_source")
_WEAK = frozenset(("url-password", "mailchimp", "discord", "launchdarkly", "facebook"))
"""Shapes that other texts have as well."""
_STRONG = tuple((needle, row) for row in ROWS if row.kind not in _WEAK for needle in row.needles)
_MOST = 4 << 20
_MOST_TEXTS = 2000


def of_text(text: str, cwd: str | None, seen: str) -> Iterator[Deed]:
    """A deed a kind of secret in `text`."""
    for kind in kinds(text):
        yield Deed("secret", named(kind), cwd, seen)


def kinds(text: str) -> list[str]:
    """The kinds of secret in `text`, each once."""
    if len(text) < 16 or not suspicious(text[:_MOST].encode("utf-8", "surrogatepass")):
        return []
    return list(dict.fromkeys(_kinds(text[:_MOST])))


def named(kind: str) -> str:
    """A kind of secret in words."""
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind}" if "key" in kind else f"{article} {kind} secret"


def in_output(value: Any) -> list[str]:
    """The kinds of secret in what a tool gave back, whatever its shape; of very many texts the first ones."""
    found: dict[str, None] = {}
    left, seen = [value], 0
    while left and seen < _MOST_TEXTS:
        one = left.pop()
        if isinstance(one, str):
            seen += 1
            found.update(dict.fromkeys(kinds(one)))
        elif isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list):
            left += one
    return list(found)


def of_tool(given: dict[str, Any], cwd: str | None, name: str) -> Iterator[Deed]:
    """What a tool would write down: its `content`, `new_string` or `new_source`, those of its edits too."""
    edits = given.get("edits")
    for one in (given, *(edits if isinstance(edits, list) else ())):
        for key in _WRITTEN if isinstance(one, dict) else ():
            text = one.get(key)
            if isinstance(text, str):
                yield from of_text(text, cwd, f"{name} {given.get('file_path', '')}"[:2000])


def _kinds(text: str) -> Iterator[str]:
    if "-----BEGIN " in text and "PRIVATE KEY" in text:
        from levaithan.hot.secret_pem import without_pem

        if without_pem(text)[1]:
            yield "private-key"
    if "AKIA" in text:
        import re

        if re.search(r"(?<![A-Za-z0-9])AKIA[A-Z0-9]{16,20}(?![A-Za-z0-9])", text):  # a longer one is a slip of the pen
            yield "aws-access-key"
    for row in dict.fromkeys([row for needle, row in _STRONG if needle in text]):
        from levaithan.hot.secret_looks import is_placeholder

        group = 1 if row.pattern.groups else 0
        if any(not is_placeholder(found[group], whole=bool(group)) for found in row.pattern.finditer(text)):
            yield row.kind
