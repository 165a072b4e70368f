"""What a command line would really run: the simple commands in it, through quotes, lists, subshells and wrappers.

A careful splitter, not a shell: it knows what bash does with quotes, escapes, here-documents, `$(...)`, variables set
on the same line and `cd`, and it says `unsure` where it stops understanding instead of guessing. It never raises and
never touches the file system. shell_words.py reads words, shell_wrap.py knows commands that run others. Standard
library only.
"""

from __future__ import annotations

import re

from levaithan.hot import shell_wrap
from levaithan.hot.shell_expand import MAX_DEPTH
from levaithan.hot.shell_text import UNKNOWN, Document, captured, output_of, together
from levaithan.hot.shell_words import Words
from levaithan.hot.simple import MAX_LINE, Line, Simple

__all__ = ("MAX_LINE", "Line", "Reader", "Simple", "split")

MAX_COMMANDS = 2000
_TEMPORARY = "/tmp"  # noqa: S108 - what $TMPDIR stands for, looked at only

_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^]]*\])?(\+?)=(.*)", re.DOTALL)
_FAST = re.compile(
    r"[ \t\r]*(?:([A-Za-z0-9_./:@%,+^-][A-Za-z0-9_./:=@%,+^-]*)|'([^']*)'|\"([^\"\\$`]*)\")(?=[\s;&|)]|\Z)"
)
"""A word without anything to expand: nearly all of them."""
_REDIRECT = re.compile(r"&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|<|>")
_EVALUATES = re.compile(r"\\|-(?:[vR]|eq|ne|[lg][te])\b")
"""What [[ ]] takes for a name or for arithmetic, which may set a variable."""
_LEADING = frozenset(
    ("if", "then", "elif", "else", "while", "until", "do", "!", "{", "fi", "done", "}", "esac", "coproc", "function")
)


def split(line: str, cwd: str | None = None, home: str = "~", known: dict[str, str] | None = None) -> Line:
    """The simple commands that `line` would run, in order, wrappers (sudo, bash -c, ...) included and looked into.

    `cwd`: the folder it would run in, None when unknown. `home`: what `~` and $HOME stand for. `known`: more variables.
    Never raises.
    """
    result = Line()
    if len(line) > MAX_LINE:
        result.unsure = f"the command is longer than {MAX_LINE >> 10} KiB"
        line = line[:MAX_LINE]
    variables = {"TMPDIR": _TEMPORARY, **(known or {}), "HOME": home, "IFS": " \t\n"}
    reader = Reader(line.replace("\x00", ""), result, variables, cwd, 0)
    try:
        reader.commands("")
    except RecursionError:
        result.unsure = "it is nested too deeply"
    return result


