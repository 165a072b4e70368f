"""Least privilege on PostgreSQL: an owner of the tables that is nothing else, a writer that cannot change or drop one,
a reader that cannot write.

Run once with an administrator's URL; running it again sets the passwords and rights anew. Months are made and dropped
by the schema's own functions, with the owner's rights, which the writer may call (migration 0003).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from levaithan.errors import StoreError
from levaithan.stores import postgres_migrate, postgres_owner
from levaithan.stores.edge import Edge
from levaithan.stores.ledger_login import OWNER, READER, WRITER
from levaithan.stores.postgres_errors import translator
from levaithan.stores.postgres_link import Links
from levaithan.stores.postgres_months import parts
from levaithan.stores.postgres_owner import TABLES
from levaithan.stores.roles import LEDGER, StoreUnsupportedError
from levaithan.stores.versions import HEAD

if TYPE_CHECKING:
    from psycopg import Connection

    from levaithan.stores.opening import Opening

FUNCTIONS = ("levaithan_make_month(bigint)", "levaithan_drop_month(text)")
_MAY = (
    "SELECT r.rolcreaterole OR r.rolsuper, (SELECT pg_has_role(current_user, c.relowner, 'USAGE') "
    "OR pg_get_userbyid(c.relowner) = %s FROM pg_class c WHERE c.oid = 'events'::regclass), "
    "current_user, current_schema(), current_database() FROM pg_roles r WHERE r.rolname = current_user"
)
_AS_ADMINISTRATOR = (
    "REVOKE CREATE ON SCHEMA {s} FROM PUBLIC",
    "GRANT USAGE ON SCHEMA {s} TO {w}, {r}",
    "GRANT CONNECT ON DATABASE {d} TO {w}, {r}",
    "GRANT TEMPORARY ON DATABASE {d} TO {w}",
    "ALTER ROLE {r} SET default_transaction_read_only = on",
)
_AS_OWNER = (
    "GRANT SELECT ON {tables}, {months}, schema_version TO {w}, {r}",
    "GRANT INSERT, UPDATE, DELETE ON {tables} TO {w}",
    "GRANT EXECUTE ON FUNCTION {functions} TO {w}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT ON TABLES TO {w}, {r}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT INSERT, UPDATE, DELETE ON TABLES TO {w}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT EXECUTE ON FUNCTIONS TO {w}",
)
_NO_LONGER = (
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} REVOKE ALL ON TABLES FROM {w}, {r}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} REVOKE ALL ON FUNCTIONS FROM {w}",
)
"""What another user makes in the schema from now on is not the ledger's."""


@dataclass(slots=True)
class RolesMade:
    """What `make_roles` did: names of the roles it made, and of those that were there; both have the rights now.

    handed: the tables and functions that went to the owner; refused: why they stay with whom they belong to, and what
    to do, "" where they went or no owner was asked for.
    """

    made: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)
    refused: str = ""


@dataclass(slots=True, frozen=True)
class Names:
    """What the three roles are called."""

    writer: str = WRITER
    reader: str = READER
    owner: str = OWNER


def make_roles(
    opening: Opening,
    writer_password: str,
    reader_password: str,
    owner_password: str = "",
    *,
    names: Names = Names(),
    keep: bool = False,
) -> RolesMade:
    """Make the roles, or bring them up to date, over the administrator's URL in `opening`; with an `owner_password` the
    owner too, to whom all tables and functions of the schema then belong.

    The schema must be there (`migrate` first). `keep`: a role that is there keeps its password. Passwords leave this
    process as SCRAM verifiers only, so no log shows them. All of it in one transaction; a month that was being made
    meanwhile follows in another. Raises StoreError, with what to do when the URL's user may not.
    """
    edge = Edge(LEDGER, opening.where, translator(opening), timeout_s=opening.timeout_s)
    passwords = {names.writer: writer_password, names.reader: reader_password}

    def ask() -> RolesMade:
        link, done = Links(opening).writer(), RolesMade()
        try:
            schema, database = _allowed(opening, link, names.owner)
            with link.transaction():
                postgres_owner.stay_in(link, schema)
                for name, password in passwords.items():
                    (done.made if _make(link, name, password, keep=keep) else done.present).append(name)
                done.refused = postgres_owner.refusal(link, names.owner) if owner_password else ""
                if owner_password and not done.refused:
                    _make_owner(link, names.owner, owner_password, done, keep=keep)
                    done.handed = postgres_owner.hand_over(link, names.owner, schema, database)
                _grant(link, schema, database, names)
            return done
        finally:
            link.close()

    done = edge.call(ask)
    if done.handed:
        _hand_over_the_late(opening, edge, names, done)
    return done


