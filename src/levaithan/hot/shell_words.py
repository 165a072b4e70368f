"""Words as bash reads them: quotes, escapes, `$` expansions, braces and tildes, with what they substitute being run.

Part of shell.py, which reads the commands that the words stand in. Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.shell_expand import Expansions
from levaithan.hot.shell_text import UNKNOWN, tilde, unbraced, unescaped

_PLAIN = re.compile(r"[^\s'\"\\$`;&|<>(){}#]+")
_LISTED = re.compile(r'"\$(?:@|\{(\w+)\[@\]\})"')
_DOUBLE = re.compile(r"[^\"\\$`]+")
_DOCUMENT = re.compile(r"[^\\$`]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_DELIMITER = re.compile(r"(?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|<>()'\"\\])+")


class _Fields:
    """One word while it is read: what an unquoted expansion splits off becomes fields of its own."""

    __slots__ = ("braces", "current", "done", "quoted")

    def __init__(self) -> None:
        self.done: list[str] = []
        self.current = ""
        self.quoted = self.braces = False

    def split(self, value: str) -> None:
        """Takes an unquoted expansion in: blanks in it end a field."""
        pieces = value.split()
        if value[:1].isspace():
            self._end()
        for piece in pieces[:-1]:
            self.current += piece
            self._end()
        if pieces:
            self.current += pieces[-1]
        if value[-1:].isspace():
            self._end()

    def _end(self) -> None:
        if self.current:
            self.done.append(self.current)
            self.current = ""


class Words(Expansions):
    """Reads words at `at` of `text`. The reader of commands builds on it."""

    substituted: str | None

    def word(self) -> list[str]:
        """The next word as fields: several when an unquoted variable or braces split it, none when it vanishes."""
        start = self.at
        fields = _Fields()
        size = len(self.text)
        while self.at < size:
            plain = _PLAIN.match(self.text, self.at)
            if plain:
                fields.current += plain[0]
                self.at = plain.end()
            elif not self._piece(self.text[self.at], fields):
                break
        if self.at == start:
            self.at += 1
        if fields.current or (fields.quoted and not fields.done):
            fields.done.append(fields.current)
        found = fields.done
        if found and self.text[start : start + 1] == "~":
            found[0] = tilde(found[0], self.variables["HOME"])
        elif found and "=~" in self.text[start : self.at] and (match := _ASSIGNED.fullmatch(found[0])):
            found[0] = f"{match[1]}={tilde(match[2], self.variables['HOME'])}"
        return [word for field in found for word in unbraced(field)] if fields.braces else found

    def raw_word(self) -> tuple[str, bool]:
        """The delimiter of a here-document: without its quotes, and whether it had any (then nothing is expanded)."""
        match = _DELIMITER.match(self.text, self.at)
        text = match[0] if match else ""
        self.at += max(len(text), 1)
        bare = re.sub(r"[\\'\"]", "", text)
        return bare, bare != text

    def _blanked(self, value: str) -> str:
        """`value` with blanks where an IFS of the line's own (IFS=,) splits it."""
        for char in self.variables.get("IFS", "")[:8].strip(" \t\n\x00"):
            value = value.replace(char, " ")
        return value

    def _piece(self, c: str, fields: _Fields) -> bool:
        """Reads one quote, escape or expansion of a word; False where the word ends."""
        text = self.text
        if c in "{}#":
            fields.current += c
            fields.braces = fields.braces or c == "{"
            self.at += 1
        elif c == "'":
            fields.current += self._single()
            fields.quoted = True
        elif text.startswith(('"$@"', '"${'), self.at) and (listed := _LISTED.match(text, self.at)):
            self.at = listed.end()  # as many words as there are
            fields.split(self.variables.get(f"{listed[1]}[@]" if listed[1] else "@", UNKNOWN))
        elif c == '"':
            fields.current += self._double()
            fields.quoted = True
        elif c == "\\":
            fields.current += "" if text.startswith("\\\n", self.at) else text[self.at + 1 : self.at + 2]
            self.at += 2
        elif c == "$":
            value, splits = self._dollar()
            if splits:
                fields.split(self._blanked(value))
            else:
                fields.current += value
                fields.quoted = True
        elif c == "`":
            fields.split(self._blanked(self._backtick()))
        elif text.startswith(("<(", ">("), self.at):
            self.at += 2
            self.substituted = self.nested()
            fields.current += UNKNOWN
        else:
            return False
        return True

    def _single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            self.doubt("a quote is not closed")
            end = len(self.text)
        inner = self.text[self.at + 1 : end]
        self.at = end + 1
        return inner

    def _double(self) -> str:
        """The text of a double-quoted string; `at` is left after its closing quote."""
        end = self.at + 1
        text, parts = self.text, []
        self.at = end
        while self.at < len(text):
            chunk = _DOUBLE.match(text, self.at)
            if chunk:
                parts.append(chunk[0])
                self.at = chunk.end()
                continue
            c = text[self.at]
            if c == '"':
                self.at += 1
                return "".join(parts)
            parts.append(self._special(c))
        self.doubt("a quote is not closed")
        return "".join(parts)

    def _special(self, c: str) -> str:
        """Inside double quotes: a backslash, a dollar or a backtick."""
        if c == "$":
            return self._dollar(quoted=True)[0]
        if c == "`":
            return self._backtick()
        following = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if following == "\n":
            return ""
        return following if following and following in '$`"\\' else c + following

    def expand(self, body: str) -> str:
        """`body` as inside double quotes (a here-document): what it substitutes is run."""
        if "$" not in body and "`" not in body:
            return body
        text, at = self.text, self.at
        self.text, self.at, parts = body, 0, []
        while self.at < len(self.text):
            chunk = _DOCUMENT.match(self.text, self.at)
            if chunk:
                parts.append(chunk[0])
                self.at = chunk.end()
            else:
                parts.append(self._special(self.text[self.at]))
        self.text, self.at = text, at
        return "".join(parts)

    def _backtick(self) -> str:
        text = self.text
        end = self.at + 1
        while end < len(text) and text[end] != "`":
            end += 2 if text[end] == "\\" else 1
        inner = re.sub(r"\\([`$\\])", r"\1", text[self.at + 1 : end])
        self.at = end + 1
        return self.captured(inner)

    def _dollar(self, quoted: bool = False) -> tuple[str, bool]:
        """What a `$...` stands for, and whether its blanks split the word (an unquoted expansion)."""
        text = self.text
        following = text[self.at + 1 : self.at + 2]
        if following in ("(", "{", "["):
            return self.bracketed(following, quoted), not quoted
        if following in ("'", '"') and not quoted:
            if following == "'":
                return self._ansi(), False
            self.at += 1
            return self._double(), False
        name = _NAME.match(text, self.at + 1)
        if name:
            self.at = name.end()
            return self.value_of(name[0]), not quoted
        if following and (following in "@*#?$!-_" or following.isdigit()):
            self.at += 2
            return self.variables.get(following, UNKNOWN), not quoted
        self.at += 1
        return "$", False

    def _ansi(self) -> str:
        """$'...' with its escapes."""
        end = self.at + 2
        while end < len(self.text) and self.text[end] != "'":
            end += 2 if self.text[end] == "\\" else 1
        inner = self.text[self.at + 2 : end]
        self.at = end + 1
        return unescaped(inner)
