"""The owner of a PostgreSQL ledger's tables: a role that may change this one schema and is nothing else on the server.

What other users of the server made is not touched: a table is ours by its name or as a month of events, a function by
its name. What depends on a table (indexes, row types, sequences of its columns) goes with it. Nothing here commits.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from psycopg import Connection

TABLES = ("events", "sessions", "agents", "tool_calls", "decisions", "prompts", "journal_notes", "checkpoints",
           "cursors", "dead_letters", "machines", "clock_skews", "rollups")  # fmt: skip
TOO_MUCH = (
    ("is a superuser", "r.rolsuper"),
    ("may make roles", "r.rolcreaterole"),
    ("may make databases", "r.rolcreatedb"),
    ("passes by row security", "r.rolbypassrls"),
    ("may replicate", "r.rolreplication"),
)
"""What a role of ours never needs: in words, and as SQL over pg_roles r."""
NOTHING_ELSE = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
FLAGS = f"ARRAY[{', '.join(ask for _, ask in TOO_MUCH)}]"
_NOT_ITS = (
    "SELECT 'TABLE', c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p') "
    "AND pg_get_userbyid(c.relowner) <> %(owner)s AND (c.oid IN (SELECT inhrelid FROM pg_inherits "
    "WHERE inhparent = to_regclass('events')) OR c.relname = ANY(string_to_array(%(tables)s, ',')) "
    "AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))) UNION ALL "
    "SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p WHERE starts_with(p.proname, 'levaithan_') "
    "AND p.pronamespace = to_regnamespace(quote_ident(current_schema())) "
    "AND pg_get_userbyid(p.proowner) <> %(owner)s ORDER BY 1, 2"
)
_LACKS = (
    "SELECT NOT has_schema_privilege(r.oid, current_schema(), 'CREATE') "  # noqa: S608 - own words
    "OR NOT has_schema_privilege(r.oid, current_schema(), 'USAGE') "
    "OR NOT has_database_privilege(r.oid, current_database(), 'CONNECT') "
    "OR NOT has_database_privilege(r.oid, current_database(), 'TEMPORARY') "
    f"OR NOT r.rolcanlogin OR true = ANY({FLAGS}) OR 2 > (SELECT count(*) FROM pg_default_acl d "
    "WHERE d.defaclrole = r.oid AND d.defaclobjtype IN ('r', 'f') "
    "AND d.defaclnamespace = to_regnamespace(quote_ident(current_schema()))) "
    "FROM pg_roles r WHERE r.rolname = %(owner)s"
)
_MAY = (
    "SELECT current_user, current_schema(), u.rolsuper, coalesce(true = ANY({flags}), false), "
    "r.oid IS NULL OR {join}, has_schema_privilege(current_schema(), 'CREATE WITH GRANT OPTION') "
    "OR has_schema_privilege('public', current_schema(), 'CREATE') "
    "OR coalesce(has_schema_privilege(r.oid, current_schema(), 'CREATE'), false) "
    "FROM pg_roles u LEFT JOIN pg_roles r ON r.rolname = %(owner)s WHERE u.rolname = current_user"
)
_OF_TABLES = (
    "SELECT pg_get_userbyid(c.relowner), c.relowner <> u.oid AND pg_has_role(u.oid, c.relowner, {act}), "
    "has_schema_privilege(c.relowner, current_schema(), 'CREATE') "
    "FROM pg_class c JOIN pg_roles u ON u.rolname = current_user WHERE c.oid = to_regclass('schema_version')"
)
_WIDE = f"SELECT 1 FROM pg_roles r WHERE r.rolname = %(owner)s AND true = ANY({FLAGS})"  # noqa: S608 - own words
_NEEDS = (
    "GRANT CREATE, USAGE ON SCHEMA {s} TO {o}",
    "GRANT CONNECT, TEMPORARY ON DATABASE {d} TO {o}",
)
_RUNNING = (
    "SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.granted "
    "AND l.locktype = 'virtualxid' AND a.datname = current_database() AND l.pid <> pg_backend_pid()"
)
OUTLAST_S = 5.0
_SETTABLE = 160000
"""Since PostgreSQL 16 a member may act as a role only where that was granted, and who made a role is not."""


def not_its(link: Connection[Any], owner: str) -> list[tuple[str, str]]:
    """(kind, name as SQL) of each object of ours that does not belong to `owner`. Raises psycopg.Error."""
    return link.execute(_NOT_ITS, {"owner": owner, "tables": ",".join((*TABLES, "schema_version"))}).fetchall()


def lacks(link: Connection[Any], owner: str) -> bool:
    """Whether the role `owner`, which is there, does not own all of ours, may too much, or may not what it needs."""
    (poorer,) = link.execute(_LACKS, {"owner": owner}).fetchone() or (True,)
    return bool(poorer) or bool(not_its(link, owner))


def logs_in(link: Connection[Any], owner: str) -> bool:
    """Whether the role is there and has a login. Raises psycopg.Error."""
    return bool(link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin", (owner,)).fetchone())


def refusal(link: Connection[Any], owner: str) -> str:
    """Why the current user, who may make roles and has the tables, may not hand them to `owner`, and what an
    administrator can do about it; "" when it may. Raises psycopg.Error."""
    join = "pg_has_role(u.oid, r.oid, 'MEMBER WITH ADMIN OPTION') OR pg_has_role(u.oid, r.oid, 'SET')"
    asked = _MAY.format(flags=FLAGS, join=join if link.info.server_version >= _SETTABLE else "true")
    row = link.execute(asked, {"owner": owner}).fetchone()
    assert row is not None, "the current user is a role"  # noqa: S101 - of pg_roles
    user, schema, superuser, too_much, joins, grants = row
    if superuser:
        return ""
    if too_much:
        return _said(user, owner, f"{owner} may more than an owner needs", f"ALTER ROLE {owner} {NOTHING_ELSE}")
    if not joins:
        words = f"{owner} is there, and {user} may not act as it"
        return _said(user, owner, words, f"GRANT {owner} TO {user} WITH ADMIN OPTION")
    if not grants:
        words = f"it may not let another role make tables in the schema {schema}"
        return _said(user, owner, words, f"GRANT CREATE, USAGE ON SCHEMA {schema} TO {user} WITH GRANT OPTION")
    return ""


def _said(user: str, owner: str, why: str, words: str) -> str:
    return (
        f"the ledger's tables stay with whom they belong to: the user {user} may not hand them to {owner} ({why}). "
        f"next: let an administrator of the server run `{words}`, then run this again"
    )


def hand_over(link: Connection[Any], owner: str, schema: str, database: str) -> list[str]:
    """Give the role `owner`, which is there, its rights and no more, and all of ours that is not its own; the names of
    that.

    To be called in a transaction, by who may (`refusal`). Raises psycopg.Error.
    """
    names = {"o": sql.Identifier(owner), "s": sql.Identifier(schema), "d": sql.Identifier(database)}
    if link.execute(_WIDE, {"owner": owner}).fetchone():
        link.execute(sql.SQL("ALTER ROLE {o} " + NOTHING_ELSE).format(**names))
    for words in _NEEDS:
        link.execute(sql.SQL(words).format(**names))
    _join(link, owner)
    if not not_its(link, owner):
        return []
    # In the order of a batch, so that neither waits for the other for ever; and no month is made meanwhile.
    link.execute("LOCK TABLE cursors, events IN ACCESS EXCLUSIVE MODE")
    given = not_its(link, owner)
    for kind, name in given:
        link.execute(sql.SQL(f"ALTER {kind} {name} OWNER TO {{o}}").format(**names))  # the server quoted it
    return [name for _, name in given]


def outlast(link: Connection[Any]) -> None:
    """Wait for the transactions of now to end, OUTLAST_S at most: what called a function before it was handed over
    still makes a month with the rights, and in the name, of the owner before. Raises psycopg.Error."""
    until, left = time.monotonic() + OUTLAST_S, set(link.execute(_RUNNING).fetchall())
    while left and time.monotonic() < until:
        time.sleep(0.02)
        left &= set(link.execute(_RUNNING).fetchall())


def _join(link: Connection[Any], owner: str) -> None:
    """Let the current user act as `owner` and use what it owns: machines that have no other login go on working."""
    settable = link.info.server_version >= _SETTABLE
    kinds = ("SET", "USAGE") if settable else ("MEMBER", "MEMBER")
    row = link.execute(
        "SELECT pg_has_role(%s::name, %s) AND pg_has_role(%s::name, %s)", (owner, kinds[0], owner, kinds[1])
    ).fetchone()
    if row and row[0]:
        return
    how = " WITH INHERIT TRUE, SET TRUE" if settable else ""
    link.execute(sql.SQL("GRANT {} TO CURRENT_USER" + how).format(sql.Identifier(owner)))


def become(link: Connection[Any], *, making: bool = False) -> str:
    """From here on act as the role that owns the tables, in the schema of now, so that what is made belongs to it too;
    its name, "" where the current user owns them or may not act as their owner. `making`: only as one that may make
    tables. For the rest of the transaction, else of the session. Raises psycopg.Error."""
    act = "'SET'" if link.info.server_version >= _SETTABLE else "'MEMBER'"
    owner, other, makes = link.execute(_OF_TABLES.format(act=act)).fetchone() or ("", False, False)
    if not other or (making and not makes):
        return ""
    stay_in(link)
    local = "SET LOCAL" if link.info.transaction_status else "SET"
    link.execute(sql.SQL(f"{local} ROLE {{}}").format(sql.Identifier(owner)))
    return str(owner)


def stay_in(link: Connection[Any], schema: str = "") -> None:
    """Look for tables in this schema only (default: the one of now), whoever the user becomes: a search path may name
    the user's own. For the rest of the transaction, else of the session. Raises psycopg.Error."""
    (now,) = link.execute("SELECT current_schema()").fetchone() or (None,)
    local = "SET LOCAL" if link.info.transaction_status else "SET"
    if schema or now:
        link.execute(sql.SQL(f"{local} search_path = {{}}").format(sql.Identifier(schema or str(now))))
