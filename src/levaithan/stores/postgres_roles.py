"""Least privilege on PostgreSQL: a writer that cannot change or drop a table, a reader that cannot write.

Run once with an owner's URL; running it again sets the passwords and rights anew. The owner keeps the tables: months
are made and dropped by the schema's own functions, which the writer may call (migration 0003).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from levaithan.stores import postgres_migrate
from levaithan.stores.edge import Edge
from levaithan.stores.ledger_login import READER, WRITER
from levaithan.stores.postgres_errors import translator
from levaithan.stores.postgres_link import Links
from levaithan.stores.postgres_months import parts
from levaithan.stores.roles import LEDGER, StoreUnsupportedError
from levaithan.stores.versions import HEAD

if TYPE_CHECKING:
    from psycopg import Connection

    from levaithan.stores.opening import Opening

TABLES = ("events", "sessions", "agents", "tool_calls", "decisions", "prompts", "journal_notes", "checkpoints",
           "cursors", "dead_letters", "machines", "rollups")  # fmt: skip
FUNCTIONS = ("levaithan_make_month(bigint)", "levaithan_drop_month(text)")
_MAY = (
    "SELECT r.rolcreaterole OR r.rolsuper, (SELECT pg_has_role(current_user, c.relowner, 'USAGE') FROM pg_class c "
    "WHERE c.oid = 'events'::regclass), current_user, current_schema(), current_database() "
    "FROM pg_roles r WHERE r.rolname = current_user"
)


@dataclass(slots=True, frozen=True)
class RolesMade:
    """What `make_roles` did: names of the roles it made, and of those that were there; both have the rights now."""

    made: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)


def make_roles(
    opening: Opening,
    writer_password: str,
    reader_password: str,
    *,
    writer: str = WRITER,
    reader: str = READER,
    keep: bool = False,
) -> RolesMade:
    """Make the roles `writer` and `reader`, or bring them up to date, over the owner's URL in `opening`.

    The schema must be there (`migrate` first). `keep`: a role that is there keeps its password. Passwords leave this
    process as SCRAM verifiers only, so the server's log cannot show them. All of it in one transaction. Raises
    StoreError, with what to do when the URL's user may not.
    """
    edge = Edge(LEDGER, opening.where, translator(opening), timeout_s=opening.timeout_s)

    def ask() -> RolesMade:
        link = Links(opening).writer()
        try:
            schema, database = _allowed(opening, link)
            with link.transaction():
                done = RolesMade()
                for name, password in ((writer, writer_password), (reader, reader_password)):
                    (done.made if _make(link, name, password, keep=keep) else done.present).append(name)
                _grant(link, schema, database, writer, reader)
            return done
        finally:
            link.close()

    return edge.call(ask)


def _allowed(opening: Opening, link: Connection[Any]) -> tuple[str, str]:
    """The schema and the database. Raises StoreUnsupportedError when this user may not make roles or grant rights."""
    present = postgres_migrate.version(link)
    told: dict[str, Any] = {"store": LEDGER, "role": LEDGER.upper(), "where": opening.where}
    if present != HEAD:
        words = f"its schema is {present or 'not there'}, roles are made for {HEAD}"
        raise StoreUnsupportedError(
            **told, reason=words, fix="run `levaithan store migrate` with the owner's URL first"
        )
    row = link.execute(_MAY).fetchone()
    assert row is not None, "the current user is a role"  # noqa: S101 - of pg_roles
    creates, owns, user, schema, database = row
    if not creates or not owns:
        lacks = "may not create roles" if not creates else "does not own the tables"
        raise StoreUnsupportedError(
            **told, reason=f"its user {user} {lacks}",
            fix="use the URL of the database's owner with CREATEROLE, or let an administrator run: "
            f"ALTER ROLE {user} CREATEROLE",
        )  # fmt: skip
    return str(schema), str(database)


def _make(link: Connection[Any], name: str, password: str, *, keep: bool) -> bool:
    """Make the role or set its password; whether it was made."""
    known = link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    if known and keep:
        return False
    verifier = link.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    verb = "ALTER" if known else "CREATE"
    link.execute(
        sql.SQL(verb + " ROLE {} LOGIN NOINHERIT PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
    )
    return not known


def _grant(link: Connection[Any], schema: str, database: str, writer: str, reader: str) -> None:
    names = {
        "s": sql.Identifier(schema), "d": sql.Identifier(database), "w": sql.Identifier(writer),
        "r": sql.Identifier(reader), "tables": sql.SQL(", ").join(map(sql.Identifier, TABLES)),
        "months": sql.SQL(", ").join(map(sql.Identifier, parts(link))), "functions": sql.SQL(", ".join(FUNCTIONS)),
    }  # fmt: skip
    for words in (
        "REVOKE CREATE ON SCHEMA {s} FROM PUBLIC",
        "GRANT USAGE ON SCHEMA {s} TO {w}, {r}",
        "GRANT CONNECT ON DATABASE {d} TO {w}, {r}",
        "GRANT TEMPORARY ON DATABASE {d} TO {w}",
        "GRANT SELECT ON {tables}, {months}, schema_version TO {w}, {r}",
        "GRANT INSERT, UPDATE, DELETE ON {tables} TO {w}",
        "GRANT EXECUTE ON FUNCTION {functions} TO {w}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT ON TABLES TO {w}, {r}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT INSERT, UPDATE, DELETE ON TABLES TO {w}",
        "ALTER ROLE {r} SET default_transaction_read_only = on",
    ):
        link.execute(sql.SQL(words).format(**names))
