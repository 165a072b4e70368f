"""What a command does to processes and to LevAIthan itself: kill, stop a unit, call our own off-switches.

Part of deeds.py. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_wrap import operands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.shell import Simple


def kills(made: Simple) -> Iterator[Deed]:
    """kill PID ...; `kill -0` and `kill -l` end nothing."""
    words = made.words
    if any(word in ("-l", "-L", "--list", "--table", "-0") for word in words[1:]) or words[1:3] == ["-s", "0"]:
        return
    rest = words[1:]
    if rest and rest[0] in ("-s", "-n", "--signal"):
        rest = words[3:]
    elif rest and rest[0].startswith("-") and rest[0] != "--":
        rest = words[2:] or rest
    for word in rest:
        if word != "--":
            yield Deed("kill", "pid " + word, made.cwd, shown(words))


def kills_by_name(made: Simple) -> Iterator[Deed]:
    """pkill and killall; `full`: the pattern is held against whole command lines."""
    words = made.words
    full = any((word[:1] == "-" and word[:2] != "--" and "f" in word) or word == "--full" for word in words)
    for word in operands(words, "usgGPtUF signal uid euid group pgroup parent session terminal")[:4]:
        yield Deed("kill", ("full " if full else "name ") + word, made.cwd, shown(words))


def stops_unit(made: Simple) -> Iterator[Deed]:
    """systemctl stop, launchctl bootout..."""
    verbs = ("stop", "kill", "disable", "mask", "restart", "unload", "bootout", "remove", "revert")
    if any(word in verbs for word in made.words[1:]):
        yield Deed("kill", "unit " + " ".join(made.words[1:]), made.cwd, shown(made.words))


def switches(made: Simple) -> Iterator[Deed]:
    """The subcommand of our own CLI; setup.sh counts only with a word that undoes the installation."""
    words = made.words
    start = 3 if made.name.startswith("python") else 1
    if made.name == "setup.sh":
        undo = [word.lstrip("-") for word in words[1:] if "uninstall" in word]
        if undo:
            yield Deed("switch", "setup uninstall", made.cwd, shown(words))
        return
    found = operands(["levaithan", *words[start:]], " home format since until project")
    yield Deed("switch", " ".join(found[:2]), made.cwd, shown(words))
