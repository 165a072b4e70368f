"""Text as the words that are searched: letters and digits, without case and accents. Pure; standard library only.

SQLite's unicode61 does this by itself. A server's own analyzers take words apart in other places (model.py is one word
to most), and what folds accents is a module that not every server has: so a text is made into its words here, and a
server only splits it at spaces. The same words then find the same events in every store.
"""

from __future__ import annotations

import re
import unicodedata

_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_NO_WORD = re.compile(r"[\W_]+")


def words_of(text: str) -> str:
    """The words of `text`, in order, with spaces between them."""
    if text.isascii():
        return " ".join(text.translate(_ASCII).split())
    apart = unicodedata.normalize("NFD", text.lower())
    plain = "".join([one for one in apart if unicodedata.category(one) != "Mn"])
    return _NO_WORD.sub(" ", unicodedata.normalize("NFC", plain)).strip()
