"""What a command does to processes and to LevAIthan itself: kill, stop a unit, call our own off-switches.

Part of deeds.py. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import operands

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
            if word in ("-1", "1"):  # everything that may be signalled; the first process
                yield Deed("kill-all", word, made.cwd, shown(words))


def kills_by_name(made: Simple) -> Iterator[Deed]:
    """pkill and killall; `full`: the pattern is held against whole command lines. A user alone is all of his."""
    words = made.words
    full = any((word[:1] == "-" and word[:2] != "--" and "f" in word) or word == "--full" for word in words)
    names = operands(words, "usgGPtUF signal uid euid group pgroup parent session terminal user")[:4]
    if not names and any(word.startswith(("-u", "-U", "--uid", "--euid", "--user")) for word in words):
        yield Deed("kill", "pid -1", made.cwd, shown(words))
    for word in names:
        yield Deed("kill", ("full " if full else "name ") + word, made.cwd, shown(words))


def ends_users(made: Simple) -> Iterator[Deed]:
    """fuser -k FILE: ends whoever has the file open."""
    if any(word == "--kill" or (word[:1] == "-" != word[1:2] and "k" in word) for word in made.words):
        for word in operands(made.words, "nN"):
            yield Deed("write", word, made.cwd, shown(made.words))


def stops_unit(made: Simple) -> Iterator[Deed]:
    """systemctl stop, launchctl bootout..."""
    verbs = ("stop", "kill", "disable", "mask", "restart", "unload", "bootout", "remove", "revert")
    if any(word in verbs for word in made.words[1:]):
        yield Deed("kill", "unit " + " ".join(made.words[1:]), made.cwd, shown(made.words))


def switches(made: Simple) -> Iterator[Deed]:
    """The subcommand of our own CLI; setup.sh counts only with a word that undoes the installation."""
    words = made.words
    if made.name == "setup.sh":
        undo = [word.lstrip("-") for word in words[1:] if "uninstall" in word]
        if undo:
            yield Deed("switch", "setup uninstall", made.cwd, shown(words))
        return
    yield _switch(made, words[1:])


def _switch(made: Simple, rest: list[str]) -> Deed:
    found = operands(["levaithan", *rest], " home format since until project")
    return Deed("switch", " ".join(found[:2]), made.cwd, shown(made.words))


def switches_by_module(made: Simple) -> Iterator[Deed]:
    """python -m levaithan stop, python .../bin/levaithan stop."""
    words = made.words
    for i, word in enumerate(words[1:-1], 1):
        if word == "-m" and words[i + 1].partition(".")[0] == "levaithan":
            yield _switch(made, words[i + 2 :])
        elif word.rpartition("/")[2] == "levaithan":
            yield _switch(made, words[i + 1 :])


_CALLS = (
    ("release_halt", "halt release"),
    ("release_restraint", "restraint release"),
    ("set_mode", "mode set"),
    ("lifecycle", "stop"),
    ("uninstall", "uninstall"),
)


def calls_us(made: Simple, code: str) -> Iterator[Deed]:
    """Program text that imports us to do what an off-switch does, or to run the command line on the words after it."""
    for mark, subcommand in _CALLS:
        if mark in code:
            yield Deed("switch", subcommand, made.cwd, shown(made.words))
    if "kill(" in code or "killpg(" in code or "terminate()" in code:
        yield Deed("kill", "name levaithan", made.cwd, shown(made.words))
    if "levaithan.cli" in code and code in made.words:
        yield _switch(made, made.words[made.words.index(code) + 1 :])
