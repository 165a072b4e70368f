"""Tokens a minute: what transcripts say was used in the last 60 s, where the charter sets a limit.

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
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

_LAST = 1 << 20
_TAILS = 1024


def over(event: Event, context: Context, pace: dict[str, Any]) -> Opinion | None:
    """The refusal where the session, the agent or the project used as many tokens in the last minute as `pace` lets
    it, else None."""
    path = event.text("transcript_path")
    if not path:
        return None
    for setting, (whose, files) in _QUOTAS.items():
        limit, where = pace[setting], ""
        if not limit:
            continue
        used = _used(files(path, event, context.now_us // 1_000_000), context)
        if whose == "project" and context.shared is not None:
            from levaithan.hot import shared_pace

            used, limit, where = shared_pace.tokens(event, context, used, limit)
        total = sum(tokens for _, tokens in used)
        if total >= limit:
            why = (
                f"LevAIthan: {total} tokens of this {whose} {where}in the last minute, the limit is {limit} "
                f"[rule pace.tokens]: wait {_wait(used, total, limit)} s; read less at once"
            )
            return Opinion("deny", why, "pace.tokens")
    return None


def _of_session(path: str, _event: Event, _now: int) -> list[str]:
    return usage.files(path)


def _of_agent(path: str, event: Event, _now: int) -> list[str]:
    agent = event.agent_id
    return [f"{path.removesuffix('.jsonl')}/subagents/agent-{agent}.jsonl"] if agent else [path]


def _of_project(path: str, _event: Event, now: int) -> list[str]:
    """The transcripts of all sessions of the project, which the client keeps in one folder, that grew of late."""
    found: list[str] = []
    try:
        with os.scandir(os.path.dirname(path)) as entries:
            names = [entry.path for entry in entries if entry.name.endswith(".jsonl")][:_TAILS]
    except (OSError, ValueError):
        names = []
    for name in dict.fromkeys((path, *names)):
        found += [one for one in usage.files(name) if _grew(one) >= now - 60 or name == path]
    return found


_QUOTAS = {
    "tokens_per_minute": ("session", _of_session),
    "tokens_per_minute_by_agent": ("agent", _of_agent),
    "tokens_per_minute_by_project": ("project", _of_project),
}


def _used(files: list[str], context: Context) -> list[tuple[int, int]]:
    """How many seconds ago how many tokens were used, of what `files` tell of the last minute; each call once."""
    tails: dict[str, usage.Tail] = context.memory.setdefault("pace_tails", {})
    if len(tails) > _TAILS:
        tails.clear()
    now = context.now_us // 1_000_000
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - 60))
    used: dict[str, tuple[int, int]] = {}
    for name in files:
        tail = tails.get(name)
        if tail is None:
            tail = tails[name] = usage.Tail(name, max(_size(name) - _LAST, 0))
        tail.read(context.loads)
        for call in reversed(tail.calls.values()):
            if call.time < since:
                break
            used[call.message_id] = (_ago(call.time, now), call.tokens - call.cache_read)
    return list(used.values())


def _ago(when: str, now: int) -> int:
    """Seconds from `when` (ISO) to the second `now`, 0 to 60; 0 for what is no time."""
    try:
        second = int(when[11:13]) * 3600 + int(when[14:16]) * 60 + int(when[17:19])
    except ValueError:
        return 0
    return min((now - second) % 86_400, 60)


def _wait(used: list[tuple[int, int]], total: int, limit: int) -> int:
    """Seconds until so much is over a minute old that less than `limit` is left."""
    for ago, tokens in sorted(used, reverse=True):
        total -= tokens
        if total < limit:
            return 61 - min(ago, 60)
    return 60


def _grew(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except (OSError, ValueError):
        return 0.0


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0
