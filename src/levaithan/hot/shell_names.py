"""Builtins of the shell that give variables a value: export, printf -v, read, set --. Part of shell_wrap.py.

Standard library only.
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


def _export(made: Simple, reader: Reader) -> None:
    for word in made.words[1:]:
        key, found, value = word.partition("=")
        if found:
            reader.variables[key] = value


def _printf(made: Simple, reader: Reader) -> None:
    """printf -v NAME FORMAT ...: a variable."""
    if made.words[1:2] == ["-v"] and len(made.words) > 3:
        text = shell_text.printed(type(made)(["printf", *made.words[3:]], [], None, None))
        reader.variables[made.words[2]] = shell_text.UNKNOWN if text is None else text.rstrip("\n")


def _read(made: Simple, reader: Reader) -> None:
    """read NAME: what is plain to see on its stdin, all of it for the last name."""
    names = operands_on(made.words, "adinNptu")
    if made.stdin and names:
        reader.variables.update(dict.fromkeys(names, made.stdin.strip("\n")))


def _set(made: Simple, reader: Reader) -> None:
    """set -- WORDS: the positional parameters."""
    if "--" in made.words:
        given = made.words[made.words.index("--") + 1 :]
        reader.variables.update({str(n): word for n, word in enumerate(given, 1)})
        reader.variables["@"] = reader.variables["*"] = " ".join(given)


NAMING: dict[str, Callable[[Simple, Reader], None]] = {
    **dict.fromkeys(("export", "declare", "local", "readonly", "typeset"), _export),
    "printf": _printf,
    "read": _read,
    "set": _set,
}
"""Builtin -> what it does to the reader's variables."""
