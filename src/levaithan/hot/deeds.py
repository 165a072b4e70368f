"""What a tool call would do to files and processes, as deeds that rules are held against: delete, write, move, kill...

Which program does what to which of its words is data here; which deed is forbidden is the rules' business (policy.py).
Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.deeds_files import (
    OUTPUT,
    RSYNC_VALUED,
    copies_blocks,
    deletes_found,
    edits,
    git,
    mirrors,
    outputs,
    overwrites,
)  # fmt: skip
from levaithan.hot.deeds_process import (
    HOLDS,
    REACH,
    calls_us,
    ends_port,
    ends_users,
    kills,
    kills_by_name,
    kills_in_code,
    reaches,
    reads_key,
    speaks_as_client,
    started_by_pattern,
    stops_unit,
    switches,
    switches_by_module,
    takes_hold,
)  # fmt: skip
from levaithan.hot.late import Late
from levaithan.hot.shell_options import INTERPRETERS, operands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from levaithan.hot import shell_code
    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterable[Deed]]
else:
    shell_code = Late("shell_code")

ALL, LAST, ALL_MOVED = "all", "last", "moved"
_TARGETS: dict[str, tuple[str, str, str]] = {
    "rm": ("delete", ALL, ""),
    "rmdir": ("delete", ALL, ""),
    "unlink": ("delete", ALL, ""),
    "shred": ("delete", ALL, "ns iterations size random-source"),
    "srm": ("delete", ALL, ""),
    "trash": ("delete", ALL, ""),
    "rimraf": ("delete", ALL, ""),
    "del-cli": ("delete", ALL, ""),
    "tee": ("write", ALL, ""),
    "truncate": ("write", ALL, "sr size reference"),
    "sponge": ("write", ALL, ""),
    "touch": ("write", ALL, "dtr date reference time"),
    "mkdir": ("write", ALL, "mZ mode context"),
    "mkfifo": ("write", ALL, "mZ mode context"),
    "mknod": ("write", ALL, "mZ mode context"),
    "mkfs": ("write", ALL, "t type"),
    "mkfs.": ("write", ALL, ""),
    "wipefs": ("write", ALL, "ot offset types"),
    "blkdiscard": ("write", ALL, "olp offset length step"),
    "mount": ("move", ALL, "to options types"),
    "umount": ("move", ALL, "t types"),
    "ed": ("write", ALL, "p"),
    "ex": ("write", ALL, "c"),
    "vi": ("write", ALL, "c"),
    "vim": ("write", ALL, "c"),
    "nano": ("write", ALL, ""),
    "patch": ("write", ALL, "pio input strip output"),
    "cp": ("write", LAST, "tS suffix target-directory"),
    "install": ("write", LAST, "tmogS mode owner group target-directory"),
    "ln": ("write", LAST, "tS suffix target-directory"),
    "link": ("write", ALL, ""),
    "rsync": ("write", LAST, RSYNC_VALUED),
    "scp": ("write", LAST, "PiloFcSJ"),
    "mv": ("move", ALL_MOVED, "tS suffix target-directory"),
    "rename": ("move", ALL, ""),
    "chmod": ("mode", ALL, "reference"),
    "chown": ("mode", ALL, "from reference"),
    "chgrp": ("mode", ALL, "reference"),
    "chattr": ("mode", ALL, "pv"),
    "setfacl": ("mode", ALL, "mxMXn"),
}
_DATA = frozenset(
    "psql mysql mariadb sqlite3 duckdb cockroach clickhouse-client clickhouse sqlcmd mssql-cli sqlplus sql bq snowsql "
    "snow "
    "usql pgcli mycli litecli cqlsh mysqlsh trino presto hive beeline impala-shell spark-sql dolt influx isql isql-fb "
    "cypher-shell ksql crash ysqlsh vsql nzsql db2 d1 turso heroku wrangler tsql athenacli exaplus mongo mongosh "
    "redis-cli valkey-cli keydb-cli iredis".split()
)
"""The clients of deeds_database.py; a test compares."""
_IN_PLACE = frozenset(("sed", "gsed", "perl", "ruby", "awk", "gawk", "yq"))
_WRITES: tuple[str, ...] = (
    "write",
    "unlink",
    "remove",
    "rmtree",
    "rmdir",
    "rename",
    "replace(",
    "chmod",
    "truncate",
    "symlink",
    "shutil",
)
_WRITES += (
    "system",
    "kill(",
    "subprocess",
    "popen",
    "exec",
    "mkdir",
    "touch",
    "rmsync",
    "delete",
    "update ",
    "insert ",
    "drop ",
)
_WRITES += (
    "'w",
    '"w',
    "'a'",
    '"a"',
    "'a+",
    '"a+',
    "'r+",
    '"r+',
    "'x'",
    '"x"',
    "'wb",
    ">",
    "copyfile",
    "unlink",
    "spawn",
    "fs.cp",
)
_REDIRECTS = (">", ">>", ">|", "&>", "&>>", "<>", ">&")


_readers: dict[str, tuple[Reader, ...]] = {}
_MANY = 4096
_RECURSIVE = frozenset(("rm", "cp", "chmod", "chown", "chgrp", "setfacl", "chattr"))


def of_command(made: Simple) -> list[Deed]:
    """What the simple command `made` would do."""
    words, name, cwd = made.words, made.name, made.cwd
    found: list[Deed] = []
    for operator, target in made.redirects:
        if operator in _REDIRECTS and target not in ("/dev/null", "/dev/stderr", "/dev/stdout"):
            found.append(Deed("write", target, cwd, f"{operator} {target}"))
    if words:
        readers = _readers.get(name)
        for reader in _readers_of(name) if readers is None else readers:
            found += reader(made)
        reads_key(made, found)
        if len(name) > 2 and ("*" in name or "?" in name or "[" in name):
            found += started_by_pattern(made)
    return found


def _readers_of(name: str) -> tuple[Reader, ...]:
    """What looks at a call of the program `name`; found out once."""
    found: list[Reader] = []
    row = _TARGETS.get(name) or _TARGETS.get(name.partition(".")[0] + ".")
    if row:
        kind, which, valued = row
        found.append(lambda made: _files(made, kind, which, valued))
    if name in _SPECIAL:
        found.append(_SPECIAL[name])
    if name.startswith(INTERPRETERS):
        found += (_code, switches_by_module)
    if name in _IN_PLACE:
        found.append(edits)
    if name in REACH:
        found.append(reaches)
    if name in _DATA:
        from levaithan.hot import deeds_database

        found.append(deeds_database.of_command)
    if len(_readers) > _MANY:
        _readers.clear()
    _readers[name] = tuple(found)
    return _readers[name]


def is_recursive(words: list[str]) -> bool:
    """Whether rm, chmod or cp is told to go into folders (-r, -R, --recursive and its abbreviations)."""
    for word in words[1:]:
        if word == "--":
            return False
        if word.startswith("--"):
            if len(word) > 2 and "recursive".startswith(word[2:]):
                return True
        elif word.startswith("-") and ("r" in word or "R" in word or ("a" in word and words[0].endswith("cp"))):
            return True
    return False


def writes_in_code(code: str) -> bool:
    """Whether program text looks as if it changed files or ran commands; reading alone passes."""
    lowered = code.lower()
    for mark in _WRITES:  # noqa: SIM110 - a generator doubles the price
        if mark in lowered:
            return True
    return False


def _files(made: Simple, kind: str, which: str, valued: str) -> Iterator[Deed]:
    words, name = made.words, made.name
    found = operands(words, valued)
    recursive = name in ("srm", "rsync", "rimraf", "del-cli") or (name in _RECURSIVE and is_recursive(words))
    targets = _target_folder(words)
    if which == LAST and not targets:
        targets = found[-1:]
    elif which in (ALL, ALL_MOVED):
        targets = targets + found
    if name == "ln" or (name == "cp" and _links(words)):  # another name to write through, made and used in one line
        for source in found:
            yield Deed("move", source, made.cwd, shown(words))
    if name == "rsync" and "--remove-source-files" in words:
        targets = found
    seen = shown(words)
    for target in targets:
        yield Deed(kind, target, made.cwd, seen, recursive=recursive or kind == "move")
    if which == LAST and targets:
        for source in found[:-1]:  # cp X DIR writes DIR/X
            base = source.rstrip("/").rpartition("/")[2]
            if base not in ("", ".", "..") and "\x00" not in base:
                yield Deed(kind, targets[0].rstrip("/") + "/" + base, made.cwd, seen)


def _links(words: list[str]) -> bool:
    """cp -l: hard links instead of copies."""
    return "--link" in words or any("l" in word for word in words[1:] if word[:1] == "-" != word[1:2])


def _target_folder(words: list[str]) -> list[str]:
    """The value of -t DIR or --target-directory=DIR of cp, mv, ln and install."""
    for i, word in enumerate(words):
        if word.startswith("--target-directory"):
            return [word.partition("=")[2]] if "=" in word else words[i + 1 : i + 2]
        if word == "-t" and words[0].rsplit("/", 1)[-1] in ("cp", "mv", "ln", "install"):
            return words[i + 1 : i + 2]
    return []


def _code(made: Simple) -> Iterator[Deed]:
    for piece in shell_code.pieces(made):
        yield Deed("code", piece, made.cwd, shown(made.words))
        for text in shell_code.literals(piece):
            if "key" in text:
                yield Deed("name-key", text, made.cwd, shown(made.words))
        if "levaithan" in piece:
            yield from calls_us(made, piece)
        if "kill" in piece:
            yield from kills_in_code(made, piece)


_SPECIAL: dict[str, Reader] = {
    **dict.fromkeys(OUTPUT, outputs),
    **dict.fromkeys(("kill", "skill"), kills),
    **dict.fromkeys(("pkill", "killall"), kills_by_name),
    **dict.fromkeys(("systemctl", "launchctl"), stops_unit),
    **dict.fromkeys(("levaithan", "system-cli.sh", "setup.sh"), switches),
    **dict.fromkeys(HOLDS, takes_hold),
    "levaithan-hook": speaks_as_client,
    "find": deletes_found,
    "git": git,
    "rsync": mirrors,
    "shred": overwrites,
    "fuser": ends_users,
    **dict.fromkeys(("ss", "kill-port", "killport", "fkill"), ends_port),
    "dd": copies_blocks,
}
