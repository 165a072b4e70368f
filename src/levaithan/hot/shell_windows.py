"""The other shells, PowerShell and cmd, and their commands where they stand alone: what they delete and run, said as
commands of a shell here.

Part of shell_starts.py. No reader of PowerShell: deletions, and code that is fetched or hidden. Standard library only.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.shell import Simple

_DRIVE = re.compile(r"^[A-Za-z]:")
_ENDS = re.compile(r"[;|\n]|&&")
_REMOVES = frozenset(("remove-item", "ri", "rm", "rmdir", "del", "erase", "rd"))
_LISTS = frozenset(("get-childitem", "gci", "ls", "dir"))
_HOME = ("$env:userprofile", "$home", "%userprofile%", "$env:home", "~")
_FETCHES = re.compile(r"\b(?:iwr|irm|curl|wget|invoke-(?:webrequest|restmethod)|download(?:string|file))\b", re.I)
_EVALUATES = re.compile(r"\b(?:iex|invoke-expression)\b", re.I)
_TEXT = ("-c", "-command", "/c", "-com", "/command")


def _powershell(made: Simple) -> Sequence[list[str] | str]:
    """powershell -Command TEXT."""
    words = made.words
    for i, word in enumerate(words[1:], 1):
        if word.lower() in _TEXT:
            return _windows(" ".join(words[i + 1 :]))
    return []


def _cmd(made: Simple) -> Sequence[list[str] | str]:
    at = next((i for i, word in enumerate(made.words) if word.lower() in ("/c", "/k", "//c")), 0)
    return _windows(" ".join(made.words[at + 1 :])) if at else []


def _itself(made: Simple) -> Sequence[list[str] | str]:
    return _windows(" ".join(made.words))


def _windows(text: str) -> Sequence[list[str] | str]:
    """Each command of `text` that deletes, as rm with the same paths; a drive's root is the root."""
    found: list[list[str] | str] = ["curl script | sh"] if _EVALUATES.search(text) and _FETCHES.search(text) else []
    listed: list[str] = []
    for part in _ENDS.split(text):
        words = [word.strip("'\"") for word in part.split()]
        name = words[0].lower() if words else ""
        options = [word.lower() for word in words[1:] if _is_option(word)]
        paths = [_here(word) for word in words[1:] if not _is_option(word)]
        if name in _REMOVES:
            deep = any(option in ("/s", "-r") or "-recurse".startswith(option) for option in options)
            found.append(["rm", *(["-r"] if deep else []), "--", *(paths or listed)])
        elif name in ("format", "format.com", "diskpart", "clear-disk", "format-volume", "initialize-disk"):
            found.append(["mkfs", "/dev/disk"])
        listed = paths if name in _LISTS else []
    return found


def _is_option(word: str) -> bool:
    return word[:1] == "-" or (word[:1] == "/" and len(word) <= 3 and word[1:].isalpha())


def _here(path: str) -> str:
    """A path of Windows as one of this machine. A shell that eats backslashes leaves C:name."""
    lowered = path.lower()
    for home in _HOME:
        if lowered.startswith(home):
            return "~" + path[len(home) :].replace("\\", "/")
    return "/" + _DRIVE.sub("", path).replace("\\", "/").lstrip("/") if _DRIVE.match(path) else path.replace("\\", "/")


OF: dict[str, Callable[[Simple], Sequence[list[str] | str]]] = {
    **dict.fromkeys(("powershell", "powershell.exe", "pwsh"), _powershell),
    **dict.fromkeys(("cmd", "cmd.exe"), _cmd),
    **dict.fromkeys(("Remove-Item", "remove-item", "ri", "del", "erase", "rd", "rmdir", "diskpart"), _itself),
}
