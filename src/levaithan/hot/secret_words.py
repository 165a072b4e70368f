"""Secrets that only their name gives away: `password=...`, `"api_key": "..."`, `--token ...`, `Authorization: ...`.

Here false positives are the danger: code, placeholders, counters and prose use the same words. So a value is judged
by how it stands there (quoted, in an environment assignment, after a flag) and by what it looks like. Standard library
only.
"""

from __future__ import annotations

import re

from levaithan.hot.secret_commands import handed_over, without
from levaithan.hot.secret_looks import is_basic, is_placeholder, looks_made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int, str]

_NAME = re.compile(
    r"(?i)(pass(?:word|wd|phrase)s?|passw|pass|pwd|secret(?:[_-]?(?:access)?[_-]?key|[_-]?token|[_-]?value|[_-]?string)?"
    r"|(?:api|access|account|admin|subscription|consumer|ingest|integration|private|encryption|signing|master|shared|auth|app|service|storage|client|deploy|license"
    r"|webhook)"
    r"[_ -]?(?:access[_-]?)?key|token(?:[_-]?secret)?|credentials?|auth|identified by|requirepass|masterauth"
    r"|(?<=[a-z0-9]_)(?:key|pat|pw))"
    r"(?:[_-]?(?:[0-9]{1,2}|base))?"
    r"(\\{0,3}[\"']?\]?[ \t]{0,16}(?:=>|:=|={1,2}|:)[ \t]{0,16}"
    r"|\\{0,3}[\"']?,?(?:\\{1,4}n|\s){1,24}\\{0,3}[\"']?value\\{0,3}[\"']?[ \t]?[:=][ \t]{0,4}"
    r"|\\{0,3}[\"'],[ \t]{0,4}(?=\\{0,3}[\"'])|\([ \t]?(?=\\{0,3}[\"'])"
    r"|[ \t]is:?[ \t]{1,4}|[ \t]{0,16}\|[ \t]{1,4}|[ \t]{1,8}|>)"
)
_MARKS = ("pass", "pwd", "secret", "token", "key", "cred", "auth", "identified", "_pat", "_pw")
_UNSURE_NAMES = ("pat", "key", "pass")
"""Names that other things have as well: what they name must look as if a machine had made it."""
_SETS = ("ENV ", "ARG ", " set ", "setx ", "setenv ", " -gx ", " -x ")
"""Before a name whose value follows without a sign: ENV of a Dockerfile, `aws configure set`, fish's set -x."""
_STRONG = ("pass", "pwd", "secret", "identified")
_NOT_SECRET_BEFORE: tuple[str, ...] = (
    "page",
    "next",
    "nextpage",
    "sync",
    "continuation",
    "cancellation",
    "cancel",
    "pad",
    "eos",
    "bos",
    "unk",
)
_NOT_SECRET_BEFORE += (
    "mask",
    "sep",
    "cls",
    "special",
    "image",
    "stop",
    "max",
    "min",
    "num",
    "per",
    "public",
    "foreign",
    "primary",
    "cache",
    "partition",
    "sort",
    "row",
    "object",
    "idempotency",
    "publishable",
)
_CODE = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,80}(?:\.[A-Za-z_][A-Za-z0-9_]{0,80}|->[A-Za-z_]\w{0,80}|::\w{1,80}){0,8}[(\[;,)]{0,3}$"
)
_SPLITTING = ("&", ";", "(", ")", "<", ">", "|", "{", "}", "[", "]", ",", "`")
_UNQUOTED = re.compile(r"[^\s\"'`,;&|<>(){}\[\]\\]{1,4096}")
_HEX = "0123456789abcdefABCDEF-:"
_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


def assigned(text: str) -> tuple[str, int]:
    """`text` with the values of secret names replaced, and how many."""
    lowered = text.lower()
    text, count = handed_over(text, lowered)
    if any(word in lowered for word in _MARKS):
        text, found = without(text, _assignment_spans(text))
        count += found
    return text, count


def secret_name(name: str, value: str) -> str | None:
    """The kind when the key `name` of a JSON object says that its string `value` is a secret, else None."""
    if len(name) > 80 or not value:
        return None
    matches = list(_NAME.finditer(name + "="))
    if not matches or matches[-1].end() != len(name) + 1:
        return None
    match = matches[-1]
    word = match[1].lower()
    if not _is_named(word, name[: match.start()], value, quoted=True):
        return None
    return _kind(word) if _is_value(value, word, quoted=True, environment=False) else None


def _assignment_spans(text: str) -> Iterator[Span]:
    for match in _NAME.finditer(text):
        operator = match[2]
        word = match[1].lower()
        blank = not operator.strip()
        flag = blank and _is_flag(text, match.start())
        quote, start = _open_quote(text, match.end())
        end = _value_end(text, start, quote)
        if operator == "=" and not quote and text[end : end + 1] in _SPLITTING:
            end = _enclosed_end(text, match.start(), end)
        value = text[start:end]
        lead = text[max(0, match.start() - 16) : match.start()]
        if match[1][:1] == "P" and lead[-1:].islower():
            lead += "_"  # smtpPass
        if end == start or not _is_named(word, lead, value, quoted=bool(quote)):
            continue
        capital = text[match.start() : match.start() + 1].isupper()
        told = flag or (blank and quote and word.startswith(("password", "identified")))
        told = told or (blank and _is_set(text, match.start(), word))
        if _is_loose(operator) and not told and not _stands_out(value, word, capital):
            continue
        environment = flag or ("=" in operator and " " not in operator and capital and "value" not in operator.lower())
        if _is_value(value, word, quoted=bool(quote), environment=environment):
            yield start, end, _kind(word)


