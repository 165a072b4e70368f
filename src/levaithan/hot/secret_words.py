"""Secrets that only their name gives away: `password=...`, `"api_key": "..."`, `--token ...`, `Authorization: ...`.

Here false positives are the danger: code, placeholders, counters and prose use the same words. So a value is judged
by how it stands there (quoted, in an environment assignment, after a flag) and by what it looks like. Standard library
only.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Span = tuple[int, int, str]

_NAME = re.compile(
    r"(?i)(pass(?:word|wd|phrase)s?|passw|pwd|secret(?:[_-]?(?:access)?[_-]?key|[_-]?token|[_-]?value|[_-]?string)?"
    r"|(?:api|access|account|private|encryption|signing|master|shared|auth|app|service|storage|client|deploy|license"
    r"|webhook)"
    r"[_-]?(?:access[_-]?)?key|token(?:[_-]?secret)?|credentials?|auth|identified by)"
    r"(?:[_-]?[0-9]{1,2})?"
    r"(\\{0,3}[\"']?\]?[ \t]{0,16}(?:=>|:=|={1,2}|:)[ \t]{0,16}|[ \t]{1,8}|>)"
)
_STRONG = ("pass", "pwd", "secret", "identified")
_HEADER = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:(bearer|basic)|authorization[\"'\\]{0,4} ?[:=] ?[\"'\\]{0,4}"
    r"(?:token|bot|apikey|key|negotiate|digest))[ \t]{1,4}([A-Za-z0-9._~+/=-]{6,8192})"
)
_USER_FLAG = re.compile(r"(?<![^\s\"'])(?:-u|--user|--proxy-user)[ =]?([\"']?)([^\s:\"']{1,128}):([^\s\"']{3,256})")
_CLIENT = re.compile(
    r"(?<![^\s;&|(`])(?:(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n;|&]{0,100}?\s-p|sshpass\s+-p\s{0,4})([\"']?)([^\s\"'-][^\s\"']{2,128})"
)
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
)
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
    r"(?i)(?:your|my|the|some|insert|enter|replace|add|put|change|fake|dummy|mock|sample|example|placeholder|redacted|todo|hidden|masked)"
    r"(?:[-_. ]|me|this|it|$)|x{4,}|\*{3,}|\.{3}|_here$|[-_]goes[-_]|placeholder|example$|<[^>]{1,60}>"
)
_EMPTY_TEXT = (
    "admin any api_key apikey ask auth authenticate authentication authorization basic bearer boolean "
    "bytes changeme char default disabled empty enabled error expired false field ident incorrect inherit "
    "input int invalid key manager md5 missing nil no none null number object off on optional pass "
    "passphrase passwd password peer prompt read required scram-sha-256 secret sha256 str string test "
    "testing text token true trust undefined unset validation value varchar write yes "
)
_EMPTY_WORDS = frozenset(_EMPTY_TEXT.split())
_CODE = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,80}(?:\.[A-Za-z_][A-Za-z0-9_]{0,80}|->[A-Za-z_]\w{0,80}|::\w{1,80}){0,8}[(\[;,)]{0,3}$"
)
_UNQUOTED = re.compile(r"[^\s\"'`,;&|<>(){}\[\]\\]{1,4096}")
_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


def assigned(text: str) -> tuple[str, int]:
    """`text` with the values of secret names replaced, and how many."""
    lowered = text.lower()
    count = 0
    if "bearer" in lowered or "basic" in lowered or "authorization" in lowered:
        text, count = _replace_spans(text, _header_spans(text))
    if ":" in text and ("curl" in lowered or "http" in lowered) and ("-u" in text or "-user" in text):
        text, found = _replace_spans(
            text, ((m.start(3), m.end(3), "password") for m in _USER_FLAG.finditer(text) if _user(m))
        )
        count += found
    if "mysql" in lowered or "sshpass" in lowered or "mariadb" in lowered:
        spans = ((m.start(2), m.end(2), "password") for m in _CLIENT.finditer(text) if not is_placeholder(m[2]))
        text, found = _replace_spans(text, spans)
        count += found
    if any(word in lowered for word in ("pass", "pwd", "secret", "token", "key", "cred", "auth", "identified")):
        text, found = _replace_spans(text, _assignment_spans(text))
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
    if not _counts(word, name[: match.start()]):
        return None
    return _kind(word) if _is_value(value, word, quoted=True, environment=False) else None


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


def _replace_spans(text: str, spans: Iterable[Span]) -> tuple[str, int]:
    parts: list[str] = []
    at = count = 0
    for start, end, kind in spans:
        if start < at:
            continue
        parts += (text[at:start], f"[redacted:{kind}]")
        at = end
        count += 1
    return ("".join(parts) + text[at:], count) if count else (text, 0)


def _header_spans(text: str) -> Iterator[Span]:
    for match in _HEADER.finditer(text):
        value = match[2]
        scheme = (match[1] or "").lower()
        if scheme == "basic":
            if _is_basic(value):
                yield match.start(2), match.end(2), "basic-auth"
        elif not is_placeholder(value) and not (value.rstrip(".").replace("-", "").isalpha() and len(value) < 24):
            yield match.start(2), match.end(2), "bearer-token"


def _is_basic(value: str) -> bool:
    """Basic credentials are base64 of user:password; the word `Basic` before ordinary text is not."""
    if len(value) < 8 or is_placeholder(value):
        return False
    import binascii

    try:
        plain = binascii.a2b_base64(value[: len(value) // 4 * 4])
    except ValueError:
        return False
    return b":" in plain and all(32 <= byte < 127 for byte in plain)


def _user(match: re.Match[str]) -> bool:
    """`-u 1000:1000` of docker is no password, nor is `-u name:$PASS`."""
    value = match[3]
    return not value.isdigit() and not is_placeholder(value) and not match[2].isdigit() and "/" not in match[2]


def _assignment_spans(text: str) -> Iterator[Span]:
    for match in _NAME.finditer(text):
        operator = match[2]
        word = match[1].lower()
        blank = not operator.strip()
        flag = blank and _is_flag(text, match.start())
        if not _counts(word, text[max(0, match.start() - 16) : match.start()]):
            continue
        start = match.end()
        quote, start = _open_quote(text, start)
        if blank and not flag and not (quote and word.startswith(("password", "identified"))):
            continue
        end = _value_end(text, start, quote)
        value = text[start:end]
        environment = flag or (
            "=" in operator and " " not in operator and text[match.start() : match.start() + 1].isupper()
        )
        if end > start and _is_value(value, word, quoted=bool(quote), environment=environment):
            yield start, end, _kind(word)


def _counts(word: str, lead: str) -> bool:
    """Whether the name means a secret, by what stands before it: not next_page_token, public_key, PWD, author."""
    last = lead.rstrip("_-. ").lower()
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


def _is_bare_value(value: str, strong: bool, environment: bool) -> bool:
    """The same without quotes, where code looks alike: `TOKEN=abcdef` counts, `token=abcdef` may be a variable."""
    mixed = any(c.isdigit() for c in value) or any(not (c.isalnum() or c in "_.-/:") for c in value)
    if environment:
        return mixed or (len(value) >= 6 and "." not in value and "/" not in value)
    if _CODE.match(value) and not (mixed and "_" not in value and "." not in value):
        return value.isalpha() and value.islower() and len(value) >= 16
    return mixed and len(value) >= (6 if strong else 12)
