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

SQL_CLIENTS = frozenset(
    "psql mysql mariadb sqlite3 duckdb cockroach clickhouse-client clickhouse sqlcmd mssql-cli sqlplus sql bq snowsql "
    "snow "
    "usql pgcli mycli litecli cqlsh mysqlsh trino presto hive beeline impala-shell spark-sql dolt influx isql isql-fb "
    "cypher-shell ksql crash ysqlsh vsql nzsql db2 d1 turso heroku wrangler tsql athenacli exaplus".split(" ")
)
"""Programs that are given statements as words, in options or on stdin."""
MONGO_CLIENTS = frozenset(("mongo", "mongosh"))
REDIS_CLIENTS = frozenset(("redis-cli", "valkey-cli", "keydb-cli", "iredis"))
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|#[^\n]*", re.DOTALL)
_DROP = re.compile(
    r"(?:drop\s+[a-z]+\b|truncate\b"
    r"|alter\s+table\s.*\bdrop\s+(?!constraint\b|index\b|key\b|default\b|not\b|foreign\b|primary\b|check\b|expression\b|identity\b)\w"
    r"|match\b.*\bdelete\b)",
    re.IGNORECASE | re.DOTALL,
)
_CHANGE = re.compile(r"(?:with\b.*\)\s*)?(?:delete\s+from|update\s+(?:\S+\s+){1,4}?set)\b", re.IGNORECASE | re.DOTALL)
_BOUND = re.compile(r"\b(?:where|limit|using)\b", re.IGNORECASE)
_TRUE = re.compile(r"\bwhere\s+(?:1\s*=\s*1|true|1|'\s*=\s*'|not\s+false)\s*$", re.IGNORECASE)
_FLUSHES = re.compile(r"\bflush(?:all|db)\b", re.IGNORECASE)
_MONGO = re.compile(
    r"dropDatabase|\.drop(?:Index(?:es)?|Search\w+)?\s*\(|(?:deleteMany|remove)\s*\(\s*(?:\{\s*\})?\s*\)|dropUser|dropAllUsers|dropRole|"
    r"\.deleteMany\s*\(\s*\{\s*\}|\bdrop\s*:\s*['\"]|shutdownServer|\bshutdown\s*:\s*1"
)
_REDIS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("FLUSHALL", "FLUSHDB", "SHUTDOWN", "DEBUG", "SWAPDB", "REPLICAOF", "SLAVEOF", "FAILOVER"), ("",)),
    "CONFIG": ("SET", "REWRITE", "RESETSTAT"),
    "SCRIPT": ("FLUSH", "KILL"),
    "FUNCTION": ("FLUSH", "DELETE", "RESTORE"),
    "CLUSTER": ("RESET", "FORGET", "FAILOVER", "FLUSHSLOTS", "DELSLOTS"),
    "ACL": ("DELUSER", "SETUSER", "LOAD"),
    "XGROUP": ("DESTROY",),
    "MODULE": ("LOAD", "UNLOAD"),
}
"""A command of Redis -> the beginnings of its second word with which it loses data, stops the server or rules it."""
_REDIS_KEYS = ("DEL", "UNLINK")


def of_command(made: Simple) -> Iterator[Deed]:
    """data.drop: a table or more is gone; data.wipe: every row of one is deleted or changed."""
    if made.name in REDIS_CLIENTS:
        yield from _of_redis(made)
        return
    for text in _texts(made):
        if made.name in MONGO_CLIENTS:
            if _MONGO.search(text):
                yield Deed("data.drop", "the collection", made.cwd, shown(made.words))
            continue
        for kind, statement in effects(text):
            yield Deed(kind, statement, made.cwd, shown(made.words))


def _of_redis(made: Simple) -> Iterator[Deed]:
    """A command of words, in any case; commands on stdin; a script of EVAL; keys that only the run will name."""
    call = of(made)
    words = [word.upper() for word in call.words]
    rows = [words, *(line.upper().split() for line in (made.stdin or "").splitlines())]
    for row in rows:
        second = _REDIS.get(row[0]) if row else None
        if second and "--help" not in call.flags and " ".join(row[1:2]).startswith(second):
            yield Deed("data.drop", " ".join(row[:2]), made.cwd, shown(made.words))
    if words[:1] in (["EVAL"], ["EVALSHA"], ["FCALL"]) and _FLUSHES.search(" ".join(words)):
        yield Deed("data.drop", "FLUSHALL", made.cwd, shown(made.words))
    if words[:1] and words[0] in _REDIS_KEYS and any("\x00" in word for word in words):
        yield Deed("data.drop", "every key that is found", made.cwd, shown(made.words))


def effects(text: str) -> Iterator[tuple[str, str]]:
    """(kind, statement) of each statement of `text` that drops or wipes."""
    for statement in _LITERAL.sub(lambda match: " '' " if match[0][0] in "'\"" else " ", text).split(";"):
        plain = " ".join(statement.split())
        if _DROP.match(plain):
            yield "data.drop", plain[:60]
        elif _CHANGE.match(plain) and (not _BOUND.search(plain) or _TRUE.search(plain)):
            yield "data.wipe", plain[:60]


def _texts(made: Simple) -> list[str]:
    """What may be statements: words and values of options with a blank in them, and what stands on stdin."""
    given = [_value(word) for word in made.words[1:] if " " in word or "\n" in word or made.name in MONGO_CLIENTS]
    return [*given, made.stdin] if made.stdin else given


def _value(word: str) -> str:
    """The value in `--command=DROP ...` and `-cDROP ...`; the word itself otherwise."""
    if word.startswith("--"):
        return word.partition("=")[2]
    return word[2:] if word[:1] == "-" and word[1:2].isalpha() else word
