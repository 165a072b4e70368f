"""Makes text that may be hostile fit for people's channels: redacted, on one line, bounded, without anything that a
mail reader or a chat would act on.

A channel may render HTML, Markdown or neither, and nobody knows which: so what would be markup, a mention or a link is
replaced by a look-alike that is none of them in any, rather than escaped for one.
"""

from __future__ import annotations

from levaithan.hot.bounded import head
from levaithan.hot.redact import redact_text

_LOOKALIKES = str.maketrans({
    "<": "‹", ">": "›", "&": "＆", "`": "'", "[": "(", "]": ")", "*": "∗", "~": "∼", "|": "¦", "@": "＠", "#": "＃",
    "\\": "＼", "\t": " ", "\n": " ", "\r": " ",
})  # fmt: skip
_LINK = "://"
_DEFANGED = "[:]//"


def plain(text: str, longest: int = 300) -> str:
    """`text` as it may stand in a message: at most `longest` characters of one line."""
    known = redact_text(text)[0] if len(text) <= longest * 4 else head(text, longest * 4)
    made = known.translate(_LOOKALIKES).replace(_LINK, _DEFANGED)
    made = "".join(char if char.isprintable() else "?" for char in made)
    made = " ".join(made.split())
    return made if len(made) <= longest else made[: longest - 1] + "…"
