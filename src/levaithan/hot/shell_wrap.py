"""Commands that run other commands (sudo, env, bash -c, eval, xargs, find -exec): what is inside them.

Part of shell.py, kept apart so that a wrapper is one row here. Standard library only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.shell import Reader, Simple

SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "rbash", "mksh"))

WRAPPERS = {
    "sudo": "uUgpCcrthRDT user group prompt chdir host role type chroot command-timeout other-user close-from",
    "doas": "uCa",
    "env": "uCS unset chdir split-string block-signal default-signal ignore-signal",
    "nohup": "",
    "timeout": "ks kill-after signal",
    "command": "",
    "builtin": "",
    "exec": "a",
    "time": "fo format output",
    "nice": "n adjustment",
    "ionice": "cnp class classdata",
    "chrt": "pTPD",
    "taskset": "p",
    "setsid": "",
    "stdbuf": "ioe input output error",
    "busybox": "",
    "toybox": "",
    "unbuffer": "",
    "chronic": "",
    "caffeinate": "tw",
    "strace": "eopsuEPa",
    "ltrace": "eopsun",
    "xargs": "aEILnPsd arg-file delimiter eof replace max-lines max-args max-procs max-chars process-slot-var",
    "watch": "n interval",
    "flock": "wEc timeout wait conflict-exit-code",
    "proot": "rbwR",
    "chroot": "",
    "unshare": "",
    "script": "",
    "pkexec": "u user",
    "runuser": "uglsG user group shell",
    "su": "gGlsw group shell whitelist-environment",
    "noglob": "",
    "nocorrect": "",
}
"""Wrapper -> its options that take a value (single letters glued in the first word, then long names)."""

_SKIP_OPERANDS = {"timeout": 1, "taskset": 1, "chrt": 1, "flock": 1, "chroot": 1}
_EXEC = ("-exec", "-execdir", "-ok", "-okdir")


def look_into(made: Simple, reader: Reader) -> None:
    """Adds what `made` runs inside itself to the reader's result, and follows `cd` and `export`."""
    if not made.words:
        return
    special = _SPECIAL.get(made.name)
    if special:
        special(made, reader)
    elif made.name in WRAPPERS:
        _unwrap(made, reader)


def _export(made: Simple, reader: Reader) -> None:
    for word in made.words[1:]:
        key, found, value = word.partition("=")
        if found:
            reader.variables[key] = value


def _eval(made: Simple, reader: Reader) -> None:
    reader.child(" ".join(made.words[1:]))


def _trap(made: Simple, reader: Reader) -> None:
    words = made.words
    if len(words) > 2:
        reader.child(words[2] if words[1] == "--" else words[1])


def output_of(made: Simple) -> str | None:
    """What `made` would print when that is plain to see, else None."""
    words, name = made.words[1:], made.name
    text = None
    if made.redirects:
        return None
    if name == "echo":
        while words and words[0] in ("-n", "-e", "-E", "-ne", "-en"):
            words = words[1:]
        text = " ".join(words)
    elif name == "printf" and words:
        text = _printf(words)
    elif name == "tee" or (name == "cat" and not words):
        return made.stdin
    elif name in ("which", "type") or (name == "command" and words[:1] == ["-v"]):
        text = words[-1] if words else ""
    elif name == "pwd":
        text = made.cwd
    return None if text is None else text + "\n"


def _printf(words: list[str]) -> str | None:
    if words[0] in ("%s", "%s\\n", "%b", "%b\\n"):
        return "\n".join(words[1:])
    return words[0].replace("\\n", "\n") if "%" not in words[0] else None


def operands(words: list[str], valued: str = "") -> list[str]:
    """The words after the program that are no options; `valued` as in WRAPPERS."""
    short, _, long = valued.partition(" ")
    found: list[str] = []
    i = 1
    while i < len(words):
        word = words[i]
        if word == "--":
            return found + words[i + 1 :]
        if len(word) > 1 and word[0] == "-":
            i += _takes_next(word, short, long)
        else:
            found.append(word)
        i += 1
    return found


