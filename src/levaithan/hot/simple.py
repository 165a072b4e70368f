"""What a command line comes to: simple commands; and the reader of those lines that are one already.

Most of what agents run is a program and plain words. Such a line needs none of what shell.py knows, nor `re`, whose
import costs the one-shot path as much as the rest of the reading. Standard library only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.invocation import Invocation

MAX_LINE = 256 << 10
_SHORT = 4096
_PLAIN = dict.fromkeys(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%,+- ")
_KEYWORDS = frozenset("if then elif else fi for while until do done case esac select function coproc in time".split())


class Simple:
    """One simple command: `words` (words[0] the program as written), its redirections, folder, known input, and
    `upstream`, the command whose output it is piped, `origin`, the file it stands in. call, code, request: how
    invocation.py, shell_code.py and deeds_network.py read it, kept for who asks next."""

    __slots__ = ("call", "code", "cwd", "name", "origin", "redirects", "request", "stdin", "upstream", "words")

    def __init__(self, words: list[str], redirects: list[tuple[str, str]], cwd: str | None, stdin: str | None) -> None:
        self.words = words
        self.redirects = redirects
        self.cwd = cwd
        self.stdin = stdin
        self.upstream: Simple | None = None
        self.origin = ""
        self.call: Invocation | None = None
        self.code: tuple[str | None, list[str]] | None = None
        self.request: tuple[list[tuple[str, str]], list[str]] | None = None
        self.name = words[0].rsplit("/", 1)[-1] if words else ""

    def __repr__(self) -> str:
        return f"Simple({self.words!r}, {self.redirects!r}, cwd={self.cwd!r})"


class Line:
    """What a command line runs. `unsure` is None, or why it could not be read to the end. `sets`: it gives a variable
    of the shell a value, or may do so, where no command's words tell (NAME=x, ${NAME:=x}, arithmetic, ${NAME@P}).
    `again`: how many values were read as text to expand."""

    __slots__ = ("again", "commands", "sets", "unsure")

    def __init__(self, commands: list[Simple] | None = None) -> None:
        self.commands: list[Simple] = commands or []
        self.unsure: str | None = None
        self.sets = False
        self.again = 0


def plain(line: str, cwd: str | None) -> Simple | None:
    """The one command of a line that consists of plain words; None where shell.py must read it."""
    if len(line) > _SHORT or line.translate(_PLAIN):
        return None
    words = line.split()
    if not words or "=" in words[0] or words[0] in _KEYWORDS:
        return None
    return Simple(words, [], cwd, None)
