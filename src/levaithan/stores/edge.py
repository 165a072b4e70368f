"""Where a server's answers become ours: errors wrapped once, what is transient tried again, a dead server left alone.

Retries are stamina's and the circuit breaker is pybreaker's; both are loaded with the first call. May not import a
driver: an adapter hands in the function that reads its driver's errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from levaithan.stores.roles import StoreBusyError, StoreDownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.errors import StoreError

    Translate = Callable[[BaseException], StoreError | None]

Answer = TypeVar("Answer")

ATTEMPTS = 3
FAILURES = 5
OPEN_S = 5.0


class Edge:
    """Calls to one server. `translate` tells what a driver's error amounts to: a StoreError, or None for what is the
    data's fault and not the server's; that is passed on as it is.

    After FAILURES calls in a row that the server did not answer, every call fails at once for OPEN_S seconds, then one
    is let through (Nygard, Release It!: circuit breaker).
    """

    def __init__(
        self, store: str, where: str, translate: Translate, *, attempts: int = ATTEMPTS, timeout_s: float = 10.0
    ) -> None:
        self.store = store
        self.where = where
        self.translate = translate
        self.attempts = attempts
        self.timeout_s = timeout_s
        self._breaker: Any = None

    def call(self, ask: Callable[[], Answer], *, again: bool = True) -> Answer:
        """What `ask` answers. `again`: it may be repeated, for it changes nothing or is idempotent. Raises StoreError,
        and what `translate` does not claim."""
        import stamina  # noqa: PLC0415 - an embedded store never needs it

        stamina.instrumentation.set_on_retry_hooks(())  # its own would write to stdout, where answers go
        attempts = self.attempts if again else 1
        for attempt in stamina.retry_context(
            on=StoreBusyError, attempts=attempts, timeout=self.timeout_s, wait_initial=0.05, wait_max=1.0
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
            raise StoreDownError(store=self.store, role=self.store.upper(), where=self.where, reason=words) from None
        return answer

    def _translated(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except Exception as error:
            failure = self.translate(error)
            if failure is None:
                raise
            raise failure from error
