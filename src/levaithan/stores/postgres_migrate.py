"""Makes the ledger's schema on PostgreSQL and brings an older one up: Alembic, in one transaction, under a lock that
two services that start at once both ask for. Rows are counted before and after. What it makes belongs to the role that
owns the schema, whoever asks (postgres_roles).

There is no file to copy: what a copy needs is said (`pg_dump`), and a migration that fails leaves everything as it was.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from levaithan.stores import postgres_owner
from levaithan.stores.ledger_login import OWNER, as_user
from levaithan.stores.postgres_link import Links, patient
from levaithan.stores.roles import LEDGER, SchemaTooNewError, StoreAuthError, StoreUnsupportedError
from levaithan.stores.versions import HEAD, KNOWN

if TYPE_CHECKING:
    from psycopg import Connection

    from levaithan.stores.edge import Edge
    from levaithan.stores.opening import Opening

_LOCK = 549920382
_KNOWN_TABLE = re.compile(r"\d{4}")


def version(link: Connection[Any]) -> str:
    """The schema's version; "" where there is none. Raises psycopg.Error."""
    row = link.execute("SELECT to_regclass('schema_version') IS NOT NULL, to_regclass('events') IS NOT NULL").fetchone()
    if not row or not row[0]:
        return "foreign" if row and row[1] else ""
    found = link.execute("SELECT version_num FROM schema_version").fetchone()
    return str(found[0]) if found else ""


def check(opening: Opening, present: str) -> None:
    """Raise SchemaTooNewError for a version that a newer levaithan made, StoreUnsupportedError for none of ours."""
    if not present or present in KNOWN:
        return
    if _KNOWN_TABLE.fullmatch(present) and present > HEAD:
        raise SchemaTooNewError(
            store=LEDGER, path=opening.where, found=present, known=HEAD, fix="update levaithan on this machine"
        )
    raise StoreUnsupportedError(
        store=LEDGER, role=LEDGER.upper(), where=opening.where,
        fix="name a database of its own in LEVAITHAN_LEDGER_URL",
        reason="it has tables called events that are not levaithan's" if present == "foreign"
        else f"its schema version is {present!r}",
    )  # fmt: skip


def migrated(opening: Opening, edge: Edge, schema: str) -> list[str]:
    """Bring the tables in `schema` (a name; "": wherever the user's are made) to this version, as the owner where its
    password is known, else or where the server does not let it, as the opening's own user; what was done, in words.

    Raises StoreError, and what `edge` passes on.
    """
    said = []
    if opening.owner_password and opening.server.user != OWNER:
        as_owner = replace(opening, url=as_user(opening.url, OWNER), password=opening.owner_password)
        try:
            done = edge.call(lambda: _connected(as_owner, schema))
        except (StoreAuthError, StoreUnsupportedError) as problem:
            said.append(
                f"the ledger's schema could not be made as {OWNER} ({problem.values.get('reason', problem)}), so it "
                f"was made as the user of LEVAITHAN_LEDGER_URL. next: levaithan setup, which mends that"
            )
        else:
            return [done] if done else []
    done = edge.call(lambda: _connected(opening, schema))
    return [*said, *([done] if done else [])]


def _connected(opening: Opening, schema: str) -> str:
    link = Links(opening).writer()
    try:
        if schema:
            postgres_owner.stay_in(link, schema)
        return upgrade(opening, link)
    finally:
        link.close()


def upgrade(opening: Opening, link: Connection[Any], target: str = "head") -> str:
    """Bring the schema to this version over `link`, which is used up; what was done, in words, "" for nothing.

    What it makes belongs to the owner of the tables that are there, where the link's user may act as that one. Raises
    StoreError, psycopg.Error and SQLAlchemy's.
    """
    link.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # ends with the connection
    present = version(link)
    check(opening, present)
    if present == HEAD:
        return ""
    postgres_owner.become(link, making=True)
    with patient(link):
        after = _upgrade(link, target)
    if not present:
        return ""
    return (
        f"the ledger at {opening.where} went from schema {present} to {HEAD}, {sum(after.values())} rows kept; "
        "before the next update a copy can be made by: pg_dump --format=custom --file=ledger.dump"
    )


def _upgrade(link: Connection[Any], target: str) -> dict[str, int]:
    """Run the migrations in one transaction; the rows that there are then. Raises MigrationLostRowsError."""
    from alembic import command  # noqa: PLC0415 - costs half a second, needed once a release
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415

    from levaithan.stores.migrate import MigrationLostRowsError, config_for  # noqa: PLC0415

    link.execute("SET idle_in_transaction_session_timeout = 0")
    link.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: link, poolclass=StaticPool, use_native_hstore=False)
    with engine.begin() as over:
        before = _counts(link)
        command.upgrade(config_for(over), target)
        after = _counts(link)
        changed = [
            f"{name} {before[name]} -> {after.get(name, 0)}" for name in before if after.get(name) != before[name]
        ]
        if changed:
            raise MigrationLostRowsError(to=HEAD, reason=", ".join(changed), backup="what is there (it is as before)")
    link.autocommit = True
    return after


def _counts(link: Connection[Any]) -> dict[str, int]:
    """The number of rows of each table that is there."""
    from levaithan.stores.schema import COUNTED  # noqa: PLC0415 - loads SQLAlchemy

    found = {}
    for name in COUNTED:
        there = link.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
        if there and there[0]:
            row = link.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608 - own names
            found[name] = int(row[0]) if row else 0
    return found
