"""Tokens a minute: what the session's transcripts say was used in the last 60 s, where the charter sets a limit.

Tokens that were read from the cache do not count, as they do not for the API's own limits. Of a transcript that is
met for the first time the last MiB is read. What is under way is not in a transcript yet: a limit is exceeded by one
call of each agent at most. Standard library only.
"""

from __future__ import annotations

import os
import time

from levaithan.hot import usage
from levaithan.hot.opinion import Opinion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

_LAST = 1 << 20
_TAILS = 1024


def over(event: Event, context: Context, limit: int) -> Opinion | None:
    """The refusal where the session used `limit` tokens in the last minute, else None."""
    path = event.text("transcript_path")
    if not path:
        return None
    tails: dict[str, usage.Tail] = context.memory.setdefault("pace_tails", {})
    if len(tails) > _TAILS:
        tails.clear()
    now = context.now_us // 1_000_000
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - 60))
    used: list[tuple[str, int]] = []
    for name in usage.files(path):
        tail = tails.get(name)
        if tail is None:
            tail = tails[name] = usage.Tail(name, max(_size(name) - _LAST, 0))
        tail.read(context.loads)
        for call in reversed(tail.calls.values()):
            if call.time < since:
                break
            used.append((call.time, call.tokens - call.cache_read))
    total = sum(tokens for _, tokens in used)
    if total < limit:
        return None
    why = (
        f"LevAIthan: {total} tokens of this session in the last minute, the limit is {limit} [rule pace.tokens]: wait "
        f"{_wait(used, total, limit, now)} s; read less at once"
    )
    return Opinion("deny", why, "pace.tokens")


def _wait(used: list[tuple[str, int]], total: int, limit: int, now: int) -> int:
    """Seconds until so much is over a minute old that less than `limit` is left."""
    for when, tokens in sorted(used):
        total -= tokens
        if total < limit:
            try:
                second = int(when[11:13]) * 3600 + int(when[14:16]) * 60 + int(when[17:19])
            except ValueError:
                return 60
            return 61 - min((now - second) % 86_400, 60)
    return 60


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0
