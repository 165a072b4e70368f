"""Text as the words that are searched: letters and digits, without case and accents. Pure; standard library only.

SQLite's unicode61 takes the accents of Latin letters only, a server's analyzers take words apart in other places
(model.py is one word to most), and what folds accents there is a module that not every server has. So a text is made
into its words here, and a store only splits it at what is no letter: the same words then find the same events
everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_NO_WORD = re.compile(r"[\W_]+")


def words_of(text: str) -> str:
    """The words of `text`, in order, with spaces between them."""
    if text.isascii():
        return " ".join(text.translate(_ASCII).split())
    return _NO_WORD.sub(" ", _FOREIGN.sub(lambda found: _folded(found[0]), text.lower())).strip()


@lru_cache(4096)
def _folded(run: str) -> str:
    """Letters beyond ASCII without their accents; the sigma at a word's end is the one within it."""
    apart = unicodedata.normalize("NFD", run)
    plain = "".join([one for one in apart if unicodedata.category(one) != "Mn"])
    return unicodedata.normalize("NFC", plain).replace("ς", "σ")
