"""Least privilege on PostgreSQL: a writer that cannot change or drop a table, a reader that cannot write, and an owner
of the schema that nobody logs in as.

Run once with an administrator's URL; running it again sets the passwords and rights anew. Tables and functions are
handed over to the owner: months are made and dropped by the schema's own functions, which the writer may call and which
run with its rights (migration 0003), and migrations go on as it (postgres_migrate).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from levaithan.stores import postgres_migrate
from levaithan.stores.edge import Edge
from levaithan.stores.ledger_login import OWNER, READER, WRITER
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
    owner: str = OWNER,
    keep: bool = False,
) -> RolesMade:
    """Make the roles `writer`, `reader` and `owner`, or bring them up to date, over the URL in `opening`, whose user
    may make roles and owns the tables, or may act for their owner. `owner` owns them afterwards.

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
                (done.made if _make_owner(link, owner) else done.present).append(owner)
                _hand_over(link, schema, database, owner)
                for name, password in ((writer, writer_password), (reader, reader_password)):
                    (done.made if _make(link, name, password, keep=keep) else done.present).append(name)
                _grant(link, schema, database, (writer, reader, owner))
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
            **told, reason=words, fix="run `levaithan store migrate` with an administrator's URL first"
        )
    row = link.execute(_MAY).fetchone()
    assert row is not None, "the current user is a role"  # noqa: S101 - of pg_roles
    creates, owns, user, schema, database = row
    if not creates or not owns:
        lacks = "may not create roles" if not creates else "does not own the tables"
        raise StoreUnsupportedError(
            **told, reason=f"its user {user} {lacks}",
            fix="use the URL of a user with CREATEROLE who owns the tables, or let an administrator run: "
            f"ALTER ROLE {user} CREATEROLE" + ("" if owns else f"; GRANT {OWNER} TO {user}, where that role is there"),
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


def _make_owner(link: Connection[Any], owner: str) -> bool:
    """Make the role that owns the schema, without a login; whether it was made."""
    known = link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (owner,)).fetchone()
    name = sql.Identifier(owner)
    if not known:
        link.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOINHERIT").format(name))
    if not (link.execute("SELECT pg_has_role(current_user, %s::name, 'USAGE')", (owner,)).fetchone() or (False,))[0]:
        link.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))  # it hands over to it, and changes the schema
    return not known


def _hand_over(link: Connection[Any], schema: str, database: str, owner: str) -> None:
    """Make what is ours the owner's, and nothing else."""
    names = {"o": sql.Identifier(owner), "s": sql.Identifier(schema), "d": sql.Identifier(database)}
    link.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {s} TO {o}").format(**names))
    link.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {d} TO {o}").format(**names))
    wanted = [*TABLES, *parts(link), "schema_version"]
    asked = (
        "SELECT relname FROM pg_class WHERE oid IN (SELECT to_regclass(quote_ident(n)) FROM unnest(string_to_array(%s, "
        "',')) n) AND relowner <> %s::regrole ORDER BY relname"
    )
    for (table,) in link.execute(asked, (",".join(wanted), sql.Identifier(owner).as_string(link))).fetchall():
        link.execute(sql.SQL("ALTER TABLE {} OWNER TO {o}").format(sql.Identifier(table), **names))
    for function in FUNCTIONS:
        link.execute(sql.SQL("ALTER FUNCTION " + function + " OWNER TO {o}").format(**names))


def _grant(link: Connection[Any], schema: str, database: str, roles: tuple[str, str, str]) -> None:
    writer, reader, owner = roles
    names = {
        "s": sql.Identifier(schema), "d": sql.Identifier(database), "w": sql.Identifier(writer),
        "r": sql.Identifier(reader), "o": sql.Identifier(owner),
        "tables": sql.SQL(", ").join(map(sql.Identifier, TABLES)),
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
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} REVOKE ALL ON TABLES FROM {w}, {r}",  # of who owned them before
        "ALTER DEFAULT PRIVILEGES FOR ROLE {o} IN SCHEMA {s} GRANT SELECT ON TABLES TO {w}, {r}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {o} IN SCHEMA {s} GRANT INSERT, UPDATE, DELETE ON TABLES TO {w}",
        "ALTER ROLE {r} SET default_transaction_read_only = on",
    ):
        link.execute(sql.SQL(words).format(**names))
