"""What a tool of an MCP server (mcp__<server>__<tool>) would do, by the words of its name and its arguments.

Nobody knows every server: a path in the input is read or written as the name says, SQL and command lines are judged as
such wherever they stand, and a name that says delete is taken at its word. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed
from levaithan.hot.deeds_tools import at_uri, plain_path, texts_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from levaithan.hot.deeds_tools import Asked


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_PATHS = _list(
    "path file_path filepath filePath file filename fileName paths files file_paths destination destination_path "
    "destinationPath dest dst target target_path targetPath new_path newPath to uri directory dir directory_path "
    "folder root repo_path local_path localPath output output_path outputPath notebook_path savePath save_path "
    "location pathInProject path_in_project relativePath relative_path absolutePath absolute_path"
)
_SOURCES = _list("source source_path sourcePath src old_path oldPath from input_path inputPath")
_URLS = _list("url uri urls link href endpoint address")
_COMMANDS = _list("command cmd commandLine command_line script shell_command bash commands")
_QUERIES = _list("sql query statement queries statements sql_query")
_CONTENT = _list("content contents text data new_string new_str newText edits patch diff body")
_FOLDERS = _list("cwd workdir working_directory workingDirectory")
_READS = frozenset(
    _list("read get list search find view show fetch describe stat info open load cat head tail glob grep")
)
_LISTS = frozenset(_list("list search glob info stat tree"))
_WRITES = frozenset(
    _list(
        "write create edit update append save put insert replace modify patch set add upload mkdir touch apply "
        "overwrite truncate download export store change copy cp"
    )
)
_MOVES = frozenset(_list("rename move mv"))
_REMOVES = frozenset(
    _list(
        "delete remove drop destroy purge truncate wipe terminate erase unlink rm rmdir flush reset nuke revoke "
        "uninstall prune deprovision decommission"
    )
)
_PUBLISHES = frozenset(_list("publish release unpublish"))
_LIGHT = frozenset(
    _list(
        "memory todo todos task tasks reaction label labels bookmark breakpoint highlight selection console cache "
        "filter observation observations entity entities relation relations thought thoughts cookie cookies toast "
        "annotation draft message comment reminder watch mock marker overlay lock alarm timer"
    )
)
"""What is lightly lost: notes and marks, not files, branches, rows or machines."""


def of_server(name: str, given: dict[str, Any], cwd: str | None, asked: Asked) -> None:
    """Adds what the tool `name` with the input `given` would do to `asked`."""
    server, _, tool = name[5:].partition("__")
    words = _words(tool)
    place = next(iter(texts_in(given, _FOLDERS)), cwd)
    lines = texts_in(given, _COMMANDS)
    arguments = texts_in(given, ("args", "arguments"))
    if lines and arguments:
        lines = [f"{lines[0]} {arguments[0]}"]
    asked.commands += [(line, place) for line in lines or arguments]
    for text in () if "search" in words else texts_in(given, _QUERIES):
        asked.deeds += _of_query(name, text, cwd)
    asked.deeds += _of_places(name, given, place, words)
    if words & _REMOVES and not _LIGHT & (words | _words(server)) and not words & {"list", "get", "search"}:
        asked.deeds.append(Deed("server.delete", tool, cwd, _seen(name, given)))
    if words & _PUBLISHES and not words & _READS:
        asked.deeds.append(Deed("publish", tool, cwd, _seen(name, given)))


def _of_places(name: str, given: dict[str, Any], cwd: str | None, words: frozenset[str]) -> Iterator[Deed]:
    """The addresses that are fetched and the paths that are read or changed."""
    for text in texts_in(given, _URLS):
        if "://" in text:
            yield at_uri(name, text, cwd)
    kind = _kind(words, given)
    for keys, done in ((_PATHS, kind), (_SOURCES, "move" if kind == "move" else "read")):
        for text in texts_in(given, keys):
            if len(text) < 4096 and "\n" not in text and ("://" not in text or text[:7].lower() == "file://"):
                seen = f"{name} {text[:200]}"
                yield Deed(done, plain_path(text), cwd, seen, recursive=done in ("delete", "move"))


def _of_query(name: str, text: str, cwd: str | None) -> Iterator[Deed]:
    lowered = text.lower()
    if any(word in lowered for word in ("drop", "delete", "truncate", "update", "alter")):
        from levaithan.hot.deeds_database import effects

        for kind, statement in effects(text):
            yield Deed(kind, statement, cwd, f"{name} {text[:100]}")


def _kind(words: frozenset[str], given: dict[str, Any]) -> str:
    """What a tool with these words in its name does to a path in its input."""
    if words & _MOVES:
        return "move"
    if words & _REMOVES:
        return "delete"
    if words & _WRITES and "read" not in words:
        return "write"
    if words & _READS:
        return "list" if words & _LISTS and "file" not in words else "read"
    return "write" if any(key in given for key in _CONTENT) else "read"


def _words(name: str) -> frozenset[str]:
    """The words of a name, in lower case: delete_file, deleteFile, delete-file."""
    spaced = "".join(f" {c}" if c.isupper() else c if c.isalnum() else " " for c in name)
    return frozenset(spaced.lower().split())


def _seen(name: str, given: dict[str, Any]) -> str:
    shown = ", ".join(f"{key}={value}" for key, value in given.items() if isinstance(value, (str, int)))
    return f"{name} {shown}"[:150].rstrip()