class Reader(Words):
    """Reads one text; nested texts (bash -c, backticks) get a reader of their own that shares the result."""

    def __init__(self, text: str, result: Line, variables: dict[str, str], cwd: str | None, depth: int) -> None:
        self.text = text
        self.at = 0
        self.result = result
        self.variables = variables
        self.cwd = cwd
        self.depth = depth
        self.documents: list[Document] = []
        self.piped: Simple | None = None
        self.group = len(result.commands)
        self.substituted: str | None = None

    # -- lists of commands --

    def commands(self, closer: str) -> None:
        """Reads commands up to the end of the text, or past an unmatched `closer`."""
        words: list[str] = []
        redirects: list[tuple[str, str]] = []
        stdin: list[str] = []
        text, size = self.text, len(self.text)
        while self.at < size:
            fast = _FAST.match(text, self.at)
            if fast:
                self.at = fast.end()
                words.append(fast[fast.lastindex or 1])
                if len(words) == 1 and words[0] in _LEADING:
                    words.clear()
                continue
            c = text[self.at]
            if c in " \t\r":
                self.at += 1
            elif c == ")":
                self.at += 1
                self._finish(words, redirects, stdin)
                if closer:
                    return
            elif c in "\n;|&#(" and not text.startswith("&>", self.at):
                self._structure(c, words, redirects, stdin)
            elif c in "<>&" and not text.startswith(("<(", ">("), self.at):
                self._redirect(words, redirects, stdin)
            else:
                words.extend(self._first_word() if not words else self.word())
        self._finish(words, redirects, stdin)
        if closer:
            self.doubt("a parenthesis is not closed")

    def doubt(self, why: str) -> None:
        """Notes why the reading is unsure; the first reason stays."""
        self.result.unsure = self.result.unsure or why

    def child(self, text: str, variables: dict[str, str] | None = None) -> None:
        """Reads `text` as commands of their own (bash -c, eval, a here-document for a shell)."""
        if self.depth >= MAX_DEPTH:
            self.doubt("it is nested too deeply")
            return
        reader = Reader(text, self.result, self.variables if variables is None else variables, self.cwd, self.depth + 1)
        reader.commands("")

    def _first_word(self) -> list[str]:
        """The word that a command begins with; keywords vanish, the inside of [[ ]] is only searched for `$(...)`."""
        if self.text.startswith("[[", self.at):
            end = self.text.find("]]", self.at)
            end = end if end >= 0 else len(self.text)
            inner, self.at = self.text[self.at + 2 : end], end + 2
            (self.evaluated if _EVALUATES.search(inner) else self.expand)(inner)
            return []
        words = self.word()
        return [] if len(words) == 1 and words[0] in _LEADING else words

    def _structure(self, c: str, words: list[str], redirects: list[tuple[str, str]], stdin: list[str]) -> None:
        """An operator, a comment or an opening parenthesis."""
        if c == "(":
            self._open(words, redirects, stdin)
        elif c == "#":
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)
        else:
            self._operator(c, words, redirects, stdin)

    def _operator(self, c: str, words: list[str], redirects: list[tuple[str, str]], stdin: list[str]) -> None:
        done = self._finish(words, redirects, stdin)
        self.at += 1
        following = self.text[self.at : self.at + 1]
        pipe = c == "|" and following != "|"
        if pipe and done is None:
            done = together(self.result.commands[self.group :])
        if following and following in "|&;" and c != "\n":
            self.at += 1
        self.piped = done if pipe else None
        if c == "\n":
            self._read_documents()

    def _open(self, words: list[str], redirects: list[tuple[str, str]], stdin: list[str]) -> None:
        """A subshell, `((arithmetic))`, an array or the () of a function."""
        text = self.text
        if text.startswith("((", self.at) and not words:
            self.arithmetic(self.at + 2)
            return
        self.at += 1
        if words and words[-1].endswith("="):
            self._array(words[-1].rstrip("+="))
            return
        self._finish(words, redirects, stdin)
        before = len(self.result.commands)
        self.nested(self.piped)
        self.group, self.piped = before, None

    def _array(self, name: str) -> None:
        """The words of NAME=(...); what they substitute is run, what they are ${NAME[@]} stands for."""
        text, size = self.text, len(self.text)
        self.result.sets = True
        found: list[str] = []
        while self.at < size and text[self.at] != ")":
            if text[self.at] == "#":
                end = text.find("\n", self.at)
                self.at = end if end >= 0 else size
            elif text[self.at].isspace():
                self.at += 1
            else:
                found += self.word()
        self.at += 1
        self.variables[name + "[@]"] = " ".join(found)

    def nested(self, piped: Simple | None = None) -> str:
        """Reads up to the closing parenthesis in a subshell: its `cd` and variables do not reach the outside.

        `piped`: whose output it reads.
        """
        if self.depth >= MAX_DEPTH:
            self.doubt("it is nested too deeply")
            self.at = len(self.text)
            return UNKNOWN
        before, outside = len(self.result.commands), (self.cwd, self.variables, self.piped, self.documents)
        self.variables, self.piped, self.documents = dict(self.variables), piped, []
        self.depth += 1
        self.commands(")")
        self.depth -= 1
        self.cwd, self.variables, self.piped, self.documents = outside
        return captured(self.result.commands[before:])

    def captured(self, text: str) -> str:
        """Backticks: `text` in a subshell."""
        before = len(self.result.commands)
        self.child(text, dict(self.variables))
        return captured(self.result.commands[before:])

    def _finish(self, words: list[str], redirects: list[tuple[str, str]], stdin: list[str]) -> Simple | None:
        """Ends the simple command read so far, and looks into it."""
        if not words and not redirects:
            return None
        self._prepare(words)
        made = Simple(list(words), list(redirects), self.cwd, stdin[0] if stdin else None)
        if self.substituted is not None:
            if made.stdin is None and UNKNOWN in words[1:2] + [target for _, target in redirects[-1:]]:
                made.stdin = self.substituted  # bash <(...), source <(...), sh < <(...)
            self.substituted = None
        made.upstream = piped = self.piped
        self.piped = None
        words.clear()
        redirects.clear()
        stdin.clear()
        if len(self.result.commands) >= MAX_COMMANDS:
            self.doubt(f"it has more than {MAX_COMMANDS} commands")
            return made
        self.result.commands.append(made)
        if ("alias " + made.name) in self.variables and shell_wrap.unaliased(made.words, self):
            return made
        for document in self.documents:
            document.reader = document.reader or made
            if piped is not None and (document.reader is piped or piped in document.later):
                document.later.append(made)
                return made  # what it gets on stdin stands further down
        if made.stdin is None and piped is not None:
            made.stdin = output_of(piped)
        if not (self.documents and any(document.reader is made for document in self.documents)):
            shell_wrap.look_into(made, self)
        return made

    def _prepare(self, words: list[str]) -> None:
        """Takes assignments, keywords and the names of functions off a command's front."""
        while words and "=" in words[0] and (match := _ASSIGN.fullmatch(words[0])) and UNKNOWN not in match[1]:
            value = self.variables.get(match[1], "") + match[3] if match[2] else match[3]
            self.variables[match[1]] = value
            self.result.sets = True
            words.pop(0)
        if len(words) > 2 and words[1] == "{":  # function NAME {, coproc NAME {
            del words[:2]
        if words and words[0] in _LEADING:
            words.pop(0)
        if len(words) > 3 and words[0] == "for" and words[2] == "in":
            self.variables[words[1]] = " ".join(words[3:])

    # -- redirections and here-documents --

    def _redirect(self, words: list[str], redirects: list[tuple[str, str]], stdin: list[str]) -> None:
        match = _REDIRECT.match(self.text, self.at)
        if match is None:
            self.at += 1
            return
        operator = match[0]
        glued = self.at > 0 and (self.text[self.at - 1].isdigit() or self.text[self.at - 1] == "}")
        self.at = match.end()
        if glued and words and (words[-1].isdigit() or (words[-1][0] == "{" and "," not in words[-1])):
            words.pop()
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        if operator in ("<<", "<<-"):
            target, quoted = self.raw_word()
            self.documents.append(Document(target, quoted, operator == "<<-"))
            return
        target = " ".join(self.word())
        if operator == "<<<":
            stdin.append(target + "\n")
        elif not (operator.endswith("&") and (target.isdigit() or target == "-")):
            redirects.append((operator, target))

    def _read_documents(self) -> None:
        """The bodies of the here-documents announced on the line that has just ended."""
        documents, self.documents = self.documents, []
        for document in documents:
            body, self.at = document.body(self.text, self.at)
            made = document.reader
            if made is not None:
                made.stdin = body if document.quoted else self.expand(body)
                shell_wrap.look_into(made, self)
                for follower in document.later:
                    follower.stdin = output_of(made)
                    shell_wrap.look_into(follower, self)
                    made = follower
