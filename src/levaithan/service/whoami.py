"""Which of all machines' services this home's is, and whether another one says it is the same.

Host names and paths repeat: containers and cloned images have the same ones. A journal's id is made at random, once, so
it is what tells two homes of one name apart. Only a copied home has another's: that is an error, and it is said. Loads
no driver.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from typing import TYPE_CHECKING

from levaithan.hot.paths import fnv1a64
from levaithan.journal.identity import journal_id
from levaithan.service.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.hot.state_file import StateFile
    from levaithan.service.shared_state import SharedSums
    from levaithan.stores.redis_coordination import RedisCoordination

_DIGITS = 12
"""Of a journal's id, in a service's name: enough for any number of machines of one name, and still readable."""
_FIX = "on the copy: levaithan stop, move its folders logs and state away, then levaithan setup (a journal of its own)"
_QUIET_S = 15.0
"""A copy that was not heard of for so long is at an end."""
_SURE = 2
"""How often another service must have been seen: the last word of the one before this may come late, but once."""


class Name:
    """node: the service's name among all, `<machine>-<of its journal's id>`; without a journal the name that it had, or
    one made up. known: what the home keeps of sharing, its last name too."""

    def __init__(self, home: Home, machine: str, journal: str, known: StateFile) -> None:
        self._known = known
        last = str(known.look().get("node") or "")
        self._before = last or f"{machine}-{fnv1a64(home.root.encode())[:8]}"  # homes of before kept no name
        self.node = f"{machine}-{journal[:_DIGITS]}" if journal else last or f"{machine}-{secrets.token_hex(6)}"

    def settle(self, sums: SharedSums) -> None:
        """See to it that nothing counts under the name before. Raises StoreError, sqlite3.Error: to be tried again."""
        if self._before == self.node:
            return
        sums.move(self._before)
        self._before = self.node
        with contextlib.suppress(OSError):  # then it is done once more by the next service, at no harm
            self._known.change(lambda kept: kept.update(node=self.node) or True)


class Copies:
    """Looks for another service of the same journal. `say` is the service's log."""

    def __init__(self, home: Home, machine: str, others: RedisCoordination, say: Callable[..., None]) -> None:
        self._folder, self._journal = home.journal, ""
        self._others, self._say = others, say
        self._mark = json.dumps([secrets.token_hex(8), machine[:200], home.root[:1000]])
        self._begun, self._seen, self._at = False, 0, 0.0
        self._trouble = Trouble()

    @property
    def problem(self) -> dict[str, str] | None:
        """{message, fix}: where the copy is, and what to do; None when there is none."""
        return {"message": self._trouble.words, "fix": _FIX} if self._trouble.words else None

    def look(self) -> None:
        """Say whose journal this is, and hear who else said so. Raises StoreError."""
        self._journal = self._journal or journal_id(self._folder)
        if not self._journal:  # nothing is recorded yet
            return
        found = self._others.claim(self._journal, self._mark)
        begun, self._begun = self._begun, True
        if begun and found and found != self._mark:  # at first it is the word of the service before this one
            self._seen, self._at = self._seen + 1, time.monotonic()
            if self._seen >= _SURE and self._trouble.is_news("copy", _words(found)):
                self._say("machines have one home twice", level="error", error=self._trouble.words, fix=_FIX)
        elif time.monotonic() - self._at > _QUIET_S:
            self._seen = 0
            if self._trouble.is_over():
                self._say("machines have no home twice any more")


def _words(mark: str) -> str:
    try:
        _, machine, root = json.loads(mark)
        where = f"{str(root)[:200]} on the machine {str(machine)[:64]}".encode("utf-8", "backslashreplace").decode()
    except (ValueError, TypeError):
        where = "elsewhere"
    return f"this home is in use twice, here and as {where}: one is a copy of the other, with its journal's id"
