"""Whether PostgreSQL's roles of least privilege are there and right, and what a user may beyond daily work. Changes
nothing; `postgres_roles` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from levaithan.stores.edge import Edge
from levaithan.stores.ledger_login import OWNER, READER, WRITER, as_user
from levaithan.stores.postgres_errors import translator
from levaithan.stores.postgres_link import Links
from levaithan.stores.postgres_roles import FUNCTIONS, TABLES
from levaithan.stores.roles import LEDGER, StoreAuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psycopg import Connection

    from levaithan.stores.opening import Opening

_BEYOND = (
    ("is a superuser", "r.rolsuper"),
    ("may make roles", "r.rolcreaterole"),
    ("may make databases", "r.rolcreatedb"),
    ("passes by row security", "r.rolbypassrls"),
    ("owns the tables", "(SELECT pg_has_role(r.oid, c.relowner, 'USAGE') FROM pg_class c "
     "WHERE c.oid = to_regclass('events'))"),
    ("may make tables", "has_schema_privilege(r.oid, current_schema(), 'CREATE')"),
)  # fmt: skip
"""What nobody needs to read and write rows: in words, and as SQL over pg_roles r."""
_USER = (
    f"SELECT current_user, ARRAY[{', '.join(f'coalesce({ask}, false)' for _, ask in _BEYOND)}] "  # noqa: S608 - own words
    "FROM pg_roles r WHERE r.rolname = current_user"
)
_LACKS = (
    "SELECT EXISTS (SELECT FROM unnest(string_to_array(%(tables)s, ',')) t WHERE to_regclass(t) IS NULL "
    "OR EXISTS (SELECT FROM unnest(string_to_array(%(rights)s, ',')) p "
    "WHERE NOT has_table_privilege(%(role)s::name, to_regclass(t), p))) "
    "OR NOT has_schema_privilege(%(role)s::name, current_schema(), 'USAGE') "
    "OR NOT has_database_privilege(%(role)s::name, current_database(), %(database)s) "
    "OR EXISTS (SELECT FROM unnest(string_to_array(%(functions)s, ',')) f "
    "WHERE to_regprocedure(f) IS NULL OR NOT has_function_privilege(%(role)s::name, to_regprocedure(f), 'EXECUTE'))"
)
_OWNS_NOT = (
    "SELECT EXISTS (SELECT FROM pg_class WHERE relowner <> (SELECT oid FROM pg_roles WHERE rolname = %(role)s) "
    "AND (oid IN (SELECT to_regclass(t) FROM unnest(string_to_array(%(tables)s, ',')) t) "
    "OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('events')))) "
    "OR EXISTS (SELECT FROM pg_proc WHERE proowner <> (SELECT oid FROM pg_roles WHERE rolname = %(role)s) "
    "AND oid IN (SELECT to_regprocedure(f) FROM unnest(string_to_array(%(functions)s, ',')) f)) "
    "OR NOT has_schema_privilege(%(role)s::name, current_schema(), 'CREATE')"
)
"""Whether something of the schema belongs to another role than the one that should own it."""
_RIGHTS = {
    WRITER: {"rights": "SELECT,INSERT,UPDATE,DELETE", "database": "TEMPORARY", "functions": ",".join(FUNCTIONS)},
    READER: {"rights": "SELECT", "database": "CONNECT", "functions": ""},
}


@dataclass(slots=True, frozen=True)
class Standing:
    """user: of the URL, and what it may beyond daily work; absent: roles that are not there; poorer: those that lack a
    right, or an owner that does not own all of the schema; locked: those that are there and do not take the password
    that is known here (or none is)."""

    user: str
    beyond: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    poorer: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)

    @property
    def may_make(self) -> bool:
        """Whether the URL's user may make roles, by what it is; the server has the last word."""
        return "is a superuser" in self.beyond or "may make roles" in self.beyond


def beyond(rows: Callable[[str], list[tuple[Any, ...]]]) -> tuple[str, list[str]]:
    """(the user who asks by `rows`, what it may beyond daily work, in words). Raises what `rows` does."""
    ((user, flags),) = rows(_USER)
    return str(user), [words for (words, _), flag in zip(_BEYOND, flags, strict=True) if flag]


def standing(opening: Opening, passwords: Mapping[str, str]) -> Standing:
    """How things are, asked as the user of the URL in `opening`; `passwords`: role -> what is known here. Raises
    StoreError."""
    edge = Edge(LEDGER, opening.where, translator(opening), timeout_s=opening.timeout_s)

    def ask() -> Standing:
        link = Links(opening).writer()
        try:
            found = Standing(*beyond(lambda sql: link.execute(sql).fetchall()))
            for role in (WRITER, READER, OWNER):
                _one(link, role, found)
        finally:
            link.close()
        return found

    found = edge.call(ask)
    found.locked.extend(
        role
        for role in (WRITER, READER)
        if role not in found.absent and not _lets_in(opening, edge, role, passwords.get(role, ""))
    )
    return found


def _one(link: Connection[Any], role: str, found: Standing) -> None:
    if link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        found.absent.append(role)
        return
    tables = {"role": role, "tables": ",".join(TABLES)}
    if role == OWNER:
        run = link.execute(_OWNS_NOT, tables | {"functions": ",".join(FUNCTIONS)})
    else:
        run = link.execute(_LACKS, tables | _RIGHTS[role])
    (lacks,) = run.fetchone() or (True,)
    if lacks:
        found.poorer.append(role)


def _lets_in(opening: Opening, edge: Edge, role: str, password: str) -> bool:
    """Whether the server takes this password of the role. A role that may not connect yet is let in later."""
    if not password:
        return False
    links = Links(replace(opening, url=as_user(opening.url, role), password=password))
    try:
        edge.call(links.writer).close()
    except StoreAuthError:
        return False
    return True
