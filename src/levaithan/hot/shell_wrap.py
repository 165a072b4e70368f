"""Commands that run other commands (sudo, env, bash -c, eval, xargs, find -exec): what is inside them.

Part of shell.py, kept apart so that a wrapper is one row here. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.late import Late
from levaithan.hot.shell_names import LOOKING_UP, NAMING
from levaithan.hot.shell_options import INTERPRETERS, joined, operands_on, takes_next, value_of
from levaithan.hot.wrappers import CONSOLES, ELSEWHERE, OWN_SCRIPTS, RUNNER_VALUES, RUNNERS, WRAPPERS, starts_inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot import shell_code, shell_far
    from levaithan.hot.shell import Reader, Simple
else:
    shell_code, shell_far = Late("shell_code"), Late("shell_far")  # most lines do not need the patterns they compile

SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "rbash", "mksh"))

_SKIP_OPERANDS = {"script": 1, "aws-vault": 2, "chamber": 2}
_SKIP_OPERANDS |= dict.fromkeys("timeout gtimeout taskset chrt flock chroot faketime gosu su-exec envchain".split(), 1)
_STDIN = ("/dev/stdin", "/dev/fd/0", "\x00")


def look_into(made: Simple, reader: Reader) -> None:
    """Adds what `made` runs inside itself to the reader's result, and follows `cd` and `export`."""
    if not made.words:
        return
    special = SPECIAL.get(made.name) or LOOKING_UP.get(made.name)
    if special:
        special(made, reader)
        return
    if made.name in WRAPPERS:
        _unwrap(made, reader)
        return
    if starts_inside(made.words, made.name):
        _inside(made, reader)
    if made.name.startswith(INTERPRETERS):
        _program(made, reader)
    elif made.name in ELSEWHERE:
        _far(made, reader)
    elif made.name in RUNNERS and "run" in made.words[1:3]:
        at = made.words.index("run")
        rest = operands_on(made.words[at:], RUNNER_VALUES)
        if rest:
            _again(made, rest, reader)


def _program(made: Simple, reader: Reader) -> None:
    for piece in shell_code.pieces(made):
        starts(piece, reader)
    for i, word in enumerate(made.words[1:4], 1):
        if word.rpartition("/")[2] in CONSOLES:
            _again(made, made.words[i:], reader)
            return


def starts(code: str, reader: Reader, *, whole_file: bool = False) -> None:
    """What program text would start. It is no command line, so that a quote left open in it means nothing."""
    before = reader.result.unsure
    for line in shell_code.commands_in(code, whole_file=whole_file):
        reader.child(line, dict(reader.variables))
    reader.result.unsure = before


def _far(made: Simple, reader: Reader) -> None:
    """What another machine, a container or an environment is told to run."""
    found = shell_far.inner(made) or (made.stdin if made.name in ("ssh", "autossh") else None)
    if not found:
        return
    words = ["sh", "-c", found] if isinstance(found, str) else found
    if made.name in shell_far.HERE:
        _again(made, words, reader)
        return
    before, reader.cwd = reader.cwd, None
    _again(made, words, reader, None)
    reader.cwd = before


def _inside(made: Simple, reader: Reader) -> None:
    """What a program starts that does other work besides."""
    from levaithan.hot import shell_starts

    for found in shell_starts.inner(made):
        if isinstance(found, str):
            reader.child(found, dict(reader.variables))
        else:
            _again(made, found, reader)


def _alias(made: Simple, reader: Reader) -> None:
    """alias NAME=TEXT: commands called NAME are read as TEXT from here on."""
    for word in made.words[1:]:
        name, found, text = word.partition("=")
        if found and name:
            reader.variables["alias " + name] = text


def unaliased(words: list[str], reader: Reader) -> bool:
    """Reads a command by the text that an alias of the same line stands for; False when there is none."""
    text = reader.variables.pop("alias " + words[0], None) if words else None
    if text is None:
        return False
    reader.child(" ".join([text, *("'" + word.replace("'", "'\\''") + "'" for word in words[1:])]))
    reader.variables["alias " + words[0]] = text
    return True


def _eval(made: Simple, reader: Reader) -> None:
    reader.child(" ".join(made.words[1:]))


def _trap(made: Simple, reader: Reader) -> None:
    words = made.words
    if len(words) > 2:
        reader.child(words[2] if words[1] == "--" else words[1])


def _unwrap(made: Simple, reader: Reader) -> None:
    """The command behind a wrapper's options (and its own operands and VAR=value words)."""
    words, name = made.words, made.name
    script = _script_of(words, name)
    if script is not None:
        reader.child(script)
        return
    rest = words[_inner_start(words, name) :]
    if name == "watch":
        reader.child(" ".join(rest))
    elif rest and (name not in ("su", "runuser") or (name == "runuser" and value_of(words, "u", "--user"))):
        if name == "xargs":
            rest = [*rest, "\x00"] if made.stdin is None else _with_input(words, rest, made.stdin)
        _again(made, rest, reader, _folder(made))


