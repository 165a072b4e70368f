"""Whether PostgreSQL's roles of least privilege are there and right, and what a user, or the owner of the tables, may
beyond its work. Changes nothing; `postgres_roles` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from levaithan.stores import postgres_owner
from levaithan.stores.edge import Edge
from levaithan.stores.ledger_login import OWNER, READER, WRITER, as_user
from levaithan.stores.postgres_errors import translator
from levaithan.stores.postgres_link import Links
from levaithan.stores.postgres_owner import FLAGS, TABLES, TOO_MUCH
from levaithan.stores.postgres_roles import FUNCTIONS
from levaithan.stores.roles import LEDGER, StoreAuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psycopg import Connection

    from levaithan.stores.opening import Opening

_BEYOND = (
    *TOO_MUCH,
    ("owns the tables", "(SELECT pg_has_role(r.oid, c.relowner, 'USAGE') FROM pg_class c "
     "WHERE c.oid = to_regclass('events'))"),
    ("may make tables", "has_schema_privilege(r.oid, current_schema(), 'CREATE')"),
)  # fmt: skip
"""What nobody needs to read and write rows: in words, and as SQL over pg_roles r."""
_USER = (
    f"SELECT current_user, ARRAY[{', '.join(f'coalesce({ask}, false)' for _, ask in _BEYOND)}] "  # noqa: S608 - own words
    "FROM pg_roles r WHERE r.rolname = current_user"
)
_OWNER = (
    f"SELECT r.rolname, {FLAGS} FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "  # noqa: S608 - own words
    "WHERE c.oid = to_regclass('events')"
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
_RIGHTS = {
    WRITER: {"rights": "SELECT,INSERT,UPDATE,DELETE", "database": "TEMPORARY", "functions": ",".join(FUNCTIONS)},
    READER: {"rights": "SELECT", "database": "CONNECT", "functions": ""},
}


@dataclass(slots=True, frozen=True)
class Standing:
    """user: of the URL, and what it may beyond daily work; absent: roles that are not there; poorer: those that lack a
    right, the owner also where something is not its own or it may too much; locked: those that are there and do not
    take the password that is known here (or none is, but for the owner's, which not every machine needs); refused: why
    the user may not hand the tables to the owner, and what to do."""

    user: str
    beyond: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    poorer: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def may_make(self) -> bool:
        """Whether the URL's user may make roles, by what it is; the server has the last word."""
        return "is a superuser" in self.beyond or "may make roles" in self.beyond


def beyond(rows: Callable[[str], list[tuple[Any, ...]]]) -> tuple[str, list[str]]:
    """(the user who asks by `rows`, what it may beyond daily work, in words). Raises what `rows` does."""
    ((user, flags),) = rows(_USER)
    return str(user), [words for (words, _), flag in zip(_BEYOND, flags, strict=True) if flag]


def owner(rows: Callable[[str], list[tuple[Any, ...]]]) -> tuple[str, list[str]]:
    """(to whom the tables belong, what that one may besides, in words), "" where there are none. Raises what `rows`
    does."""
    found = rows(_OWNER)
    if not found:
        return "", []
    ((name, flags),) = found
    return str(name), [words for (words, _), flag in zip(TOO_MUCH, flags, strict=True) if flag]


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
            refused = postgres_owner.refusal(link, OWNER)
        finally:
            link.close()
        return replace(found, refused=refused)

    found = edge.call(ask)
    found.locked.extend(
        role
        for role in (WRITER, READER, *([OWNER] if passwords.get(OWNER) else []))
        if role not in found.absent and not _lets_in(opening, edge, role, passwords.get(role, ""))
    )
    return found


def _one(link: Connection[Any], role: str, found: Standing) -> None:
    if link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        found.absent.append(role)
        return
    if role == OWNER:
        lacks = postgres_owner.lacks(link, OWNER)
    else:
        (lacks,) = link.execute(_LACKS, {"role": role, "tables": ",".join(TABLES), **_RIGHTS[role]}).fetchone() or (
            True,
        )
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
