"""Words and commands as plain text: escapes, braces, tildes, here-documents, what an echo, printf or find prints.

Part of shell.py. Standard library only.
"""

from __future__ import annotations

import functools
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.shell import Simple

UNKNOWN = "\x00"
"""Stands in a word for text that only the running shell knows."""

_ANSI = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|[0-7]{1,3}|.)", re.DOTALL)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_FINDS_ALL = frozenset(("-print", "-print0", "-depth", "-xdev", "-mount"))


class Document:
    """A here-document announced on a line; its body follows below that line."""

    __slots__ = ("later", "quoted", "reader", "tabs", "word")

    def __init__(self, word: str, quoted: bool, tabs: bool) -> None:
        self.word = word
        self.quoted = quoted
        self.tabs = tabs
        self.reader: Simple | None = None
        self.later: list[Simple] = []

    def body(self, text: str, at: int) -> tuple[str, int]:
        """The lines from `at` up to the delimiter (or to the end of the text, as bash does), and where they end."""
        start, size = at, len(text)
        while at < size:
            end = text.find("\n", at)
            end = end if end >= 0 else size
            line = text[at:end]
            here, at = at, min(end + 1, size)
            if (line.lstrip("\t") if self.tabs else line) == self.word:
                return text[start:here], at
        return text[start:], at


_GROUPED = 50


def captured(commands: list[Simple]) -> str:
    """What a substitution yields when that is plain (echo, printf, which), else UNKNOWN."""
    text = output_of(commands[-1]) if len(commands) == 1 else None
    return UNKNOWN if text is None else text.rstrip("\n")


def output_of(made: Simple) -> str | None:
    """What `made` would hand on to the next command when that is plain to see, else None."""
    return None if made.redirects else printed(made)


def together(commands: list[Simple]) -> Simple | None:
    """A group of commands, `(...)`, `{ ...; }` or a loop, as the one command whose output is piped on."""
    if not commands:
        return None
    kind = type(commands[0])
    at = None
    for made in commands[-_GROUPED:]:
        link = kind(made.words, [], made.cwd, made.stdin)
        link.upstream, at = at, link
    texts = [output_of(made) for made in commands[-_GROUPED:]]
    group = kind(["cat"], [], commands[0].cwd, "".join(text for text in texts if text) or None)
    group.upstream = at
    return group


def printed(made: Simple) -> str | None:
    """What `made` would print, into a file or a pipe, when that is plain to see, else None."""
    words, name = made.words[1:], made.name
    text = None
    if name == "echo":
        escapes = False
        while words and words[0] in ("-n", "-e", "-E", "-ne", "-en"):
            escapes = "e" in words[0]
            words = words[1:]
        text = unescaped(" ".join(words)) if escapes else " ".join(words)
    elif name == "printf" and words:
        text = _printf(words)
    elif name == "tee" or (name == "cat" and not words):
        return made.stdin
    elif name in ("which", "type") or (name == "command" and words[:1] == ["-v"]):
        text = words[-1] if words else ""
    elif name in ("dirname", "basename") and words and "\x00" not in words[-1]:
        head, _, tail = words[-1].rstrip("/").rpartition("/")
        text = tail if name == "basename" else head or ("/" if words[-1][:1] == "/" else ".")
    elif name == "pwd":
        text = made.cwd
    elif name == "find" and words and words[0][:1] != "-" and all(w[:1] != "-" or w in _FINDS_ALL for w in words):
        text = "\n".join(word for word in words if word[:1] != "-")
    return None if text is None else text + "\n"


def _printf(words: list[str]) -> str | None:
    """The format used once, with %s and %b filled in; None for what takes more."""
    pieces = words[0].replace("%b", "%s").split("%s")
    if any("%" in piece for piece in pieces):
        return None
    given = [unescaped(word) if "%b" in words[0] else word for word in words[1:]] or [""]
    pieces = [unescaped(piece) for piece in pieces]
    if len(pieces) == 2:  # the usual `printf '%s\n' a b`
        return "".join(pieces[0] + word + pieces[1] for word in given)
    filled = "".join(piece + word for piece, word in zip(pieces, [*given, *[""] * len(pieces)], strict=False))
    return filled if len(pieces) > 1 else pieces[0]


def unescaped(text: str) -> str:
    """`text` with its backslash escapes as `$'...'`, printf and `echo -e` read them."""
    return _ANSI.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return _ANSI_LETTERS.get(code, code)


def tilde(word: str, home: str) -> str:
    """`word` with a leading `~` or `~name` as a folder; other users' homes lie beside `home`."""
    if word == "~" or word.startswith("~/"):
        return home + word[1:]
    name = word[1:].partition("/")[0]
    if not name[:1].isalpha():
        return word
    return ("/root" if name == "root" else f"{home.rpartition('/')[0]}/{name}") + word[1 + len(name) :]


def trimmed(value: str, how: str) -> str:
    """${NAME%how} and ${NAME#how} where `how` is plain text; UNKNOWN for what takes more."""
    text = how.lstrip("%#")
    if value == UNKNOWN or how[:1] not in ("%", "#") or any(c in text for c in "*?[$`\\"):
        return UNKNOWN
    return value.removesuffix(text) if how[0] == "%" else value.removeprefix(text)


def closing(text: str, at: int, closer: str, *, quoted: bool = False) -> int:
    """Where the `closer` of what began before `at` stands in `text`, past quotes and what is nested; its length where
    there is none. `quoted`: within double quotes, where a single quote is a letter."""
    size, telling = len(text), _telling(closer, quoted)
    while at < size:
        found = telling.search(text, at)
        if found is None:
            return size
        what, at = found[0], found.end()
        if what == closer:
            return found.start()
        if what == "'":
            end = text.find("'", at)
            at = end + 1 if end >= 0 else size
        elif what in ('"', "`"):
            at = 1 + closing(text, at, what, quoted=what == '"')
        elif what == "${":
            at = 1 + closing(text, at, "}", quoted=quoted)
        elif what in ("$(", "("):
            at = 1 + closing(text, at, ")")
    return size


_PLAIN = (r"\\.", r'"[^"\\`$]*"', r"`[^`\\'\"$]*`", r"\$\([^\\'\"`$()]*\)", r"\$\{[^\\'\"`$}]*\}")
"""What is closed again with nothing in it that could hide its end."""


@functools.cache
def _telling(closer: str, quoted: bool) -> re.Pattern[str]:
    """What `closing` stops at: all between is passed in one stride, for a ${...} is read once for each that it is in,
    and a line of 200,000 parentheses or quotes must not cost a step for each."""
    plain = "|".join(piece for piece in _PLAIN if piece[0] != closer)
    single, parenthesis = "" if quoted else "'", r"|\(" if closer == ")" else ""
    return re.compile(rf"(?:{plain})+|[\"`{single}{re.escape(closer)}]|\$[({{]{parenthesis}", re.DOTALL)


def unbraced(word: str, limit: int = 64) -> list[str]:
    """Brace expansion: `/{etc,usr}` -> /etc /usr; at most `limit` words."""
    done: list[str] = []
    todo = [word]
    while todo and len(done) + len(todo) <= limit:
        field = todo.pop(0)
        match = _BRACES.search(field)
        if match is None:
            done.append(field)
        else:
            todo[:0] = [field[: match.start()] + piece + field[match.end() :] for piece in match[1].split(",")]
    return done + todo
