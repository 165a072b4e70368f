"""What the value of a secret looks like, whatever stands around it: made by a machine, a placeholder, user:password.

Standard library only; imports nothing else of ours.
"""

from __future__ import annotations

import re

_PLACEHOLDER_START: tuple[str, ...] = (
    "$",
    "<",
    "{",
    "%",
    "process.env",
    "os.environ",
    "os.getenv",
    "getenv",
    "env.",
    "env[",
    "env(",
    "[redacted",
)
_PLACEHOLDER_START += (
    "secrets.",
    "vault:",
    "ref+",
    "op://",
    "file:",
    "arn:",
    "projects/",
    "@",
    "!",
    "...",
    "http://",
    "https://",
)
_PLACEHOLDER_WORD = re.compile(
    r"(?i)(?:(?<![A-Za-z0-9])(?:my|the|some|enter|add|put)|your|insert|replace|change|fake|dummy|mock|sample|example|placeholder|redacted|todo|hidden|masked)"
    r"(?:[-_. ]|me|this|it|$)|x{4,}|\*{3,}|\.{3}|_here$|[-_]goes[-_]|placeholder|example$|<[^>]{1,60}>"
)
_EMPTY_TEXT = (
    "admin any api_key apikey ask auth authenticate authentication authorization basic bearer boolean "
    "bytes changeme char default disabled empty enabled error expired false field ident incorrect inherit "
    "guest input int invalid key manager minio minioadmin md5 missing nil no none null number object off on "
    "optional pass passphrase passwd password peer postgres prompt read required scram-sha-256 secret sha256 "
    "str string test testing text token true trust undefined unset validation value varchar write yes "
)
_EMPTY_WORDS = frozenset(_EMPTY_TEXT.split())


def looks_made(value: str) -> bool:
    """Whether a machine made `value`: no word and no name of a program changes that often between lower case, upper
    case and digits."""
    before = ""
    changes = pairs = digits = 0
    upper = False
    for char in value.rstrip("0123456789=")[:256]:
        kind = "d" if char.isdigit() else "u" if char.isupper() else "l" if char.isalpha() else ""
        if kind and before:
            pairs += 1
            changes += kind != before
        digits += kind == "d"
        upper = upper or kind == "u"
        before = kind
    if len(value) < (12 if digits else 16) or pairs < 10:
        return False
    least = (0.42 if digits else 0.48) if upper else 0.26 if pairs < 30 else 0.12
    return changes >= pairs * least and (upper or digits > 3)


def is_placeholder(value: str, *, whole: bool = True) -> bool:
    """Whether `value` stands for a secret instead of being one: <your-key>, xxxx, $TOKEN, ${{ secrets.X }}."""
    if not whole:
        return (
            "xxxxxx" in value.lower()
            or "******" in value
            or value.upper().endswith("EXAMPLE0")
            or len(set(value[-16:])) <= 2
        )
    if value.startswith(_PLACEHOLDER_START) or len(set(value)) <= 1:
        return True
    return value.lower().rstrip(".,;:!)") in _EMPTY_WORDS or bool(_PLACEHOLDER_WORD.search(value[:256]))


def is_basic(value: str) -> bool:
    """Basic credentials are base64 of user:password; the word `Basic` before ordinary text is not."""
    if len(value) < 8 or is_placeholder(value):
        return False
    import binascii

    try:
        plain = binascii.a2b_base64(value[: len(value) // 4 * 4])
    except ValueError:
        return False
    return b":" in plain and all(32 <= byte < 127 for byte in plain)
