"""The loop breaker: the same call again and again, or two calls in turn, and nothing else between them.

A run's score is a leaky bucket (Turner, "New directions in communications", IEEE Communications 24(10), 1986): each
repetition adds one, and each minute takes one away. So calls that follow each other count in full, what polls every
half minute counts half, and what comes once a minute never adds up. A run is forgotten after ten minutes of silence.
Standard library only, and lean.
"""

from __future__ import annotations

from binascii import crc32

from levaithan.hot.opinion import Opinion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from levaithan.hot.event import Event

    Run = list[Any]
    """[mark of the last call, of the one before, times in a row, their score, calls in turn, their score, when (us)]"""

_COSMETIC = "description"
"""Words of the model about a call: they do not change what it does."""
_MOST_BYTES = 64 << 10
_TAIL = 1024
_SMALL = 8192
_MOST_VALUES = 1000
_LEAK_US = 60_000_000
_FORGOTTEN_US = 600_000_000
_SLACK = 0.5
"""What a fast run may leak on its way, so that the 25th call of it is the 25th."""


def mark_of(event: Event) -> int:
    """What makes two calls the same: tool and input, as a CRC-32 that is the same in every process.

    Of a small input all counts as it is; of a long one the first 64 KiB, the end of each text and all lengths, so that
    it costs the same whatever the size. Two different calls are taken for the same once in 2**32.
    """
    if len(event.raw) <= _SMALL:
        pairs = sorted([pair for pair in event.tool_input.items() if pair[0] != _COSMETIC])
        return crc32(repr((event.tool_name, pairs)).encode("utf-8", "surrogatepass"))
    mark, room, values = crc32((event.tool_name or "").encode("utf-8", "surrogatepass")), _MOST_BYTES, _MOST_VALUES
    given = event.tool_input
    waiting: list[Any] = [{key: given[key] for key in given if key != _COSMETIC} if _COSMETIC in given else given]
    while waiting and room > 0 and values > 0:
        value = waiting.pop()
        values -= 1
        kind = type(value)
        if kind is str:
            text = value if len(value) <= room else value[:room] + value[-_TAIL:]
            mark = crc32(b"%d:" % len(value) + text.encode("utf-8", "surrogatepass"), mark)
            room -= len(text)
        elif kind is dict:
            mark = crc32(b"{%d" % len(value), mark)
            for key in sorted(value) if len(value) <= values else list(value)[:values]:
                waiting += (value[key], key)
        elif kind is list:
            mark = crc32(b"[%d" % len(value), mark)
            waiting += value[:values]
        else:
            mark = crc32(repr(value).encode(), mark)
    return mark


def step(
    run: Run | None, mark: int, event: Event, now_us: int, pace: dict[str, Any]
) -> tuple[Run | None, Opinion | None]:
    """(the run with this call in it, None where the call is refused and does not count; what is said to it)."""
    if run is None or now_us - run[6] > _FORGOTTEN_US or now_us < run[6] - _FORGOTTEN_US:
        return [mark, 0, 1, 1.0, 1, 1.0, now_us], None
    last, before, times, score, turns, turned, last_us = run
    leaked = max(now_us - last_us, 0) / _LEAK_US
    most = pace["pingpong_deny"]
    in_turn = max(turned - leaked, 0.0) + 1
    held = most and mark == last and in_turn >= most - _SLACK  # its turn was refused: the other one is no way out
    if mark == last and not held:
        grown = max(score - leaked, 0.0) + 1
        fresh = [mark, last, times + 1, grown, 1, 1.0, now_us]
        limits = (pace["repeats_warn"], pace["repeats_deny"])
        return _judged(fresh, score, grown, limits, lambda: _same(event, times + 1))
    if mark not in (before, last):
        turns, turned, in_turn = 1, 1.0, max(1.0 - leaked, 0.0) + 1
    fresh = [mark, last, 1, 1.0, turns + 1, in_turn, now_us]
    return _judged(fresh, turned, in_turn, (most // 2, most), lambda: _turns(turns + 1))


def _judged(
    fresh: Run, before: float, score: float, limits: tuple[int, int], words: Callable[[], tuple[str, str, str]]
) -> tuple[Run | None, Opinion | None]:
    warn, deny = limits
    if deny and score >= deny - _SLACK:
        rule, seen, instead = words()
        wait = int((score - deny + _SLACK) * 60) + 1
        why = f"LevAIthan: {seen} [rule {rule}]. {instead}; the same may be tried again in {wait} s"
        return None, Opinion("deny", why, rule)
    if warn and int((score + _SLACK) / warn) > int(
        (before + _SLACK) / warn
    ):  # once at each multiple: at every call it would be noise
        rule, seen, instead = words()
        return fresh, Opinion("allow", None, rule, f"LevAIthan: {seen}. {instead}.")
    return fresh, None


def _same(event: Event, times: int) -> tuple[str, str, str]:
    seen = f"this is call {times} in a row of {(event.tool_name or '')[:64]} with the same input"
    return "pace.loop", seen, "If you wait for something, say so and wait longer in one call; else try something else"


def _turns(turns: int) -> tuple[str, str, str]:
    seen = f"these are {turns} calls in a row that only go back and forth between the same two"
    return "pace.pingpong", seen, "Neither brings you further: say what you are missing, or try something else"
