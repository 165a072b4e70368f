"""A PostgreSQL ledger rewritten in place from the journal: rows that differ are replaced, rows that nobody wrote go.

Rows that are as they should be are not touched, so a rewrite of a sound ledger writes nothing. Other journals' rows are
never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from levaithan.stores import poison, postgres_counted, rollups
from levaithan.stores.postgres_link import patient
from levaithan.stores.roles import LEDGER, Delivery, Rejected
from levaithan.stores.times import FIRST_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection, Cursor

_OF: dict[str, tuple[str, ...]] = {
    "events": ("id", "at_us"), "journal_notes": ("journal", "seq"), "checkpoints": ("journal", "seq"),
}  # fmt: skip
_BY_EVENT: dict[str, tuple[str, ...]] = {"decisions": ("event_id", "position"), "prompts": ("event_id",)}
_HEARD = (
    "UPDATE machines m SET newest_us = e.newest_us FROM (SELECT left(machine, 200) AS machine, max(at_us) AS newest_us "
    "FROM events WHERE journal = %s GROUP BY 1) e WHERE m.journal = %s AND m.machine = e.machine "
    "AND m.newest_us > e.newest_us"
)
_UNHEARD = (
    "DELETE FROM machines m WHERE m.journal = %s AND (SELECT first FROM rewritten_span) <= 1 AND NOT EXISTS "
    "(SELECT 1 FROM events e WHERE e.journal = m.journal AND left(e.machine, 200) = m.machine)"
)
_PRUNED = "first > 2"
"""Of the span: records before it were pruned. The first one of all is the head of a segment: nothing is made of it."""
_EARLY = f"seq < first + {rollups.NEAR}"
_TRUE = f"at_us >= {FIRST_US} AND at_us < extract(epoch FROM clock_timestamp()) * 1000000"
_BEGUN = (
    "UPDATE rewritten_span SET begun_us = (SELECT (array_agg(at_us ORDER BY at_us))[count(*) / 2 + 1] FROM "  # noqa: S608 - own words
    f"(SELECT seq, at_us FROM fresh_events UNION ALL SELECT seq, at_us FROM events WHERE journal = %s "
    f"AND seq BETWEEN first AND last AND {_EARLY}) near WHERE {_EARLY} AND {_TRUE}) "
    f"WHERE {_PRUNED} AND last < first + {rollups.NEAR}"
)
"""The middle of the first events' times (rollups.NEAR): of those that the rewrite has put before, and of the batch."""
_HOUR = f"at_us - at_us % {rollups.HOUR_US}".replace("%", "%%")
_KEPT = (
    "CREATE TEMP TABLE kept_hours ON COMMIT DROP AS SELECT hour_us FROM (SELECT hour_us, sum(events) AS counted FROM "  # noqa: S608 - own words
    f"rollups r WHERE journal = %(journal)s AND NOT EXISTS (SELECT 1 FROM rewritten_span WHERE NOT ({_PRUNED}) "
    "OR r.hour_us > begun_us) GROUP BY 1) s "
    f"LEFT JOIN (SELECT {_HOUR} AS hour_us, count(*) AS there FROM events WHERE journal = %(journal)s AND canary = 0 "
    "GROUP BY 1) e USING (hour_us) WHERE s.counted > coalesce(e.there, 0)"
)
_GONE = "CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT id, session_id, tool_use_id FROM events WHERE journal = %s"


