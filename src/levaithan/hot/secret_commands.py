"""Secrets that no name announces: in a header, a cookie, a flag of a client, a pipe into one that logs in.

Shapes of commands and protocols; what a value looks like is secret_looks.py's business. Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.secret_looks import is_basic, is_placeholder, looks_made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Span = tuple[int, int, str]

_HEADER = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:(bearer|basic)|authorization[\"'\\]{0,4} ?[:=] ?[\"'\\]{0,4}"
    r"(?:token|bot|apikey|key|negotiate|digest))[ \t]{1,4}([A-Za-z0-9._~+/=-]{6,8192})"
)
_CHALLENGE = ("realm=", "error=", "scope=", "authorization_uri=")
"""What a server asks for behind `Bearer`, instead of a token."""
_USER_FLAG = re.compile(r"(?<![^\s\"'])(?:-u|--user|--proxy-user)[ =]?([\"']?)([^\s:\"']{1,128}):([^\s\"']{3,256})")
_CLIENTS = (
    re.compile(
        r"(?<![^\s;&|(`])(?:(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n;|&]{0,100}?\s-p|sshpass\s+-p\s{0,4}"
        r"|(?:docker|podman|nerdctl)\s+login\b[^\n;|&]{0,100}?\s-p[ =]?"
        r"|(?:mongo|mongosh|mongodump)\b[^\n;|&]{0,100}?\s-p\s"
        r"|redis-cli\b[^\n;|&]{0,100}?\s-a\s|(?:useradd|usermod)\b[^\n;|&]{0,100}?\s-p\s"
        r"|(?:sqlcmd|bcp)\b[^\n;|&]{0,100}?\s-P\s?"
        r"|az\s+login\b[^\n;|&]{0,100}?\s-p\s|ldap[a-z]{3,8}\b[^\n;|&]{0,100}?\s-w\s"
        r"|openssl\b[^\n;|&]{0,100}?(?:\s-[kK]\s|\spass:)|gh\s+secret\s+set\b[^\n;|&]{0,100}?\s(?:--body|-b)[ =]"
        r"|keytool\b[^\n;|&]{0,200}?\s-(?:store|key)pass\s|7za?\b[^\n;|&]{0,100}?\s-p|zip\b[^\n;|&]{0,100}?\s-P\s"
        r"|twine\b[^\n;|&]{0,100}?\s-p\s|vault\s+login\s+|ssh-keygen\b[^\n;|&]{0,100}?\s-N\s|doctl\s+auth\s+init\s+-t\s"
        r"|net\s+use\b[^\n;|&]{0,100}?/user:[^\s]{1,60}\s)([\"']?)([^\s\"'-][^\s\"']{2,256})"
    ),
    re.compile(
        r"(?i)(?<![A-Za-z0-9])(?:machine\s{1,4}[^\s]{1,128}|default)\s{1,4}login\s{1,4}([^\s]{1,128})\s{1,4}password\s{1,4}([^\s\"']{3,256})"
    ),
    re.compile(
        r"(?<![^\s;&|(`])(?:echo|printf)\s{1,4}([\"']?)([^\s\"'|]{6,256})[\"']?\s{0,4}\|[^|\n;]{0,100}?(?:-stdin|sudo\s+-S|--with-token)"
    ),
    re.compile(
        r"(?i)(?<![A-Za-z0-9_])(?:auth\s?[=:]\s?|[a-z]{0,20}basic_?auth[a-z]{0,20})[(\[]"
        r"([\"'])[^\"'\n]{1,80}[\"'], ?[\"']([^\"'\s]{4,256})[\"'][)\]]"
    ),
)
"""How commands and code give a password without saying so: group 2."""
_PARTED = re.compile(r"[\s(\[]")
"""What each of _CLIENTS needs; names, ids and most paths have none."""
_CLIENT_WORDS = (
    "mysql sshpass mariadb docker podman nerdctl mongo redis-cli useradd usermod sqlcmd bcp ldap openssl "
    "secret login stdin auth net sudo with-token storepass keypass 7z zip twine ssh-keygen"
).split()
_COOKIE = re.compile(r"(?i)(?<![A-Za-z])cookie[\"'\\]{0,4}[ \t]?[:=][ \t]?[\"'\\]{0,4}([^\n\"'\\]{8,4096})")
_COOKIE_PAIR = re.compile(r"(?<![^;\s])[A-Za-z0-9_.-]{1,64}=([^;\s,]{12,4096})")


def handed_over(text: str, lowered: str) -> tuple[str, int]:
    """`text` (`lowered`: the same in lower case) without what headers, cookies and clients' flags hand over, and how
    many secrets that were."""
    count = 0
    if "bearer" in lowered or "basic" in lowered or "authorization" in lowered:
        text, count = without(text, _header_spans(text))
    if ":" in text and ("curl" in lowered or "http" in lowered) and ("-u" in text or "-user" in text):
        text, found = without(text, ((m.start(3), m.end(3), "password") for m in _USER_FLAG.finditer(text) if _user(m)))
        count += found
    if _PARTED.search(text) and any(word in lowered for word in _CLIENT_WORDS):
        for pattern in _CLIENTS:
            spans = ((m.start(2), m.end(2), "password") for m in pattern.finditer(text) if not is_placeholder(m[2]))
            text, found = without(text, spans)
            count += found
    if "cookie" in lowered:
        text, found = without(text, _cookie_spans(text))
        count += found
    return text, count


def without(text: str, spans: Iterable[Span]) -> tuple[str, int]:
    """`text` with a mark of its kind for each of `spans` (in order; overlapping ones are left out), and how many."""
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
            if is_basic(value):
                yield match.start(2), match.end(2), "basic-auth"
        elif (
            not is_placeholder(value)
            and not value.startswith(_CHALLENGE)
            and not (value.rstrip(".").replace("-", "").isalpha() and len(value) < 24)
        ):
            yield match.start(2), match.end(2), "bearer-token"


def _cookie_spans(text: str) -> Iterator[Span]:
    for header in _COOKIE.finditer(text):
        for pair in _COOKIE_PAIR.finditer(text, header.start(1), header.end(1)):
            if looks_made(pair[1]) and not is_placeholder(pair[1]):
                yield pair.start(1), pair.end(1), "cookie"


def _user(match: re.Match[str]) -> bool:
    """`-u 1000:1000` of docker is no password, nor is `-u name:$PASS`."""
    value = match[3]
    return not value.isdigit() and not is_placeholder(value) and not match[2].isdigit() and "/" not in match[2]
