"""Which files a call would change, as their real paths: what leases are taken on.

Of a file tool it is the file that it names; of a command line what its reader sees being written, deleted or moved.
Folders, devices, what only a shell could expand, and the temporary folder outside of the project need no lease.
Standard library only.
"""

from __future__ import annotations

import os
import stat

from levaithan.hot.ordinary import real_folder
from levaithan.hot.realpath import resolve

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
    path = _leased(named, event.cwd, event, None)
    return [path] if path is not None else []


def _of_command(event: Event, context: Context) -> Iterator[str]:
    """What the command line changes, as the policy has read it for this very event."""
    project = event.project or event.cwd or ""
    known: Any = context.memory.get("policy", {}).get(project)
    if known is None:
        return
    rules = known[1]
    for deed in rules.deeds_of(event):
        if deed.kind in _CHANGES and deed.target and not any(char in deed.target for char in "\x00*?[{$"):
            path = _leased(deed.target, deed.cwd or event.cwd, event, rules.user_home)
            if path is not None and (deed.kind == "write" or os.path.lexists(path)):
                yield path


def _leased(named: str, cwd: str | None, event: Event, user_home: str | None) -> str | None:
    """The real path of the file `named`, seen from `cwd`; None for what needs no lease."""
    if named[0] == "~":
        named = resolve(named, cwd, user_home or os.path.expanduser("~")) or ""
    if named[:1] != "/":
        if not cwd or not named:
            return None
        named = f"{cwd}/{named}"
    folder, _, name = named.rpartition("/")
    if name in ("", ".", ".."):
        return None  # a folder
    path = f"{real_folder(folder or '/').rstrip('/')}/{name}"
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            path = os.path.realpath(path)
            mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            return None
    except OSError:
        pass  # it is about to be made
    return None if path.startswith(_NO_FILES) or _is_scratch(path, event) else path


def _is_scratch(path: str, event: Event) -> bool:
    """Whether it is in a temporary folder, and not in the project or working folder there."""
    if not path.startswith(_TEMPORARY):
        return False
    roots = [real_folder(root) + "/" for root in (event.project, event.cwd) if root]
    return not any(path.startswith(root) for root in roots if root not in _TEMPORARY)
