"""How a PostgreSQL ledger is, in numbers and words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from levaithan.stores import postgres_migrate, postgres_months, postgres_standing, server_versions
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
_SERVER = (
    "SELECT current_setting('server_version'), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, "
    "coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"
)
OLDEST = (14,)
CAPABILITIES = ("months", "retention", "rollups", "machines")


def health(ledger: PostgresLedger) -> Health:
    """See roles.Projected.health. Rows of large months are the planner's guess, small ones are counted."""
    told = Health(LEDGER, True, f"postgresql {ledger.opening.where}", "none", 0, 0, 0, list(ledger.found))
    told.capabilities = CAPABILITIES
    try:
        _server(ledger, told)
        present = ledger.version()
        told.schema = present or "none"
        postgres_migrate.check(ledger.opening, present)
        if present == HEAD:
            _look(ledger, told)
    except Exception as error:
        told.ok = False
        told.problems.insert(0, str(error))
        told.fix = getattr(error, "fix", "")
    return told


def _server(ledger: PostgresLedger, told: Health) -> None:
    ledger.rows("SELECT 1")  # the connection is there now: it is no part of the latency
    before, began = time.time_ns(), time.perf_counter()
    ((server, clock, encrypted),) = ledger.rows(_SERVER)
    told.latency_ms = (time.perf_counter() - began) * 1000
    told.skew_ms = clock / 1000 - (before + time.time_ns()) / 2e6
    told.server = f"PostgreSQL {server}"
    told.encrypted = ledger.opening.server.encrypted(bool(encrypted))
    server_versions.look(told, str(server), OLDEST)


def _look(ledger: PostgresLedger, told: Health) -> None:
    for name, guessed, size in ledger.rows(_PARTS):
        known = guessed >= 0 and size > _SMALL
        told.rows += guessed if known else int(ledger.rows(f'SELECT count(*) FROM "{name}"')[0][0])  # noqa: S608 - its own name
    _, told.excess = postgres_standing.beyond(ledger.rows)
    told.owner, told.owner_excess = postgres_standing.owner(ledger.rows)
    told.dead_letters = ledger.dead_count()
    told.bytes = int(ledger.rows(_BYTES)[0][0])
    strange = int(ledger.rows(f"SELECT count(*) FROM {postgres_months.OTHER}")[0][0])  # noqa: S608 - own name
    if strange:
        told.problems.append(
            f"{strange} events are dated before 2015 or more than two years ahead and stay, whatever the retention, in "
            f"{postgres_months.OTHER}: see the clock of their machine"
        )
