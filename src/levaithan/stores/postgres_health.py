"""How a PostgreSQL ledger is, in numbers and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.stores import postgres_migrate, postgres_months
from levaithan.stores.roles import LEDGER, Health
from levaithan.stores.versions import HEAD

if TYPE_CHECKING:
    from levaithan.stores.postgres_ledger import PostgresLedger

_ROWS = (
    "SELECT coalesce(sum(CASE WHEN c.reltuples < 0 OR pg_relation_size(c.oid) < 8388608 THEN NULL ELSE c.reltuples END), 0)"
    "::bigint, coalesce(string_agg(CASE WHEN c.reltuples < 0 OR pg_relation_size(c.oid) < 8388608 THEN c.relname END, ','), '') "
    "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass"
)
_BYTES = "SELECT pg_database_size(current_database())"
OLDEST = 130000


def health(ledger: PostgresLedger) -> Health:
    """See roles.Projected.health. Rows of large months are the planner's guess, small ones are counted."""
    told = Health(LEDGER, True, f"postgresql {ledger.opening.where}", "none", 0, 0, 0, list(ledger.found))
    try:
        ((server, number),) = ledger.rows(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int"
        )
        told.where = f"postgresql {server} {ledger.opening.where}"
        if number < OLDEST:
            told.problems.append(f"PostgreSQL {server} is older than 13: update the server")
        told.schema = ledger.version() or "none"
        postgres_migrate.check(ledger.opening, told.schema if told.schema != "none" else "")
        if told.schema == HEAD:
            _look(ledger, told)
    except Exception as error:
        told.ok = False
        told.problems.append(str(error))
    return told


def _look(ledger: PostgresLedger, told: Health) -> None:
    ((guessed, small),) = ledger.rows(_ROWS)
    told.rows = int(guessed)
    for name in sorted(filter(None, small.split(","))):
        told.rows += int(ledger.rows(f'SELECT count(*) FROM "{name}"')[0][0])  # noqa: S608 - a name of the catalogue
    told.dead_letters = ledger.dead_count()
    told.bytes = int(ledger.rows(_BYTES)[0][0])
    strange = int(ledger.rows(f"SELECT count(*) FROM {postgres_months.OTHER}")[0][0])  # noqa: S608 - own name
    if strange:
        told.problems.append(
            f"{strange} events are dated before 2015 or more than two years ahead: they are in {postgres_months.OTHER}, "
            "retention does not reach them; see the clock of their machine"
        )
