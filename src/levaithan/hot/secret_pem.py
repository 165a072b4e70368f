"""Private key blocks in any text: whole, or with their beginning or end cut off. Standard library only.

Certificates and public keys stay, and so does a mere mention of a BEGIN line (a grep pattern): key material must
follow.
"""

from __future__ import annotations

import re

_LONGEST = 20_000
"""Characters between BEGIN and END that still make one block: an RSA key of 16,384 bits has 13,000."""
_CUT = re.compile(
    r"(?:(?:\\+[nr]|\s)*+(?:[A-Za-z-]{2,20}: [^\n\\]{1,80}|[A-Za-z0-9+/=]{16,}+))*+"
    r"(?:(?:\\+[nr]|\s)*+[A-Za-z0-9+/=]{1,15}\Z)?"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16}")
_BEGIN = "-----BEGIN "
_END = "-----END "
_KEY = "PRIVATE KEY"


def without_pem(text: str) -> tuple[str, int]:
    """`text` with each private key block as one mark, and how many there were."""
    parts: list[str] = []
    at = done = count = 0
    begin, end = text.find(_BEGIN), text.find(_END)
    while True:
        if 0 <= begin < at:
            begin = text.find(_BEGIN, at)
        if 0 <= end < at:
            end = text.find(_END, at)
        if begin < 0 and end < 0:
            break
        headless = end >= 0 and (begin < 0 or end < begin)
        head = end if headless else begin
        span = _headless(text, done, head) if headless else _block(text, head)
        at = head + len(_END)
        if span:
            parts += (text[done : span[0]], "[redacted:private-key]")
            at = done = span[1]
            count += 1
    return "".join(parts) + text[done:], count


def _title_end(text: str, head: int) -> int:
    """Where the line `-----BEGIN ... PRIVATE KEY...-----` that begins at `head` ends; -1 when it is none."""
    close = text.find("-----", head + 9, head + 80)
    if close < 0:
        return len(text) if len(text) - head < 80 and _KEY in text[head:] else -1
    return close + 5 if _KEY in text[head:close] else -1


def _block(text: str, head: int) -> tuple[int, int] | None:
    """From BEGIN to its END line; without one, as far as key material goes. None: no private key."""
    title = _title_end(text, head)
    if title < 0:
        return None
    end = text.find(_END, title, title + _LONGEST)
    if end >= 0 and text.find(_BEGIN, title, end) < 0:
        close = text.find("-----", end + 9, end + 80)
        stop = close + 5 if close >= 0 else end + 8
    else:
        match = _CUT.match(text, title)
        stop = match.end() if match else title
    return (head, stop) if _BASE64.search(text, title, stop) else None


def _headless(text: str, floor: int, end: int) -> tuple[int, int] | None:
    """An END line whose beginning was cut off: the base64 before it goes too. None: no private key."""
    title = _title_end(text, end)
    if title < 0:
        return None
    start = end
    while start > floor and (
        text[start - 1] in "+/=\n\r\\" or (text[start - 1].isascii() and text[start - 1].isalnum())
    ):
        start -= 1
    return (start, title) if _BASE64.search(text, start, end) else None