def _folder(made: Simple) -> str | None:
    """Where env -C and sudo -D run the command."""
    place = None
    if made.name in ("env", "sudo"):
        place = value_of(made.words, "C" if made.name == "env" else "D", "--chdir")
    return joined(made.cwd, place) if place else made.cwd


def _script_of(words: list[str], name: str) -> str | None:
    """The text that su -c, flock -c or env -S runs as a command line, or None."""
    if name in ("su", "runuser", "script"):
        return value_of(words, "c", "--command")
    if name == "flock":
        return value_of(words[: _inner_start(words, name) + 2], "c", "--command")
    if name == "env":
        for i, word in enumerate(words[1:], 1):
            if word[:1] != "-" and "=" not in word:
                return None
            text = value_of(["env", *words[i : i + 2]], "S", "--split-string") if word[:1] == "-" else None
            if text is not None:
                return " ".join([text, *words[i + (1 if word.endswith(text) else 2) :]])
    return None


def _parallel(made: Simple, reader: Reader) -> None:
    """parallel COMMAND ::: VALUES, or with values on stdin."""
    rest = operands_on(made.words, "jnNSaP jobs max-args sshlogin arg-file")
    cut = next((i for i, word in enumerate(rest) if word.startswith(":::")), len(rest))
    given = [word for word in rest[cut:] if not word.startswith(":::")] or (made.stdin or "\x00").split()
    text = " ".join(rest[:cut])
    if "{}" in text:
        for value in given[:20]:
            reader.child(text.replace("{}", value))
    else:
        reader.child(" ".join([text, *given]))


def _inner_start(words: list[str], name: str) -> int:
    short, _, long = WRAPPERS[name].partition(" ")
    skip = _SKIP_OPERANDS.get(name, 0)
    i = 1
    while i < len(words):
        word = words[i]
        if word == "--":
            return i + 1
        if len(word) > 1 and word[0] == "-":
            i += 1 + takes_next(word, short, long)
        elif (word == "-" and name == "env") or (
            "=" in word and name in ("env", "sudo", "doas") and word.partition("=")[0].isidentifier()
        ):
            i += 1
        elif skip:
            skip -= 1
            i += 1
        else:
            break
    return i


def _with_input(words: list[str], rest: list[str], stdin: str) -> list[str]:
    marks = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-I", "--replace")]
    marks += [word[2:] for word in words if word.startswith("-I") and len(word) > 2]
    if marks:
        return [word.replace(marks[0], stdin.strip()) for word in rest]
    return rest + stdin.replace("\0", " ").split()


def _again(made: Simple, words: list[str], reader: Reader, cwd: str | None = "") -> None:
    """The inner command as a command of its own, with the outer one's redirections already counted."""
    inner = type(made)(words, [], made.cwd if cwd == "" else cwd, made.stdin)
    inner.upstream = made.upstream
    if len(reader.result.commands) < 2000:
        reader.result.commands.append(inner)
        look_into(inner, reader)
    else:
        reader.doubt("it has too many commands")


def _shell(made: Simple, reader: Reader) -> None:
    """bash -c TEXT, and a bare `bash` that reads its commands from what is piped or written into it."""
    words = made.words
    i = 1
    while i < len(words) and words[i][:1] in ("-", "+"):
        word = words[i]
        if not word.startswith("--") and "c" in word[1:]:
            i += 1
            while i < len(words) and words[i][:1] in ("-", "+"):
                i += 1
            if i < len(words):
                variables = dict(reader.variables)
                variables.update({str(n): value for n, value in enumerate(words[i + 1 :])})
                variables["@"] = variables["*"] = " ".join(words[i + 2 :])
                reader.child(words[i], variables)
            return
        i += 2 if word in ("--rcfile", "--init-file") or (word[:2] != "--" and word[-1] in "oO") else 1
    if i < len(words) and words[i].rpartition("/")[2] in OWN_SCRIPTS:
        _again(made, words[i:], reader)
    if made.stdin is not None and (
        i >= len(words) or words[i] in _STDIN or any("s" in word for word in words[1:i] if word[:2] != "--")
    ):
        reader.child(made.stdin, dict(reader.variables))


def _source(made: Simple, reader: Reader) -> None:
    """source FILE: what is written into it, and our own scripts."""
    words = made.words[1:]
    if words and words[0] in _STDIN and made.stdin is not None:
        reader.child(made.stdin)
    elif words and words[0].rpartition("/")[2] in OWN_SCRIPTS:
        _again(made, words, reader)


def _change_folder(made: Simple, reader: Reader) -> None:
    words = made.words
    places = [word for word in words[1:] if not (word[:1] == "-" and len(word) > 1)]
    place = places[0] if places else reader.variables["HOME"]
    if place == "-" or "\x00" in place or (reader.cwd is None and not place.startswith("/")):
        reader.cwd = None
    else:
        reader.cwd = joined(reader.cwd, place)


SPECIAL: dict[str, Callable[[Simple, Reader], None]] = {
    **dict.fromkeys(("cd", "pushd", "chdir"), _change_folder),
    **NAMING,
    **dict.fromkeys(SHELLS, _shell),
    "alias": _alias,
    "eval": _eval,
    "trap": _trap,
    "source": _source,
    ".": _source,
    "parallel": _parallel,
}
