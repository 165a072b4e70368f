"""What is yet to be told, on the disk: a message leaves it when a channel has taken it, whatever happens meanwhile.

Bounded: when it is full the least severe goes, the newest of them, and is counted; its incident stands in the journal
all the same. One writer (the monitor, or a command without one), as a state file of the home.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.actions.message import Message
from levaithan.hot.paths import fnv1a64
from levaithan.hot.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home

MOST = 200
_PAGED = 1000
PAGE_AGAIN_S = 900.0
"""One page a fingerprint and kind of news in so long."""


class Outbox:
    """waiting: the entries, the oldest first: {message, posted_s, channel, tries, next_s, fallen}."""

    def __init__(self, home: Home) -> None:
        self._file = StateFile(home.state + "/outbox.json")
        self._uncounted = 0

    def look(self) -> dict[str, Any]:
        """{waiting, paged, lost, digest, digested, delivered} as kept. Not to be changed."""
        return self._file.look()

    def waiting(self) -> list[dict[str, Any]]:
        """The entries that wait, the oldest first."""
        found = self._file.look().get("waiting")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @property
    def lost(self) -> int:
        """How many messages were one too many."""
        return int(self._file.look().get("lost") or 0) + self._uncounted

    def post(self, message: Message, now_s: float) -> bool:
        """Keep `message` to be sent; False for one that was paged within PAGE_AGAIN_S already. Raises OSError."""
        key = fnv1a64(f"{message.fingerprint} {message.news}".encode("utf-8", "replace"))
        kept = self._file.look()
        if _paged(kept, key, now_s):
            return False
        waiting = self.waiting()
        if len(waiting) >= MOST and message.severity >= max(one["message"]["severity"] for one in waiting):
            self._uncounted += 1  # a storm: nothing is written for what is not kept
            return True
        entry = {"message": message.as_dict(), "posted_s": now_s, "channel": 0, "tries": 0, "next_s": now_s}
        self._file.change(lambda kept: self._put(kept, key, entry, now_s))
        return True

    def _put(self, kept: dict[str, Any], key: str, entry: dict[str, Any], now_s: float) -> bool:
        paged = {name: at for name, at in (kept.get("paged") or {}).items() if 0 <= now_s - at < PAGE_AGAIN_S}
        for old in list(paged)[: max(0, len(paged) + 1 - _PAGED)]:
            del paged[old]
        kept["paged"] = paged | {key: now_s}
        waiting = kept.setdefault("waiting", [])
        waiting.append(entry)
        lost, self._uncounted = self._uncounted, 0
        while len(waiting) > MOST:
            waiting.remove(max(waiting, key=lambda one: (one["message"]["severity"], one["posted_s"])))
            lost += 1
        kept["lost"] = int(kept.get("lost") or 0) + lost
        return True

    def add_to_digest(self, message: Message) -> None:
        """Keep a line for the daily digest. Raises OSError."""

        def work(kept: dict[str, Any]) -> bool:
            lines = kept.setdefault("digest", [])
            line = f"{message.title}; {message.command}"[:400]
            if line in lines:
                return False
            lines.append(line)
            if len(lines) > MOST:
                del lines[0]
                kept["digest_lost"] = int(kept.get("digest_lost") or 0) + 1
            return True

        self._file.change(work)

    def take_digest(self, day: str) -> tuple[list[str], int]:
        """(the lines since the last one, how many are missing); empty, and nothing changes, when that of `day` is out
        or there are none. Raises OSError."""

        def work(kept: dict[str, Any]) -> tuple[list[str], int] | None:
            if kept.get("digested") == day or not kept.get("digest"):
                return None
            kept["digested"] = day
            lines, missing = kept.pop("digest"), int(kept.pop("digest_lost", 0))
            return lines, missing

        return self._file.change(work) or ([], 0)

    def settle(self, message_id: str, posted_s: float, edit: Callable[[dict[str, Any]], bool]) -> None:
        """Change the entry by `edit`, and take it out when that says so. Raises OSError."""

        def work(kept: dict[str, Any]) -> bool:
            waiting = kept.get("waiting") or []
            for one in waiting:
                if one["message"]["id"] == message_id and one["posted_s"] == posted_s:
                    if edit(one):
                        waiting.remove(one)
                    return True
            return False

        self._file.change(work)


def _paged(kept: dict[str, Any], key: str, now_s: float) -> bool:
    last = (kept.get("paged") or {}).get(key)
    return isinstance(last, (int, float)) and 0 <= now_s - last < PAGE_AGAIN_S