def _enclosed_end(text: str, at: int, end: int) -> int:
    """Where the value of NAME=VALUE ends that stands in quotes as a whole: `'key=a&b#c'`; else `end`."""
    lead = text[max(0, at - 64) : at].rstrip(_WORD)
    if lead[-1:] not in ("'", '"'):
        return end
    close = text.find(lead[-1], end, end + 256)
    return close if close >= 0 and not any(c.isspace() for c in text[end:close]) else end


def _is_loose(operator: str) -> bool:
    """Whether what stands between name and value is no sign of assignment: a blank, a comma, a bracket, `is`."""
    return not operator.strip() or "," in operator[:3] or any(mark in operator for mark in ("(", " is", "|"))


def _is_set(text: str, at: int, word: str) -> bool:
    """Whether the name that reaches up to `at` stands where a value follows without a sign: ENV NAME value."""
    lead = text[max(0, at - 64) : at]
    return word in ("requirepass", "masterauth") or (" " + lead.rstrip(_WORD)).endswith(_SETS)


def _stands_out(value: str, word: str, capital: bool) -> bool:
    """Whether `value` would be seen as a secret in a sentence or a call."""
    if looks_made(value):
        return True
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return capital and mixed and word.startswith(_STRONG) and len(value) >= 8


def _is_named(word: str, lead: str, value: str, *, quoted: bool) -> bool:
    """Whether the name means a secret; of `auth` and `pwd`, which mean more often something else, by the value."""
    if _counts(word, lead):
        return True
    if word == "auth":
        return quoted and is_basic(value)
    return word == "pwd" and "/" not in value and looks_made(value)


def _counts(word: str, lead: str) -> bool:
    """Whether the name means a secret, by what stands before it: not next_page_token, public_key, PWD, author."""
    last = lead.rstrip("_-. ").lower()
    if word == "pass":
        return not last[-1:].isalnum() or lead[-1:] in ("_", "-")
    if word.endswith("key") or word.startswith("token"):
        return not last.endswith(_NOT_SECRET_BEFORE)
    if word in ("pwd", "auth"):
        return lead.endswith("_") and not lead.lower().endswith("old_")
    return True


def _is_flag(text: str, at: int) -> bool:
    """Whether the name that reaches up to `at` began as a command's flag: `--db-` of `--db-password x`."""
    lead = text[max(0, at - 42) : at]
    rest = lead.rstrip(_WORD)
    return lead[len(rest) :].startswith("--") and (not rest or rest[-1] in " \t\n\"'")


def _open_quote(text: str, start: int) -> tuple[str, int]:
    """The quote that opens the value, with its escapes (nested JSON: \\\"), and where the value begins."""
    at = start
    while at < start + 4 and text[at : at + 1] == "\\":
        at += 1
    if text[at : at + 1] in ("b", "f", "r") and text[at + 1 : at + 2] in ("'", '"'):
        at += 1
    if text[at : at + 1] in ("'", '"', "`"):
        return text[at], at + 1
    return "", start


def _value_end(text: str, start: int, quote: str) -> int:
    if not quote:
        match = _UNQUOTED.match(text, start)
        return match.end() if match else start
    limit = start + 4096
    end = text.find(quote, start, limit)
    line = text.find("\n", start, end if end >= 0 else limit)
    if line >= 0:
        return start  # a quote that does not close on its line opens prose or code, not a value
    if end < 0:
        return min(len(text), limit) if len(text) - start < 512 else start
    while end > start and text[end - 1] == "\\":
        end -= 1
    return end


def _kind(word: str) -> str:
    if word.startswith(("pass", "pwd", "identified")):
        return "password"
    return "token" if word.startswith(("token", "auth")) and not word.endswith("key") else "secret"


def _is_value(value: str, word: str, *, quoted: bool, environment: bool) -> bool:
    """Whether `value` is a secret itself: long enough for its name, no placeholder, no code, no prose, no path."""
    if word in _UNSURE_NAMES and not _is_sure(value, word):
        return False
    strong = word.startswith(_STRONG)
    if len(value) < (4 if strong else 8) or is_placeholder(value):
        return False
    if " " in value and not word.startswith("passphrase"):
        return False
    if value.startswith(("/", "./", "../", "~/")) and not any(c in value for c in "+="):
        return False
    if value.isdigit():
        return strong and (quoted or environment or len(value) >= 6)
    return (strong or not value.isalpha() or len(value) >= 16) if quoted else _is_bare_value(value, strong, environment)


def _is_sure(value: str, word: str) -> bool:
    """Whether a value of a name that other things have too is a secret: no hash, no identifier."""
    if word == "pass":
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        return (mixed and len(value) >= 10) or looks_made(value)
    return looks_made(value) and bool(value.strip(_HEX))


def _is_bare_value(value: str, strong: bool, environment: bool) -> bool:
    """The same without quotes, where code looks alike: `TOKEN=abcdef` counts, `token=abcdef` may be a variable."""
    mixed = any(c.isdigit() for c in value) or any(not (c.isalnum() or c in "_.-/:") for c in value)
    if environment:
        return mixed or (len(value) >= 6 and "." not in value and "/" not in value)
    if looks_made(value):
        return True
    if _CODE.match(value) and not (mixed and "_" not in value and "." not in value):
        return value.isalpha() and value.islower() and len(value) >= 16
    return mixed and len(value) >= (6 if strong else 12)
