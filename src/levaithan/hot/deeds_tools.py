"""What the tools that are no shell would do: files read, written and listed, addresses fetched, agents started.

The tools of MCP servers are in deeds_servers.py. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_FILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Write": ("write", ("file_path", "path")),
    "Edit": ("write", ("file_path", "path")),
    "MultiEdit": ("write", ("file_path", "path")),
    "NotebookEdit": ("write", ("notebook_path", "file_path")),
    "Read": ("read", ("file_path", "path")),
    "NotebookRead": ("read", ("notebook_path",)),
    "Grep": ("read", ("path",)),
    "LS": ("list", ("path",)),
    "Glob": ("list", ("path",)),
    "LSP": ("read", ("file_path", "filePath")),
    "SendUserFile": ("read", ("file_path", "path")),
}
_AGENTS = ("Agent", "Task")
_BYPASS = (
    "bypassPermissions",
    "dangerously-skip-permissions",
    "dangerouslySkipPermissions",
    "dangerouslyDisableSandbox",
)
_MODES = ("mode", "permissionMode", "permission_mode", "permissions", "settings", "flags", "args", "options")

_MOST = 200


class Asked:
    """What a tool call asks for: deeds, and command lines with the folder each would run in."""

    __slots__ = ("commands", "deeds")

    def __init__(self) -> None:
        self.deeds: list[Deed] = []
        self.commands: list[tuple[str, str | None]] = []


def of_tool(name: str, given: dict[str, Any], cwd: str | None) -> Asked:
    """What the tool `name` with the input `given` would do. Inputs of a wrong type mean nothing and do no harm."""
    asked = Asked()
    row = _FILES.get(name)
    if row:
        asked.deeds += _file(name, row, given, cwd)
    elif name.startswith("mcp__"):
        from levaithan.hot.deeds_servers import of_server

        of_server(name, given, cwd, asked)
    elif name == "WebFetch":
        for url in texts_in(given, ("url",)):
            asked.deeds += secrets_in(url, cwd, name)
            asked.deeds += [Deed("fetch", url, cwd, f"{name} {url[:2000]}"), at_uri(name, url, cwd)]
    elif name in _AGENTS or name == "Workflow":
        asked.deeds += _agent(name, given, cwd)
    elif name in ("ReadMcpResourceTool", "ReadMcpResource"):
        asked.deeds += [at_uri(name, uri, cwd) for uri in texts_in(given, ("uri",))]
    return asked


def _file(name: str, row: tuple[str, tuple[str, ...]], given: dict[str, Any], cwd: str | None) -> Iterator[Deed]:
    kind, keys = row
    path = next(iter(texts_in(given, keys)), "")
    pattern = (
        next(iter(texts_in(given, ("glob" if name == "Grep" else "pattern",))), "") if name in ("Grep", "Glob") else ""
    )
    if path:
        yield Deed(kind, plain_path(path), cwd, f"{name} {path[:200]}", recursive=name in ("Grep", "Glob"))
    if pattern:
        for one in _alternatives(pattern):
            whole = one if one.startswith(("/", "~")) or not path else f"{path.rstrip('/')}/{one}"
            yield Deed(kind, whole, cwd, f"{name} {pattern[:200]}")


def _alternatives(pattern: str) -> list[str]:
    from levaithan.hot.shell_text import unbraced

    return unbraced(pattern) if "{" in pattern else [pattern]


def plain_path(path: str) -> str:
    """A path as some program may take it: a file:// URL, with %2e and %2f, with the home as a variable, with
    backslashes, of Windows (drives and shares are taken for what is mounted, homes for homes)."""
    if path[:5].lower() == "file:":
        rest = path[5:]
        return _unescaped("/" + rest[2:].partition("/")[2] if rest.startswith("//") else rest)
    if "%" in path and any(mark in path.lower() for mark in _ENCODED):
        path = _unescaped(_unescaped(path))
    if "\\" in path:
        path = path.replace("\\", "/")
        path = "/mnt" + path[1:] if path.startswith("//") else path
    if path[1:3] == ":/" and path[0].isalpha():
        path = path[2:] if path[2:9].lower() == "/users/" else f"/mnt/{path[0].lower()}{path[2:]}"
    for name in _HOME_NAMES if path[:1] in ("$", "%") else ():
        if path.startswith(name):
            return "~/" + path[len(name) :]
    return path


_ENCODED = ("%2e", "%2f", "%5c", "%252", "%7e")
_HOME_NAMES = (
    "$HOME/",
    "${HOME}/",
    "$env:HOME/",
    "$USERPROFILE/",
    "${USERPROFILE}/",
    "$env:USERPROFILE/",
    "%USERPROFILE%/",
)


def _unescaped(text: str) -> str:
    """`text` without %41 escapes."""
    if "%" not in text:
        return text
    head, *pieces = text.split("%")
    found = head
    for piece in pieces:
        try:
            found += chr(int(piece[:2], 16)) + piece[2:]
        except ValueError:
            found += "%" + piece
    return found


def secrets_in(text: str, cwd: str | None, name: str) -> Iterator[Deed]:
    """A secret in an address, which the server and whoever stands between would read."""
    from levaithan.hot.secret_deeds import of_text

    return of_text(text, cwd, f"{name} {text[:200]}")


def _agent(name: str, given: dict[str, Any], cwd: str | None) -> Iterator[Deed]:
    """A prompt alone does nothing; a wish to run without permissions does."""
    for key in _MODES:
        for text in texts_in(given, (key,)):
            if any(mark in text for mark in _BYPASS):
                yield Deed("bypass", text[:80], cwd, f"{name} {key}={text[:80]}")


def at_uri(name: str, uri: str, cwd: str | None) -> Deed:
    if uri[:7].lower() == "file://":
        return Deed("read", plain_path(uri), cwd, f"{name} {uri[:200]}")
    return Deed("fetch", uri, cwd, f"{name} {uri[:200]}")


def texts_in(given: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    """Every text in `given` under `keys`: texts, lists of them (arguments are joined), and objects with such keys."""
    found: list[str] = []
    for key in keys:
        value = given.get(key)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            texts = [one for one in value if isinstance(one, str)]
            found += [" ".join(texts)] if key in ("args", "arguments") and texts else texts[:_MOST]
            for one in value[:_MOST]:
                if isinstance(one, dict):
                    found += texts_in(one, keys)
    return [text for text in found if text]
