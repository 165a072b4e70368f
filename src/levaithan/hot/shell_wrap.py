"""Commands that run other commands (sudo, env, bash -c, eval, xargs, find -exec): what is inside them.

Part of shell.py, kept apart so that a wrapper is one row here. Standard library only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.shell import Simple, Reader

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
    words, name = made.words, made.name
    if not words:
        return
    if name in ("cd", "pushd", "chdir"):
        _change_folder(words, reader)
    elif name in ("export", "declare", "local", "readonly", "typeset"):
        for word in words[1:]:
            key, found, value = word.partition("=")
            if found:
                reader.variables[key] = value
    elif name in SHELLS:
        _look_into_shell(made, reader)
    elif name == "eval":
        reader.child(" ".join(words[1:]))
    elif name == "trap" and len(words) > 2:
        reader.child(words[2] if words[1] == "--" else words[1])
    elif name == "find":
        _look_into_find(made, reader)
    elif name in WRAPPERS:
        _unwrap(made, reader)
    elif words[0].startswith("\\"):
        _again(made, [words[0][1:], *words[1:]], reader)


def output_of(made: Simple) -> str | None:
    """What `made` would print when that is plain to see, else None."""
    words = made.words[1:]
    if made.redirects:
        return None
    if made.name == "echo":
        while words and words[0] in ("-n", "-e", "-E", "-ne", "-en"):
            words = words[1:]
        return " ".join(words) + "\n"
    if made.name == "printf" and words:
        if words[0] in ("%s", "%s\\n", "%b", "%b\\n"):
            return "\n".join(words[1:]) + "\n"
        return words[0].replace("\\n", "\n") if "%" not in words[0] else None
    if made.name == "tee" or (made.name == "cat" and not words):
        return made.stdin
    if made.name in ("which", "type") or (made.name == "command" and words[:1] == ["-v"]):
        return (words[-1] if words else "") + "\n"
    return (made.cwd + "\n") if made.name == "pwd" and made.cwd else None


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
    short, _, long = WRAPPERS[name].partition(" ")
    skip = _SKIP_OPERANDS.get(name, 0)
    i = 1
    while i < len(words):
        word = words[i]
        if name in ("su", "runuser", "script", "flock", "watch") and word in ("-c", "--command") and i + 1 < len(words):
            reader.child(words[i + 1])
            return
        if name == "env" and word.startswith(("-S", "--split-string")):
            glued = word[2:] if word.startswith("-S") else word.partition("=")[2]
            reader.child(" ".join([glued, *words[i + 1 :]]))
            return
        if word == "--":
            i += 1
            break
        if len(word) > 1 and word[0] == "-":
            i += 1 + _takes_next(word, short, long)
        elif "=" in word and name in ("env", "sudo", "doas") and word.partition("=")[0].isidentifier():
            i += 1
        elif skip:
            skip -= 1
            i += 1
        else:
            break
    rest = words[i:]
    if name == "watch":
        reader.child(" ".join(rest))
    elif rest and name not in ("su", "runuser", "script"):
        if name == "xargs":
            rest = [*rest, "\x00"] if made.stdin is None else _with_input(words, rest, made.stdin)
        _again(made, rest, reader)


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


def _look_into_shell(made: Simple, reader: Reader) -> None:
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
    if made.stdin is not None and (i >= len(words) or words[i] == "/dev/stdin" or "s" in words[1]):
        reader.child(made.stdin, dict(reader.variables))


def _look_into_find(made: Simple, reader: Reader) -> None:
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


def _change_folder(words: list[str], reader: Reader) -> None:
    import posixpath

    places = [word for word in words[1:] if not (word[:1] == "-" and len(word) > 1)]
    place = places[0] if places else reader.variables["HOME"]
    if place == "-" or "\x00" in place or (reader.cwd is None and not place.startswith("/")):
        reader.cwd = None
    else:
        reader.cwd = posixpath.normpath(posixpath.join(reader.cwd or "/", place))
