"""What came of a tool call, as the journal shows it: lines of files, commits, pull requests.

Claude Code's own telemetry counts the same (claude_code.lines_of_code.count, .commit.count, .pull_request.count), by
its own rules and only where it is switched on. Imports nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EDITS = frozenset(("Edit", "MultiEdit", "Write", "NotebookEdit"))
_MOST_HUNKS = 1000
_COMMIT = re.compile(r"(?:^|[;&|(\n])\s*(?:[A-Z_]+=\S+\s+)*git(?:\s+-[cC]\s*\S+)*\s+commit(?:\s|$)")
_PULL = re.compile(r"(?:^|[;&|(\n])\s*(?:[A-Z_]+=\S+\s+)*gh\s+pr\s+create(?:\s|$)")
_HEAD = 4096


def done_by(tool: str, payload: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """(kind of names.WORK, how much) of a call of `tool` that succeeded; nothing for what is not as it should be."""
    if tool in _EDITS:
        yield from _lines(payload.get("tool_response"))
    elif tool == "Bash":
        given = payload.get("tool_input")
        command = given.get("command") if type(given) is dict else None
        if type(command) is not str:
            return
        if "commit" in command and _COMMIT.search(command[:_HEAD]):
            yield "commits", 1.0
        if "gh" in command and _PULL.search(command[:_HEAD]):
            yield "pull_requests", 1.0


def _lines(response: Any) -> Iterator[tuple[str, float]]:
    """Lines added and removed, by the patch that the client says was made; of a new file all that were written."""
    if type(response) is not dict:
        return
    hunks = response.get("structuredPatch")
    added, removed = 0, 0
    for hunk in hunks[:_MOST_HUNKS] if type(hunks) is list else ():
        lines = hunk.get("lines") if type(hunk) is dict else None
        for line in lines if type(lines) is list else ():
            if type(line) is str:
                added += line[:1] == "+"
                removed += line[:1] == "-"
    content = response.get("content")
    if not hunks and response.get("type") == "create" and type(content) is str and content:
        added = content.count("\n") + (content[-1] != "\n")
    if added:
        yield "lines_added", float(added)
    if removed:
        yield "lines_removed", float(removed)