def _takes_next(word: str, short: str, long: str) -> int:
    """1 when the option `word` takes the next word as its value."""
    if word.startswith("--"):
        return int("=" not in word and word[2:] in long.split(" ") and len(word) > 2)
    return int(word[-1] in short) if not any(c in short for c in word[1:-1]) else 0


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
    elif rest and name not in ("su", "runuser", "script"):
        if name == "xargs":
            rest = [*rest, "\x00"] if made.stdin is None else _with_input(words, rest, made.stdin)
        _again(made, rest, reader)


def _script_of(words: list[str], name: str) -> str | None:
    """The text that su -c, flock -c or env -S runs as a command line, or None."""
    for i, word in enumerate(words):
        if name in ("su", "runuser", "script", "flock") and word in ("-c", "--command") and i + 1 < len(words):
            return words[i + 1]
        if name == "env" and word.startswith(("-S", "--split-string")):
            glued = word[2:] if word.startswith("-S") else word.partition("=")[2]
            return " ".join([glued, *words[i + 1 :]])
        if i and not word.startswith("-") and name == "env" and "=" not in word:
            break
    return None


def _inner_start(words: list[str], name: str) -> int:
    short, _, long = WRAPPERS[name].partition(" ")
    skip = _SKIP_OPERANDS.get(name, 0)
    i = 1
    while i < len(words):
        word = words[i]
        if word == "--":
            return i + 1
        if len(word) > 1 and word[0] == "-":
            i += 1 + _takes_next(word, short, long)
        elif "=" in word and name in ("env", "sudo", "doas") and word.partition("=")[0].isidentifier():
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


def _again(made: Simple, words: list[str], reader: Reader) -> None:
    """The inner command as a command of its own, with the outer one's redirections already counted."""
    inner = type(made)(words, [], made.cwd, made.stdin)
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
        i += 2 if word in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") else 1
    if made.stdin is not None and (
        i >= len(words) or words[i] == "/dev/stdin" or any("s" in word for word in words[1:i] if word[:2] != "--")
    ):
        reader.child(made.stdin, dict(reader.variables))


def _find(made: Simple, reader: Reader) -> None:
    """find PATHS ... -exec COMMAND {} ;  runs COMMAND on what lies below PATHS."""
    words = made.words
    paths = find_paths(words)
    i = 1
    while i < len(words):
        if words[i] not in _EXEC:
            i += 1
            continue
        end = i + 1
        while end < len(words) and words[end] not in (";", "+"):
            end += 1
        inner: list[str] = []
        for word in words[i + 1 : end]:
            inner += [word.replace("{}", path) for path in paths] if "{}" in word else [word]
        if inner:
            _again(made, inner, reader)
        i = end


def find_paths(words: list[str]) -> list[str]:
    """Where `find` starts: the words before its first test."""
    paths = []
    for word in words[1:]:
        if word[:1] in ("-", "(", "!"):
            if word in ("-H", "-L", "-P") or word.startswith("-O"):
                continue
            break
        paths.append(word)
    return paths or ["."]


def _change_folder(made: Simple, reader: Reader) -> None:
    import posixpath

    words = made.words

    places = [word for word in words[1:] if not (word[:1] == "-" and len(word) > 1)]
    place = places[0] if places else reader.variables["HOME"]
    if place == "-" or "\x00" in place or (reader.cwd is None and not place.startswith("/")):
        reader.cwd = None
    else:
        reader.cwd = posixpath.normpath(posixpath.join(reader.cwd or "/", place))


_SPECIAL: dict[str, Callable[[Simple, Reader], None]] = {
    **dict.fromkeys(("cd", "pushd", "chdir"), _change_folder),
    **dict.fromkeys(("export", "declare", "local", "readonly", "typeset"), _export),
    **dict.fromkeys(SHELLS, _shell),
    "eval": _eval,
    "trap": _trap,
    "find": _find,
}
