"""How a PostgreSQL ledger is, in numbers and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.stores import postgres_migrate, postgres_months
from levaithan.stores.roles import LEDGER, Health
from levaithan.stores.versions import HEAD

if TYPE_CHECKING:
    from levaithan.stores.postgres_ledger import PostgresLedger

_SMALL = 8 << 20
_PARTS = (
    "SELECT c.relname, c.reltuples::bigint, pg_relation_size(c.oid) FROM pg_inherits i "
    "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass ORDER BY 1"
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
    for name, guessed, size in ledger.rows(_PARTS):
        known = guessed >= 0 and size > _SMALL
        told.rows += guessed if known else int(ledger.rows(f'SELECT count(*) FROM "{name}"')[0][0])  # noqa: S608 - its own name
    told.dead_letters = ledger.dead_count()
    told.bytes = int(ledger.rows(_BYTES)[0][0])
    strange = int(ledger.rows(f"SELECT count(*) FROM {postgres_months.OTHER}")[0][0])  # noqa: S608 - own name
    if strange:
        told.problems.append(
            f"{strange} events are dated before 2015 or more than two years ahead and stay, whatever the retention, in "
            f"{postgres_months.OTHER}: see the clock of their machine"
        )
