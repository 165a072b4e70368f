"""Which files a call would change, as their real paths: what leases are taken on.

Of a file tool it is the file that it names; of a command line what its reader sees being written, deleted or moved.
Folders, devices, what only a shell could expand, and the temporary folder outside of the project need no lease.
Standard library only.
"""

from __future__ import annotations

import os
import stat

from levaithan.hot.protected import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

_TOOLS = {"Write": "file_path", "Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path"}
_SHELLS = ("Bash", "Monitor")
_CHANGES = frozenset(("write", "delete", "move"))
_MOST = 64
_NO_FILES = ("/dev/", "/proc/", "/sys/")
_TEMPORARY = ("/tmp/", "/var/tmp/", "/private/tmp/", "/private/var/folders/")  # noqa: S108 - looked at, not written to


def targets(event: Event, context: Context, ignore: list[str]) -> list[str]:
    """The real paths of the files that `event` would change, each once, at most 64. `ignore`: folders (absolute, or
    from the project) that need no lease."""
    tool = event.tool_name
    if tool in _TOOLS:
        found: Iterator[str] = iter(of_tool(event))
    elif tool in _SHELLS:
        found = _of_command(event, context)
    else:
        return []
    base = event.project or event.cwd or "/"
    free = [os.path.realpath(os.path.join(base, folder)) + "/" for folder in ignore]
    paths: dict[str, None] = {}
    for path in found:
        if len(paths) < _MOST and not any(path.startswith(folder) for folder in free):
            paths[path] = None
    return list(paths)


def of_tool(event: Event) -> list[str]:
    """The real path of the file that a file tool names, in a list; [] for every other tool."""
    named = event.tool_input.get(_TOOLS.get(event.tool_name or "", ""))
    if not isinstance(named, str) or not named or "\x00" in named:
        return []
    path = resolve(named, event.cwd, os.path.expanduser("~"))
    return [path] if path is not None and _is_leased(path, event) else []


def _of_command(event: Event, context: Context) -> Iterator[str]:
    """What the command line changes, as the policy has read it for this very event."""
    project = event.project or event.cwd or ""
    known: Any = context.memory.get("policy", {}).get(project)
    if known is None:
        return
    rules = known[1]
    for deed in rules.deeds_of(event):
        if deed.kind in _CHANGES and deed.target and "\x00" not in deed.target:
            path = resolve(deed.target, deed.cwd or event.cwd, rules.user_home)
            if path is None or any(char in path for char in "*?[{$") or not _is_leased(path, event):
                continue
            if deed.kind == "write" or os.path.lexists(path):
                yield path


def _is_leased(path: str, event: Event) -> bool:
    if path.startswith(_NO_FILES):
        return False
    if path.startswith(_TEMPORARY):
        roots = [os.path.realpath(root) + "/" for root in (event.project, event.cwd) if root]
        if not any(path.startswith(root) for root in roots if root not in _TEMPORARY):
            return False
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True  # it is about to be made