def _hand_over_the_late(opening: Opening, edge: Edge, names: Names, done: RolesMade) -> None:
    """Hand over what was made by who had begun before the first hand-over. Never raises StoreError: the roles are made,
    and their passwords must be kept; setup finds what is left."""

    def ask() -> list[str]:
        link = Links(opening).writer()
        try:
            schema, database = _allowed(opening, link, names.owner)
            postgres_owner.outlast(link)
            with link.transaction():
                postgres_owner.stay_in(link, schema)
                late = postgres_owner.hand_over(link, names.owner, schema, database)
                _grant(link, schema, database, names)
            return late
        finally:
            link.close()

    try:
        done.handed += edge.call(ask)
    except StoreError as problem:
        words = f"a month that was made meanwhile may not belong to {names.owner} yet ({problem})"
        done.refused = f"{words}. next: run this again"


def refusal(opening: Opening, owner: str = OWNER) -> str:
    """Why `make_roles` would make no owner, in words; "" when it would. Changes nothing. Raises StoreError."""
    edge = Edge(LEDGER, opening.where, translator(opening), timeout_s=opening.timeout_s)

    def ask() -> str:
        link = Links(opening).writer()
        try:
            _allowed(opening, link, owner)
            return postgres_owner.refusal(link, owner)
        finally:
            link.close()

    return edge.call(ask)


def _allowed(opening: Opening, link: Connection[Any], owner: str) -> tuple[str, str]:
    """The schema and the database. Raises StoreUnsupportedError when this user may not make roles or grant rights."""
    present = postgres_migrate.version(link)
    told: dict[str, Any] = {"store": LEDGER, "role": LEDGER.upper(), "where": opening.where}
    if present != HEAD:
        words = f"its schema is {present or 'not there'}, roles are made for {HEAD}"
        raise StoreUnsupportedError(
            **told, reason=words, fix="run `levaithan store migrate` with an administrator's URL first"
        )
    row = link.execute(_MAY, (owner,)).fetchone()
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
    verb = "ALTER ROLE {} LOGIN" if known else f"CREATE ROLE {{}} LOGIN {postgres_owner.NOTHING_ELSE}"
    link.execute(sql.SQL(verb + " NOINHERIT PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier)))
    return not known


def _make_owner(link: Connection[Any], owner: str, password: str, done: RolesMade, *, keep: bool) -> None:
    """Make the owner too. One that is there without a login has no password to keep: it counts as made."""
    kept = keep and postgres_owner.logs_in(link, owner)
    made = _make(link, owner, password, keep=kept)
    (done.made if made or (keep and not kept) else done.present).append(owner)


def _grant(link: Connection[Any], schema: str, database: str, names: Names) -> None:
    parts_of = {
        "s": sql.Identifier(schema), "d": sql.Identifier(database), "w": sql.Identifier(names.writer),
        "r": sql.Identifier(names.reader), "tables": sql.SQL(", ").join(map(sql.Identifier, TABLES)),
        "months": sql.SQL(", ").join(map(sql.Identifier, parts(link))), "functions": sql.SQL(", ".join(FUNCTIONS)),
    }  # fmt: skip

    def say(some: tuple[str, ...]) -> None:
        for words in some:
            link.execute(sql.SQL(words).format(**parts_of))

    say(_AS_ADMINISTRATOR)
    owner = postgres_owner.become(link)  # rights for what will be made are those of its maker
    say(_AS_OWNER)
    if owner:
        link.execute("SET LOCAL ROLE NONE")
        say(_NO_LONGER)
