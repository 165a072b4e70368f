"""What a command does to processes and to LevAIthan itself: kill, stop a unit, call our own off-switches.

Part of deeds.py. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import operands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.shell import Simple


def kills(made: Simple) -> Iterator[Deed]:
    """kill PID ...; `kill -0` and `kill -l` end nothing. Of several signals the last one counts."""
    words, signal, at, given = made.words, "", 1, False
    while at < len(words) and words[at][:1] == "-":
        word = words[at]
        at += 1
        if word in ("-l", "-L", "--list", "--table"):
            return
        if word == "--":
            break
        if word in ("-s", "-n", "--signal"):
            signal = " ".join(words[at : at + 1])
            at += 1
        elif given:  # a group of processes: kill -9 -1
            at -= 1
            break
        else:
            signal, given = word[1:], True
    if given and at == len(words):  # kill -1
        at -= 1
    if signal == "0":
        return
    for word in words[at:]:
        yield Deed("kill", "pid " + word, made.cwd, shown(words))
        if word in ("-1", "1"):  # everything that may be signalled; the first process
            yield Deed("kill-all", word, made.cwd, shown(words))


def kills_found(commands: Sequence[Simple]) -> Iterator[Deed]:
    """kill $(pgrep -f NAME), pidof NAME | xargs kill: as pkill NAME. Who is found by a port or a file: see where.py."""
    if any("\x00" in word for made in commands if made.name in ("kill", "renice", "skill") for word in made.words[1:]):
        for made in commands:
            if made.name in ("pgrep", "pidof"):
                yield from kills_by_name(made)


def reaches(made: Simple) -> Iterator[Deed]:
    """nc -U run/hook.sock: what is sent to the service's socket counts as an event."""
    for word in made.words[1:]:
        if "hook.sock" in word:
            yield Deed(
                "write", word.partition(",")[0].rpartition(":")[2].rpartition("=")[2], made.cwd, shown(made.words)
            )


def takes_hold(made: Simple) -> Iterator[Deed]:
    """renice, gdb -p, strace -p, taskset -p...: a process that is there already is slowed down, stopped or steered."""
    words, options = made.words[1:], _HOLDS[made.name]
    if options and not any(word.startswith("--pid") or _has(word, options) for word in words):
        words = [word for word in words if word.isdigit()] if made.name in ("gdb", "lldb", "cgdb") else []
    for word in words:
        number = word.rpartition("=")[2].lstrip("-" + _LETTERS)
        if number.isdigit() or "\x00" in number:
            yield Deed("kill", "pid " + number, made.cwd, shown(made.words))


def _has(word: str, options: str) -> bool:
    return word[:1] == "-" != word[1:2] and any(letter in word for letter in options)


_LAUNCHERS = ("client", "oneshot", "ask", "shot")
REACH = frozenset(("nc", "ncat", "netcat", "socat", "curl", "websocat", "openssl"))
_MOST_CALLS = 20
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HOLDS = {
    **dict.fromkeys(("renice", "snice", "gcore", "reptyr", "cpulimit"), ""),
    **dict.fromkeys("gdb cgdb lldb strace ltrace taskset chrt ionice prlimit uclampset schedtool".split(), "p"),
}
"""What takes hold of a process -> the letter of the option without which it does not; "" = it does in any case."""
HOLDS = frozenset(_HOLDS)


def kills_in_code(made: Simple, code: str) -> Iterator[Deed]:
    """Program text that ends a process by its number: os.kill(4242, 9); by one that it reads, where we tell ours."""
    for call in code.split("kill")[1:_MOST_CALLS]:
        for number in "".join(char if char.isdigit() else " " for char in call[:60]).split():
            yield Deed("kill", "pid " + number, made.cwd, shown(made.words))
    if any(f"/{part}.json" in code for part in _PARTS):
        yield Deed("kill", "pid \x00", made.cwd, shown(made.words))


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
    """fuser -k FILE, fuser -k 8080/tcp: ends whoever has the file or the port open."""
    if any(word == "--kill" or (word[:1] == "-" != word[1:2] and "k" in word) for word in made.words):
        by_port = any(space in word for word in made.words[1:] for space in ("tcp", "udp"))
        for word in operands(made.words, "nN namespace"):
            yield Deed(
                "kill" if by_port else "write", f"ports {word}" if by_port else word, made.cwd, shown(made.words)
            )


