"""Builtins of the shell that name variables: export, printf -v, read, set --, test -v. Part of shell_wrap.py.

A name may be `a[$(command)]`: whoever looks it up or sets it runs the command, quoted or not. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.late import Late
from levaithan.hot.shell_options import operands_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot import shell_text
    from levaithan.hot.shell import Reader, Simple
else:
    shell_text = Late("shell_text")  # it imports `re`, which most commands need nothing of


def subscripts(words: list[str], reader: Reader) -> None:
    """Runs what is substituted in the brackets of `words`, which are names or arithmetic."""
    for word in words:
        if "[" in word:
            reader.expand(word)


def _names(made: Simple, reader: Reader) -> None:
    """test -v NAME, unset NAME, let EXPRESSION, mapfile NAME."""
    words = made.words
    if made.name in ("test", "["):
        subscripts([words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-v", "-R")], reader)
    else:
        subscripts(words[1:], reader)


def _export(made: Simple, reader: Reader) -> None:
    for word in made.words[1:]:
        key, found, value = word.partition("=")
        subscripts([word] if "[" in key else [], reader)
        if found:
            reader.variables[key] = value


def _printf(made: Simple, reader: Reader) -> None:
    """printf -v NAME FORMAT ...: a variable."""
    words = made.words
    if words[1:2] and words[1][:2] == "-v" != words[1]:  # -vNAME
        words = ["printf", "-v", words[1][2:], *words[2:]]
    if words[1:2] == ["-v"] and len(words) > 3:
        subscripts(words[2:3], reader)
        text = shell_text.printed(type(made)(["printf", *words[3:]], [], None, None))
        reader.variables[words[2]] = shell_text.UNKNOWN if text is None else text.rstrip("\n")


def _read(made: Simple, reader: Reader) -> None:
    """read NAME: what is plain to see on its stdin, all of it for the last name."""
    names = operands_on(made.words, "dinNptu")
    subscripts(names, reader)
    if made.stdin and names:
        reader.variables.update(dict.fromkeys(names, made.stdin.strip("\n")))


def _set(made: Simple, reader: Reader) -> None:
    """set -- WORDS: the positional parameters."""
    if "--" in made.words:
        given = made.words[made.words.index("--") + 1 :]
        reader.variables.update({str(n): word for n, word in enumerate(given, 1)})
        reader.variables["@"] = reader.variables["*"] = " ".join(given)


LOOKING_UP = dict.fromkeys(("test", "[", "unset", "let", "mapfile", "readarray"), _names)
"""Builtin -> what it does where a line is not plain: a plain one has no brackets."""
NAMING: dict[str, Callable[[Simple, Reader], None]] = {
    **dict.fromkeys(("export", "declare", "local", "readonly", "typeset"), _export),
    "printf": _printf,
    "read": _read,
    "set": _set,
}
"""Builtin -> what it does to the reader's variables."""
