"""What HelixDB, its engine or the way to it says, as errors of ours. Imports the standard library and the roles only.

The server's statuses are not documented and the engine has none: what counts is "not 200" and the text.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from levaithan.errors import StoreError
from levaithan.stores.roles import (
    StoreAuthError,
    StoreBusyError,
    StoreDownError,
    StoreTimeoutError,
    StoreTlsError,
    StoreUnsupportedError,
)

if TYPE_CHECKING:
    from levaithan.stores.edge import Translate
    from levaithan.stores.opening import Opening

ASKED_WRONGLY = (400, 413, 422)
"""Statuses that are the question's fault. 400 stands for the engine's InvalidRequest and Planner too."""
UNPLANNED = "did not contain a best physical alternative"
"""HelixDB's planner says so, seldom, of a question that it takes a moment later; seen while indexes were being made."""
CONFLICT = "transaction conflict"
_AUTH = (401, 403)
_ABSENT = (404, 405, 501)
_DOWN = (408, 502, 504)
_UNKNOWN_OUTCOME = ("outcome_unknown", "outcome unknown")
_FENCED = ("newer db client", "writer_fenced")
_LONGEST = 300


class RefusedError(Exception):
    """The engine's answer to a question it did not take: its text, and the status (0 where there is none)."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text[:_LONGEST])
        self.status = status


def translator(opening: Opening) -> Translate:
    """A function that gives the StoreError that an error amounts to; None for what is one already, and for what is the
    data's fault (poison)."""

    def translate(error: BaseException) -> StoreError | None:
        if isinstance(error, StoreError):
            return None
        told: dict[str, Any] = {
            "store": opening.role, "role": opening.role.upper(), "where": opening.where,
            "seconds": f"{opening.timeout_s:g}", "reason": opening.hide(str(error)) or type(error).__name__,
            "in_url": opening.in_url,
        }  # fmt: skip
        if isinstance(error, RefusedError):
            return _refused(error, told)
        if isinstance(error, TimeoutError) or _is(error, "TimeoutException"):
            return StoreTimeoutError(**told)
        if isinstance(error, OSError) or _is(error, "TransportError"):
            return _unreached(error, told)
        return None

    return translate


def _is(error: BaseException, name: str) -> bool:
    """Whether it is httpx's error of that name: httpx is not loaded for the engine in this process."""
    return any(one.__name__ == name and one.__module__.startswith("httpx") for one in type(error).__mro__)


def _unreached(error: BaseException, told: dict[str, Any]) -> StoreError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and "certificate" in str(cause).lower():
            return StoreTlsError(**told)
        cause = cause.__cause__ or cause.__context__
    return StoreDownError(**told)


def _refused(error: RefusedError, told: dict[str, Any]) -> StoreError | None:
    by_words = _by_words(str(error).lower(), told)
    if by_words is not None:
        return by_words
    status = {**told, "reason": f"status {error.status}"}
    if error.status in _AUTH:
        return StoreAuthError(**status)
    if error.status in _ABSENT:
        return StoreUnsupportedError(**{**told, "reason": f"it has no POST /v2/query (status {error.status})"})
    if error.status in _DOWN:
        return StoreDownError(**status)
    return None if error.status in ASKED_WRONGLY else StoreBusyError(store=told["store"], reason=told["reason"])


def _by_words(words: str, told: dict[str, Any]) -> StoreError | None:
    """What only the text tells."""
    if any(part in words for part in _UNKNOWN_OUTCOME):
        reason = "it does not know whether the last batch was kept; putting it again changes nothing that is there"
        return StoreBusyError(store=told["store"], reason=reason)
    if any(part in words for part in _FENCED):
        reason = "another program has opened its folder, and only one may"
        return StoreUnsupportedError(**{**told, "reason": reason}, fix="end that program, then `levaithan restart`")
    if "writer mode required" in words:
        return StoreUnsupportedError(**told, fix="name the writer in LEVAITHAN_GRAPH_URL, not a reader")
    return None