def ends_port(made: Simple) -> Iterator[Deed]:
    """kill-port 8080: ends who listens there; ss -K: closes connections, all of them when none is named."""
    words = made.words[1:]
    if made.name != "ss":
        yield Deed("kill", "ports " + " ".join(words), made.cwd, shown(made.words))
    elif any(word == "--kill" or (word[:1] == "-" != word[1:2] and "K" in word) for word in words):
        named = operands(made.words, "AfDFN query family diag filter net")
        yield Deed("kill", "ports " + " ".join(named) if named else "pid -1", made.cwd, shown(made.words))


def stops_unit(made: Simple) -> Iterator[Deed]:
    """systemctl stop, launchctl bootout..."""
    verbs = ("stop", "kill", "freeze", "disable", "mask", "restart", "unload", "bootout", "remove", "revert")
    if any(word in verbs for word in made.words[1:]):
        yield Deed("kill", "unit " + " ".join(made.words[1:]), made.cwd, shown(made.words))


def reads_key(made: Simple, found: list[Deed]) -> None:
    """Adds the words that may name the key, patterns too; whether one does, the place says."""
    words = made.words[1:]
    if made.redirects:
        words += [target for operator, target in made.redirects if operator == "<"]
    looking = made.name in _LOOKING
    inside = not looking and made.cwd is not None and made.cwd.endswith("/keys")
    text = " ".join(words)  # no mark has a blank in it
    if not (inside or "key" in text or (not looking and ("*" in text or "?" in text or "[" in text))):
        return
    for word in words:
        named = not looking and ("key" in word or "*" in word or "?" in word or "[" in word)
        if "journal.key" in word or named or inside:
            found.append(Deed("name-key", word.rpartition("=")[2].removeprefix("@"), made.cwd, shown(made.words)))


_LOOKING = frozenset(("ls", "stat", "cd", "echo", "printf", "test", "[", "du", "file", "chmod", "rm", "git", "find"))
"""What names files without reading what is in them."""


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
    target = " ".join(found[:2])
    if target == "incident note":
        given = {word.partition("=")[0] for word in rest}
        target += "".join(" " + option for option in _DECIDES if option in given)
    return Deed("switch", target, made.cwd, shown(made.words))


_DECIDES = ("--done", "--accept", "--data-loss", "--unfreeze")
"""Options of `incident note` that are more than a line of text."""


def started_by_pattern(made: Simple) -> Iterator[Deed]:
    """/opt/*/bin/levaithan-h*: the shell may make the hook client or our command of it."""
    from fnmatch import fnmatchcase

    if any(fnmatchcase(name, made.name) for name in ("levaithan-hook", "levaithan")):
        yield Deed("switch", "levaithan-hook", made.cwd, shown(made.words))


def speaks_as_client(made: Simple) -> Iterator[Deed]:
    """bin/levaithan-hook EVENT: an event that Claude Code did not send, for the record and for what follows from it."""
    yield Deed("switch", made.name, made.cwd, shown(made.words))


def switches_by_module(made: Simple) -> Iterator[Deed]:
    """python -m levaithan stop, python .../bin/levaithan stop; our processes and the hook client in Python."""
    words = made.words
    for i, word in enumerate(words[1:], 1):
        following = words[i + 1] if i + 1 < len(words) else ""
        if word[:1] == "-" != word[1:2] and "m" in word:
            module = word.partition("m")[2] or following
            if module.startswith(_OWN_PROGRAMS):
                yield Deed("switch", "levaithan-hook", made.cwd, shown(words))
            elif word == "-m" and module.partition(".")[0] == "levaithan":
                yield _switch(made, words[i + 2 :])
        elif word.rpartition("/")[2] == "levaithan" and following:
            yield _switch(made, words[i + 1 :])
    script = next((word for word in operands(words, "WXQ") if word), "")
    if script and "-m" not in words and "-c" not in words:
        path = (script if script[:1] == "/" else f"{made.cwd or ''}/{script}").removesuffix("/__main__.py")
        if path.endswith(_OWN_FILES):
            yield Deed("switch", "levaithan-hook", made.cwd, shown(words))


_PARTS = ("service", "monitor", "projector")
_OWN_PROGRAMS = (*(f"levaithan.{part}" for part in _PARTS), *(f"levaithan.hot.{name}" for name in _LAUNCHERS))
_OWN_FILES = tuple("/levaithan/" + end for end in (*_PARTS, *(f"hot/{name}.py" for name in _LAUNCHERS)))
_CALLS = (
    ("release_halt", "halt release"),
    ("release_restraint", "restraint release"),
    ("set_restraint", "restraint set"),
    ("incident_steps", "incident close"),
    ("run_module", "levaithan-hook"),
    *((f"levaithan.hot.{name}", "levaithan-hook") for name in _LAUNCHERS),
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
