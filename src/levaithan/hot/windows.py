"""How many in the last minute: a sliding window as counts by the second (a plain list, so that JSON can keep it).

Of the buckets, the running second and the sixty before it count, so that every true window of 60 s lies inside of what
is counted: a limit is never exceeded in any of them, and what is over is waited for at most one second too long. It is
the "sliding window counter" with 61 buckets in the place of two (Cloudflare, "How we built rate limiting capable of
scaling to millions of domains", 2017), which needs no guess of how the calls of a bucket are spread. Standard library
only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Window = list[Any]
    """[how many in all, [[second, how many], ...] the oldest first]"""

SPAN = 60


def slide(window: Window, now: int) -> int:
    """How many `window` has at the second `now`; drops what is over. A clock set back by a minute begins anew."""
    seconds = window[1]
    while seconds and seconds[0][0] < now - SPAN:
        window[0] -= seconds.pop(0)[1]
    if seconds and seconds[-1][0] > now + SPAN:
        seconds.clear()
        window[0] = 0
    count: int = window[0]
    return count


def add(window: Window, now: int, by: int = 1) -> None:
    """Count one more in the second `now` (in the newest one, when the clock went back a little)."""
    seconds = window[1]
    window[0] += by
    if seconds and seconds[-1][0] >= now:
        seconds[-1][1] += by
    else:
        seconds.append([now, by])


def take_back(window: Window) -> None:
    """Undo the last `add`, if it is still there."""
    if window[1]:
        window[0] -= 1
        window[1][-1][1] -= 1
        if window[1][-1][1] <= 0:
            window[1].pop()


def wait(window: Window, now: int, limit: int) -> int:
    """Seconds until less than `limit` are left in `window`, at least 1."""
    left = window[0]
    for second, count in window[1]:
        left -= count
        if left < limit:
            return max(int(second) + SPAN + 1 - now, 1)
    return SPAN
