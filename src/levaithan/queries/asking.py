"""What every question shares: filters as SQL, times as text, pages. Imports no driver, no SQLAlchemy, no pydantic.

The SQL here is the part that SQLite and Postgres have in common, with `:name` parameters; an adapter's `rows` takes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from levaithan.errors import UsageProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Answers(Protocol):
    """The part of the Ledger role that a question needs. One that machines share also has a `journal`, see `own`."""

    def rows(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The answer to one SELECT with `:name` parameters."""


@dataclass(slots=True, frozen=True)
class Filters:
    """What a list of events is narrowed to; None = any. Times are microseconds since 1970, UTC: since <= at < until."""

    since_us: int | None = None
    until_us: int | None = None
    session: str | None = None
    agent: str | None = None
    tool: str | None = None
    event: str | None = None
    decision: str | None = None
    project: str | None = None
    rule: str | None = None
    include_canary: bool = False


@dataclass(slots=True)
class Page:
    """Rows, and the cursor of the page after them (None = that was all)."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    next: str | None = None


def iso(us: int | None) -> str | None:
    """A time in microseconds as ISO 8601 in UTC, "2026-11-23T15:04:05.123456Z"; None stays None."""
    if us is None:
        return None
    return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def milliseconds(us: int | None) -> float | None:
    """Microseconds as milliseconds; None stays None."""
    return None if us is None else us / 1000


def conditions(filters: Filters) -> tuple[list[str], dict[str, object]]:
    """The filters on `events e` as SQL conditions and their values."""
    said: list[str] = []
    values: dict[str, object] = {}
    columns = (
        ("e.at_us >= :since", "since", filters.since_us), ("e.at_us < :until", "until", filters.until_us),
        ("e.session_id = :session", "session", filters.session), ("e.agent_id = :agent", "agent", filters.agent),
        ("e.tool_name = :tool", "tool", filters.tool), ("e.event = :event", "event", filters.event),
        ("e.decision = :decision", "decision", filters.decision), ("e.project = :project", "project", filters.project),
        ("e.rule = :rule", "rule", filters.rule),
    )  # fmt: skip
    for sql, name, value in columns:
        if value is not None:
            said.append(sql)
            values[name] = value
    if filters.decision is not None and filters.decision != "allow":
        said.append("e.decision != 'allow'")  # spelt as the partial index is, so that it is used
    if not filters.include_canary:
        said.append("e.canary = 0")
    return said, values


def narrowed(ledger: Answers, filters: Filters) -> Filters:
    """`filters` for an agent with what its own row adds: its session and the time it lived, which have an index."""
    if filters.agent is None:
        return filters
    sql = "SELECT session_id, first_us, last_us FROM agents WHERE agent_id = :agent"
    lives = ledger.rows(sql, {"agent": filters.agent})
    since, until = filters.since_us, filters.until_us
    first, last = min((one[1] for one in lives), default=0), max((one[2] for one in lives), default=-1) + 1
    return replace(
        filters,
        session=lives[0][0] if filters.session is None and len(lives) == 1 else filters.session,
        since_us=first if since is None else max(since, first),
        until_us=last if until is None else min(until, last),
    )


def own(ledger: Answers, column: str = "journal") -> tuple[str, dict[str, object]]:
    """The condition that keeps a question about record numbers to this home's journal, and its values: in a ledger that
    machines share each journal counts its own. ("", {}) where there is one journal."""
    journal = getattr(ledger, "journal", "")
    return (f"{column} = :journal", {"journal": journal}) if journal else ("", {})


def where(said: list[str]) -> str:
    """The conditions as a WHERE clause, or nothing."""
    return "WHERE " + " AND ".join(said) if said else ""


_MICROSECONDS = re.compile(r"[0-9]{1,18}")


def keyset(cursor: str | None) -> tuple[int, str] | None:
    """The (at_us, id) that a page's cursor stands for. Raises UsageProblem for anything that was never one."""
    if cursor is None:
        return None
    sign = "-" if cursor.startswith("-") else ""  # before 1970, where a clock starts that has lost its battery
    at_us, separator, one = cursor.removeprefix(sign).partition("-")
    if not separator or not _MICROSECONDS.fullmatch(at_us) or not one:
        raise UsageProblem(f"{cursor!r} is not a cursor.", fix="pass the `next` of the page before, unchanged")
    return int(sign + at_us), one
