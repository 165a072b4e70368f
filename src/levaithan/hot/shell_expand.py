"""What stands in brackets after a `$`: commands, arithmetic, a parameter; with what it substitutes being run.

Part of shell_words.py, which reads the words that these stand in. Standard library only.
"""

from __future__ import annotations

import abc
import re

from levaithan.hot.shell_text import UNKNOWN, closing, trimmed, unescaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.simple import Line

MAX_DEPTH = 12
_PARENTHESES = re.compile(r"\\.|[()]", re.DOTALL)
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_MOST_NAMES = 50
_MOST_AGAIN = 100
_LETS_BE = re.compile(r":?[-+?]|[#%/^,]|\[[@*]\]\Z|\Z")
"""What follows the name in a ${...} that evaluates nothing and sets nothing."""


class Expansions(abc.ABC):
    """Reads an expansion at `at` of `text`. The reader of words builds on it."""

    text: str
    at: int
    cwd: str | None
    depth: int
    result: Line
    variables: dict[str, str]

    @abc.abstractmethod
    def doubt(self, why: str) -> None:
        """Notes why the reading is unsure."""

    @abc.abstractmethod
    def nested(self) -> str:
        """Reads the commands up to the closing parenthesis; gives what they print, when that is plain."""

    @abc.abstractmethod
    def captured(self, text: str) -> str:
        """Reads `text` as commands; gives what they print, when that is plain."""

    @abc.abstractmethod
    def expand(self, body: str) -> str:
        """`body` as inside double quotes: what it substitutes is run."""

    def bracketed(self, bracket: str, quoted: bool) -> str:
        """$(commands), $((arithmetic)), $[arithmetic] or ${parameter}."""
        if bracket == "{":
            return self._parameter(quoted)
        if bracket == "[":
            end = closing(self.text, self.at + 2, "]", quoted=True)
            if end == len(self.text):
                self.doubt("a bracket is not closed")
                self.at = end
                return UNKNOWN
            inner, self.at = self.text[self.at + 2 : end], end + 1
            self.evaluated(inner)
            return UNKNOWN
        if self.text.startswith("$((", self.at):
            self.arithmetic(self.at + 3)
            return UNKNOWN
        self.at += 2
        return self.nested()

    def arithmetic(self, begin: int) -> None:
        """Reads the inside of `((...))`, from `begin` past its closing parentheses: only what it substitutes is run."""
        depth, end = 2, len(self.text)
        for match in _PARENTHESES.finditer(self.text, begin):
            depth += (match[0] == "(") - (match[0] == ")")
            if depth == 0:
                break
        else:
            self.doubt("a parenthesis is not closed")
            self.at = end
            return
        self.at = match.end()
        if self.depth >= MAX_DEPTH:
            self.doubt("it is nested too deeply")
            return
        self.depth += 1
        self.evaluated(self.text[begin : match.start()])
        self.depth -= 1

    def evaluated(self, expression: str) -> None:
        """Arithmetic: it may set variables, and what is substituted in it, and in the brackets of a variable that it
        names, is run."""
        self.result.sets = True
        self.expand(expression)
        for name in _NAME.findall(expression)[:_MOST_NAMES]:
            value = self.variables.get(name, "")
            if "[" in value:
                self._again(value)

    def _again(self, value: str) -> str:
        """The value of a variable as text to expand; few of them, since each may name others."""
        self.result.again += 1
        if self.result.again > _MOST_AGAIN or self.depth >= MAX_DEPTH:
            self.doubt("it is nested too deeply")
            return UNKNOWN
        self.depth += 1
        found = self.expand(value)
        self.depth -= 1
        return found

    def value_of(self, name: str) -> str:
        return self.variables.get(name, (self.cwd or UNKNOWN) if name == "PWD" else UNKNOWN)

    def _parameter(self, quoted: bool) -> str:
        """${name}, ${name:-word} and the other forms; what they run is run, what is not known is UNKNOWN."""
        text, begin = self.text, self.at + 2
        if self.depth >= MAX_DEPTH:
            self.doubt("it is nested too deeply")
            self.at = len(text)
            return UNKNOWN
        name = _PARAMETER.match(text, begin)
        rest = text[name.end() : name.end() + 2] if name else ""
        end = closing(text, begin, "}", quoted=quoted and rest.startswith((":", "-", "+", "=", "?")))
        if end == len(text):
            self.doubt("a brace is not closed")
        inner, self.at = text[begin:end], end + 1
        self.depth += 1
        found = self._value_in(inner)
        self.depth -= 1
        return found

    def _value_in(self, inner: str) -> str:
        """What the ${inner} stands for."""
        name = _PARAMETER.match(inner)
        if name is None:  # ${#name}, ${!name}
            self.result.sets = self.result.sets or "[" in inner or "=" in inner or "@" in inner
            self.expand(inner)
            return UNKNOWN
        value = self.value_of(name[0])
        rest = inner[name.end() :]
        self.result.sets = self.result.sets or not _LETS_BE.match(rest)
        if not rest or rest in ("[@]", "[*]"):
            return self.variables.get(name[0] + "[@]", UNKNOWN) if rest else value
        if rest == "@P":  # read as a prompt is: escapes first, then what it substitutes is run
            return self._again(unescaped(value))
        word = self.expand(rest.lstrip(":-+=?"))
        if rest.startswith((":-", "-", ":=", "=")):
            return word if value == UNKNOWN else value
        if rest.startswith((":+", "+")):
            return word
        return value if rest.startswith((":?", "?")) else trimmed(value, rest)