def make_room(run: Cursor[Any], batch: Sequence[Delivery]) -> None:
    """Remove what is there of the batch's records and is not what was just copied into the fresh_ tables."""
    numbers = [one.seq for one in batch if one.seq > 0]
    if not numbers:
        return
    run.execute("INSERT INTO rewritten_span (first, last) SELECT %s, %s WHERE NOT EXISTS (SELECT FROM rewritten_span)",
                (min(numbers), min(numbers) - 1))  # fmt: skip
    run.execute(_BEGUN, (batch[0].journal,))
    span = {"journal": batch[0].journal, "last": max(numbers)}
    for table, keys in _OF.items():
        same = " AND ".join(f"f.{key} = t.{key}" for key in keys)
        run.execute(
            f"DELETE FROM {table} t WHERE t.journal = %(journal)s AND t.seq BETWEEN "  # noqa: S608 - own words
            f"(SELECT last + 1 FROM rewritten_span) AND %(last)s AND NOT EXISTS (SELECT 1 FROM fresh_{table} f "
            f"WHERE {same} AND f.* IS NOT DISTINCT FROM t.*)",
            span,
        )
    run.execute(  # one that claims another number or journal
        "DELETE FROM events t USING fresh_events f WHERE t.id = f.id AND f.* IS DISTINCT FROM t.*"
    )
    for table, keys in _BY_EVENT.items():
        same = " AND ".join(f"f.{key} = t.{key}" for key in keys)
        run.execute(
            f"DELETE FROM {table} t USING fresh_events e WHERE t.event_id = e.id AND NOT EXISTS "  # noqa: S608 - own words
            f"(SELECT 1 FROM fresh_{table} f WHERE {same} AND f.* IS NOT DISTINCT FROM t.*)"
        )
    _replace_derived(run, batch[0].journal)
    run.execute("UPDATE rewritten_span SET last = greatest(last, %s)", (max(numbers),))


_DERIVED: dict[str, tuple[str, ...]] = {
    "tool_calls": ("tool_use_id",), "sessions": ("session_id",), "agents": ("session_id", "agent_id"),
}  # fmt: skip
_SINCE = {"tool_calls": "pre_us", "sessions": "first_us", "agents": "first_us"}
"""When it began."""


def _replace_derived(run: Cursor[Any], journal: str) -> None:
    """The first time that a rewrite meets a session, agent or call, its row is begun anew from the journal, unless
    records that the journal has no more, or another machine's, are in it too: then it only grows. One that is older
    than the journal has them though retention has dropped them here, too."""
    for table, keys in _DERIVED.items():
        names, since = ", ".join(keys), _SINCE[table]
        same = " AND ".join(f"k.{key} = t.{key}" for key in keys)
        new = same.replace("k.", "f.")
        run.execute(
            f"WITH met AS (INSERT INTO rewritten_{table} SELECT DISTINCT {names} FROM fresh_{table} "  # noqa: S608 - own words
            f"ON CONFLICT DO NOTHING RETURNING {names}) DELETE FROM {table} t USING met k WHERE {same} "
            "AND NOT EXISTS (SELECT 1 FROM events e WHERE e.session_id = t.session_id AND (e.journal != %s OR e.seq < "
            f"(SELECT first FROM rewritten_span))) AND NOT EXISTS (SELECT 1 FROM rewritten_span, fresh_{table} f WHERE "
            f"{_PRUNED} AND {new} AND t.{since} <= begun_us AND t.{since} < coalesce(f.{since}, begun_us + 1))",
            (journal,),
        )


def begin(link: Connection[Any], journal: str) -> None:
    """Forget the journal's place, and remember on this connection what the rewrite has met. Months stay until its end.

    Raises StoreBusyError while months are being dropped, psycopg.Error."""
    postgres_counted.hold_months(link)
    for table, keys in _DERIVED.items():
        columns = ", ".join(f'{key} text COLLATE "C"' for key in keys)
        link.execute(f"CREATE TEMP TABLE IF NOT EXISTS rewritten_{table} ({columns}, PRIMARY KEY ({', '.join(keys)}))")
        link.execute(f"TRUNCATE rewritten_{table}")
    link.execute("CREATE TEMP TABLE IF NOT EXISTS rewritten_span (first bigint, last bigint, begun_us bigint)")
    link.execute("TRUNCATE rewritten_span")
    with link.transaction():
        postgres_counted.note(link, journal)
        link.execute("DELETE FROM cursors WHERE store = %s AND journal = %s", (LEDGER, journal))


