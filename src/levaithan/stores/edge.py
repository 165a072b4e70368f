"""Where a server's answers become ours: errors wrapped once, what is transient tried again, a dead server left alone.

Retries are stamina's and the circuit breaker is pybreaker's; both are loaded with the first call. May not import a
driver: an adapter hands in the function that reads its driver's errors.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from levaithan.stores import full_disk, slow
from levaithan.stores.roles import StoreBusyError, StoreDownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.errors import StoreError

    Translate = Callable[[BaseException], StoreError | None]

Answer = TypeVar("Answer")

ATTEMPTS = 3
FAILURES = 5
OPEN_S = 2.0
_silent: ContextVar[dict[tuple[str, str], StoreDownError] | None] = ContextVar("silent", default=None)
"""Within `once`: (store, where) of the servers that did not answer, and what each said."""


@contextmanager
def once() -> Iterator[None]:
    """Within it a server that does not answer is asked once, and what it said is what every other call gets: a person
    waits, and whether it answers is what is asked. One that answers that it is busy just now is tried again as ever."""
    known = _silent.get()
    token = _silent.set({} if known is None else known)
    try:
        yield
    finally:
        _silent.reset(token)


def _worth_another(error: Exception) -> bool:
    """Whether what failed so may do when it is tried again."""
    return isinstance(error, StoreBusyError) and not (_silent.get() is not None and isinstance(error, StoreDownError))


class Edge:
    """Calls to one server. `translate` tells what a driver's error amounts to: a StoreError, or None for what is the
    data's fault and not the server's; that is passed on as it is.

    After FAILURES calls in a row that the server did not answer, every call fails at once for OPEN_S seconds, then one
    is let through (Nygard, Release It!: circuit breaker).

    A server that said that its disk is full and answers nothing since is said to be that: what it still says then, or
    that it is silent, is a consequence. `disk_fix` is what to do about it.
    """

    def __init__(
        self,
        store: str,
        where: str,
        translate: Translate,
        *,
        attempts: int = ATTEMPTS,
        timeout_s: float = 10.0,
        logs: str = "",
        disk_fix: str = full_disk.FIX,
    ) -> None:
        self.store = store
        self.where = where
        self.translate = translate
        self.attempts = attempts
        self.timeout_s = timeout_s
        self.logs = logs
        self.disk_fix = disk_fix
        self._breaker: Any = None
        self._disk = ""
        """What it last said of a full disk, until it does something again."""

    def call(self, ask: Callable[[], Answer], *, again: bool = True) -> Answer:
        """What `ask` answers. `again`: it may be repeated, for it changes nothing or is idempotent. Raises StoreError,
        and what `translate` does not claim. One that may be repeated is a question: when it is slow, its tries and the
        waiting between them together, it is noted."""
        begun, silent, place = time.monotonic(), _silent.get(), (self.store, self.where)
        if silent is not None and place in silent:
            raise silent[place]
        try:
            return self._tried(ask, self.attempts if again else 1)
        except StoreDownError as down:
            if silent is not None:
                silent[place] = down
            raise
        finally:
            if again:
                slow.asked(self.store, time.monotonic() - begun, self.logs)

    def _tried(self, ask: Callable[[], Answer], attempts: int) -> Answer:
        import stamina  # noqa: PLC0415 - an embedded store never needs it

        stamina.instrumentation.set_on_retry_hooks(())  # its own would write to stdout, where answers go
        for attempt in stamina.retry_context(
            on=_worth_another, attempts=attempts, timeout=self.timeout_s, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                return self._once(ask)
        raise AssertionError("stamina returns or raises")  # pragma: no cover

    def _once(self, ask: Callable[[], Answer]) -> Answer:
        from pybreaker import CircuitBreaker, CircuitBreakerError  # noqa: PLC0415

        if self._breaker is None:
            self._breaker = CircuitBreaker(
                fail_max=FAILURES,
                reset_timeout=OPEN_S,
                exclude=[lambda error: not isinstance(error, StoreDownError)],
                throw_new_error_on_trip=False,
            )
        try:
            answer: Answer = self._breaker.call(self._translated, ask)
        except CircuitBreakerError:
            words = f"it did not answer {FAILURES} times; the next try is within {OPEN_S:g} s"
            raise self._blamed(self._down(words)) from None
        return answer

    def _translated(self, ask: Callable[[], Answer]) -> Answer:
        try:
            answer = ask()
        except Exception as error:
            failure = self.translate(error)
            if failure is None:
                raise
            raise self._blamed(failure) from error
        self._disk = ""
        return answer

    def _blamed(self, failure: StoreError) -> StoreError:
        """`failure` with what is known of the server's disk."""
        words = str(failure.values.get("reason", ""))
        if full_disk.is_named_in(words):
            self._disk = words
            failure.fix = self.disk_fix
        elif self._disk and isinstance(failure, StoreDownError):
            told = self._down(f"its disk is full ({self._disk}), and since then: {words or failure}")
            told.fix = self.disk_fix
            return told
        return failure

    def _down(self, words: str) -> StoreDownError:
        return StoreDownError(store=self.store, role=self.store.upper(), where=self.where, reason=words)
