"""What SQL and its relatives would do to data, wherever a client is given them: by -c, -e, a pipe, a here-document.

A reader of statements, not a parser of SQL: comments and literals are taken out, statements are told apart, and each
is known by its first words. Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.deed import Deed, shown
from levaithan.hot.invocation import of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.shell import Simple

_CLIENTS: dict[str, tuple[str, ...]] = {
    "psql": ("-c", "--command"),
    "mysql": ("-e", "--execute"),
    "sqlite3": (),
    "duckdb": ("-c",),
    "cockroach": ("-e", "--execute"),
    "clickhouse-client": ("-q", "--query"),
    "sqlcmd": ("-Q", "-q"),
    "sqlplus": (),
    "bq": (),
    "snowsql": ("-q", "--query"),
    "usql": ("-c",),
    "pgcli": ("-c",),
    "mycli": ("-e",),
}
SQL_CLIENTS = frozenset(_CLIENTS) | {"mariadb"}
MONGO_CLIENTS = frozenset(("mongo", "mongosh"))
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|#[^\n]*", re.DOTALL)
_DROP = re.compile(
    r"(?:drop\s+(?:database|schema|table|tablespace|keyspace|collection|user|role|owned)\b"
    r"|truncate\b|alter\s+table\s.*\bdrop\s+(?:column\b|partition\b))",
    re.IGNORECASE | re.DOTALL,
)
_CHANGE = re.compile(r"(?:with\b.*\)\s*)?(?:delete\s+from|update\s+\S+\s+set)\b", re.IGNORECASE | re.DOTALL)
_BOUND = re.compile(r"\b(?:where|limit|using)\b", re.IGNORECASE)
_TRUE = re.compile(r"\bwhere\s+(?:1\s*=\s*1|true|1)\s*$", re.IGNORECASE)
_REDIS = re.compile(r"\bflush(?:all|db)\b", re.IGNORECASE)
_MONGO = re.compile(
    r"dropDatabase\s*\(|\.drop\s*\(|(?:deleteMany|remove)\s*\(\s*(?:\{\s*\})?\s*\)|dropUser|dropAllUsers|"
    r"\.deleteMany\s*\(\s*\{\s*\}"
)


def of_command(made: Simple) -> Iterator[Deed]:
    """data.drop: a table or more is gone; data.wipe: every row of one is deleted or changed."""
    if made.name in ("redis-cli", "valkey-cli"):
        found = _REDIS.search(made.stdin or "")
        if found:
            yield Deed("data.drop", found[0], made.cwd, shown(made.words))
        return
    call = of(made)
    for text in _texts(made, call.name, call.flags, call.words):
        if made.name in MONGO_CLIENTS:
            if _MONGO.search(text):
                yield Deed("data.drop", "the collection", made.cwd, shown(made.words))
            continue
        for kind, statement in effects(text):
            yield Deed(kind, statement, made.cwd, shown(made.words))


def effects(text: str) -> Iterator[tuple[str, str]]:
    """(kind, statement) of each statement of `text` that drops or wipes."""
    for statement in _LITERAL.sub(lambda match: " '' " if match[0][0] in "'\"" else " ", text).split(";"):
        plain = " ".join(statement.split())
        if _DROP.match(plain):
            yield "data.drop", plain[:60]
        elif _CHANGE.match(plain) and (not _BOUND.search(plain) or _TRUE.search(plain)):
            yield "data.wipe", plain[:60]


def _texts(made: Simple, name: str, flags: dict[str, str], words: list[str]) -> list[str]:
    given = [flags[flag] for flag in _CLIENTS.get(name, ("--eval",)) if flags.get(flag)]
    if name in ("sqlite3", "bq", "duckdb", "sqlplus"):
        given += words
    if name in MONGO_CLIENTS:
        given += [value for flag, value in flags.items() if flag == "--eval"] + words
    if made.stdin:
        given.append(made.stdin)
    return given