def end(link: Connection[Any], journal: str, last: int) -> None:
    """Remove what claims to be of `journal` behind its record `last`, and count the journal's events again. A machine
    was last heard when its newest event says so; one that no event names goes, unless records were pruned."""
    with patient(link), link.transaction():
        for table in _OF:
            link.execute(f"DELETE FROM {table} WHERE journal = %s AND (seq > %s OR seq < 1)", (journal, last))  # noqa: S608 - own words
        link.execute(_HEARD, (journal, journal))
        link.execute(_UNHEARD, (journal,))
        recount(link, journal)
        postgres_counted.forget(link, journal)
    postgres_counted.release_months(link)


def recount(link: Connection[Any], journal: str) -> None:
    """The hourly sums of `journal` anew, from its events.

    An hour of which the journal has lost records keeps its sums if there are fewer events of it than were counted: the
    others are gone, with their month or by hand, and nothing can give their sums back.
    """
    link.execute(_KEPT, {"journal": journal})
    kept = "NOT IN (SELECT hour_us FROM kept_hours)"
    link.execute(f"DELETE FROM rollups WHERE journal = %s AND hour_us {kept}", (journal,))  # noqa: S608 - own words
    anew = rollups.count_sql(
        "events", f"e.journal = GIVEN AND e.at_us - e.at_us % {rollups.HOUR_US} {kept}", "postgresql"
    )
    link.execute(anew.replace("%", "%%").replace("GIVEN", "%s"), (journal,))


def harmless_again(
    link: Connection[Any], batch: Sequence[Delivery], rejected: list[Rejected], most: int
) -> list[Delivery]:
    """`batch`, with those of the `rejected` made harmless (`most`: bytes of a field) that a person had delivered so."""
    numbers = [one.delivery.seq for one in rejected if one.delivery.seq > 0]
    asked = "SELECT seq FROM events WHERE journal = %s AND sanitized = 1 AND seq = ANY(%s::bigint[])"
    known: set[int] = set()
    if numbers:
        given = (batch[0].journal, "{" + ",".join(map(str, numbers)) + "}")
        known = {int(row[0]) for row in link.execute(asked, given).fetchall()}
    return [(_cured(one, most) or one) if one.seq in known else one for one in batch]


def _cured(delivery: Delivery, max_field: int) -> Delivery | None:
    """`delivery` made harmless once more, or None when it cannot be."""
    if delivery.record is None:
        return None
    try:
        record = poison.cure(delivery.record, max_field)
        body = orjson.dumps(record)
    except (RecursionError, TypeError, ValueError):
        return None
    return Delivery(
        delivery.seq, delivery.hash, delivery.journal, delivery.segment, delivery.offset, record, body, "", True
    )


def drop_journal(link: Connection[Any], journal: str) -> None:
    """Remove what is of `journal`, and what is derived from it alone."""
    with patient(link), link.transaction():
        link.execute(_GONE, (journal,))
        for table in _BY_EVENT:
            link.execute(f"DELETE FROM {table} t USING gone g WHERE t.event_id = g.id")  # noqa: S608 - own names
        for table in (*_OF, "cursors", "dead_letters", "machines", "clock_skews", "rollups"):
            link.execute(f"DELETE FROM {table} WHERE journal = %s", (journal,))  # noqa: S608 - own names
        link.execute(
            "DELETE FROM tool_calls t USING gone g WHERE t.tool_use_id = g.tool_use_id AND NOT EXISTS "
            "(SELECT 1 FROM events e WHERE e.session_id = t.session_id AND e.tool_use_id = t.tool_use_id)"
        )
        for table in ("sessions", "agents"):
            link.execute(
                f"DELETE FROM {table} t USING (SELECT DISTINCT session_id FROM gone) g "  # noqa: S608 - own names
                "WHERE t.session_id = g.session_id AND NOT EXISTS "
                "(SELECT 1 FROM events e WHERE e.session_id = t.session_id)"
            )
