"""What PostgreSQL says, as errors of ours: by SQLSTATE, and by words where a connection never came to have one.

https://www.postgresql.org/docs/current/errcodes-appendix.html. Imports psycopg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from levaithan.errors import StoreError
from levaithan.stores.ledger_login import WRITER
from levaithan.stores.postgres_link import TimeLimitError
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

_AUTH_WORDS = ("authentication failed", "no password supplied", "pg_hba.conf", "password authentication", 'role "')
_TLS_WORDS = ("ssl ", "sslmode", "root.crt", "tls")
_ABSENT_WORDS = ("does not exist", "permission denied for database")
_RIGHTS_FIX = (
    "give its user the rights that docs/how-to/stores.md lists, or use the writer's URL; with an administrator's URL "
    "`levaithan store migrate ledger --roles` makes the roles and gives them theirs"
)
_WRITER_FIX = (
    "correct LEVAITHAN_LEDGER_WRITER_PASSWORD, or run `levaithan store migrate ledger --roles`, which makes "
    f"{WRITER} and sets this password, for all machines (where the URL is no administrator's, take that password out: "
    "its own user is asked); a running service takes it up within seconds"
)
_KINDS: tuple[tuple[type[StoreError] | None, tuple[str, ...]], ...] = (
    (StoreAuthError, ("28",)),
    (StoreDownError, ("08", "57P01", "57P02", "57P03", "57P05", "25P03")),
    (StoreBusyError, ("40", "53", "55", "25006", "58", "57P04")),
    (None, ("22", "23", "54000", "54001", "42804", "42846")),
)
"""Beginnings of SQLSTATE -> what it is; None = the data's fault. The first that fits counts."""
_SCHEMA = ("42P01", "42703", "42883", "3F000", "42P10", "42704")


def translator(opening: Opening) -> Translate:
    """A function that gives the StoreError that an error amounts to; None for what is the data's fault (poison)."""

    def translate(error: BaseException) -> StoreError | None:
        error = getattr(error, "orig", None) or error
        if isinstance(error, StoreError):
            return error
        if not isinstance(error, (psycopg.Error, PoolTimeout, PoolClosed, OSError)):
            return None
        return _read(opening, error)

    return translate


def _read(opening: Opening, error: BaseException) -> StoreError | None:
    read = _kind_of(opening, error)
    split = urlsplit(opening.url)
    if isinstance(read, StoreAuthError) and split.username == WRITER and not split.password:
        read.fix = _WRITER_FIX  # of the URL only the server is used then
    return read


def _kind_of(opening: Opening, error: BaseException) -> StoreError | None:
    told: dict[str, Any] = {
        "store": opening.role, "role": opening.role.upper(), "where": opening.where,
        "reason": opening.hide(reason(error)), "seconds": f"{opening.timeout_s:g}",
        "in_url": opening.in_url,
    }  # fmt: skip
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, (TimeLimitError, PoolTimeout)) or state == "57014":
        return StoreTimeoutError(**told)
    if state:
        return _by_state(state, told)
    if isinstance(error, psycopg.OperationalError):
        return _by_words(told)
    if isinstance(error, (psycopg.InterfaceError, PoolClosed, OSError)):
        return StoreDownError(**told)
    return None  # a value that cannot be written


def _by_state(state: str, told: dict[str, Any]) -> StoreError | None:
    for kind, states in _KINDS:
        if state.startswith(states):
            return None if kind is None else kind(**told)
    fix = None
    if state == "42501":
        fix = _RIGHTS_FIX
    elif state in _SCHEMA:
        told["reason"] = f"its tables are not what this version made ({told['reason']})"
        fix = "run `levaithan store migrate`, or restore the database"
    return StoreUnsupportedError(**told, fix=fix)


def _by_words(told: dict[str, Any]) -> StoreError:
    """An error without a SQLSTATE: the connection was refused or lost, and only the words tell why."""
    words = str(told["reason"]).lower()
    if "connection refused" in words or "timeout expired" in words or "timed out" in words:
        return StoreDownError(**told)
    if "certificate" in words:
        return StoreTlsError(**told)
    if any(part in words for part in _AUTH_WORDS) and 'database "' not in words:
        return StoreAuthError(**told)
    if any(part in words for part in _ABSENT_WORDS):
        return StoreUnsupportedError(**told, fix="create the database, or correct LEVAITHAN_LEDGER_URL")
    if any(part in words for part in _TLS_WORDS) and "closed" not in words and "eof" not in words:
        return StoreTlsError(**told)
    return StoreDownError(**told)


def reason(error: BaseException) -> str:
    """The first lines of what the server or the driver said. libpq says the same once with and once without encryption,
    where it may try both."""
    lines: list[str] = []
    for line in filter(None, map(str.strip, str(error).splitlines())):
        if not any(line in one for one in lines):
            lines.append(line)
    return "; ".join(lines[:2]) or type(error).__name__
