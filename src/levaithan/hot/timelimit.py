"""A time limit on code that is not ours to trust: a hook that hangs must become a deny, not a hung Claude Code.

It is an interval timer whose signal raises inside the guarded call; what was set before is put back afterwards, and
nothing is raised outside the guarded call. A resident process, which has no other use for the signal, keeps it and lets
it ring on while there is work: then most limits cost no system call instead of four, and end up to _AGAIN_S late. Works
in the main thread only; elsewhere the caller compares clocks.
Standard library only (`_signal`: the `signal` module brings `enum` along).
"""

from __future__ import annotations

from time import perf_counter

try:
    import _signal  # type: ignore[import-not-found]
except ImportError:  # a Python without the private module
    import signal as _signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_AGAIN_S = 0.05


class Overrun(BaseException):
    """The time is over. A BaseException, so that a hook's own `except Exception` does not swallow it."""


class TimeLimit:
    """`begin(seconds)`, then set `inside` around each guarded call, then `end()` whatever happened."""

    __slots__ = ("_before", "_handler", "_kept", "_resident", "_rings", "_running", "_since", "inside", "until")

    def __init__(self, *, resident: bool = False) -> None:
        self._resident = resident
        self._kept = self._rings = self._running = self.inside = False
        self.until = 0.0
        self._handler: Any = None
        self._before: tuple[float, float] | None = None
        self._since = 0.0
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGALRM,))  # a mask is inherited: no timer would ring

    def begin(self, seconds: float) -> None:
        """Start the clock; `until` is its end on perf_counter(). Without the main thread there is no alarm."""
        self.inside = False
        self._since = perf_counter()
        self.until = self._since + seconds
        if self._kept:
            self._running = True
            if not self._rings:
                self._rings = True
                _signal.setitimer(_signal.ITIMER_REAL, min(max(seconds, 0.001), _AGAIN_S), _AGAIN_S)
            return
        self._before = None
        try:
            self._handler = _signal.signal(_signal.SIGALRM, self._ring)
        except ValueError:
            return
        # It rings again, for code that catches everything.
        self._before = _signal.setitimer(_signal.ITIMER_REAL, max(seconds, 0.001), _AGAIN_S)
        self._kept = self._running = self._rings = self._resident

    def end(self) -> None:
        """Stop the clock and put back the handler and the timer that were there before; kept, it stops by itself."""
        self._running = self.inside = False
        if self._kept:
            return
        before = self._before
        if before is None:
            return
        self._before = None
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(_signal.SIGALRM, _signal.SIG_DFL if self._handler is None else self._handler)
        if before[0]:
            left = before[0] - (perf_counter() - self._since)
            _signal.setitimer(_signal.ITIMER_REAL, max(left, 0.001), before[1])

    def _ring(self, _number: int, _frame: Any) -> None:
        if self.inside and (not self._kept or perf_counter() >= self.until):
            raise Overrun("it took too long")
        if self._kept and not self._running:
            self._rings = False
            _signal.setitimer(_signal.ITIMER_REAL, 0)
