"""A command as its program means it: subcommand words, flags, and patterns of both that rules are written in.

A pattern is one line: `git push --force|-f !--dry-run|-n @+*`

- the program, then subcommand words, in order: `docker volume rm|prune`; `|` parts alternatives, `*` in a word is a
  wildcard, `**` stands for any number of words
- `--flag|-f`: one of these must be given (`-x` also inside `-fx`; what git abbreviates counts); `--type=own*`: with
  such a value
- `!--flag|-n`: none of these may be given; `!@word`: no further word may be like this
- `@glob|glob`: one of the words after the subcommand is like this

`--help`, `--version` and the subcommand `help` make every command harmless. Standard library only; imports the table
of programs.
"""

from __future__ import annotations

from levaithan.hot.programs import ABBREVIATING, ALIASES, valued

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.shell import Simple

    Flags = dict[str, "Globs | None"]

HARMLESS = frozenset(("--help", "--version", "-help"))


class Invocation:
    """One call of a program. words: what is no option, in order; flags: options given, with their values or ""."""

    __slots__ = ("flags", "name", "words")

    def __init__(self, name: str, words: list[str], flags: dict[str, str]) -> None:
        self.name = name
        self.words = words
        self.flags = flags


def of(made: Simple) -> Invocation:
    """How the program of `made` reads its words. The options' values are known by the tables of programs.py."""
    if made.call is None:
        made.call = _read(made)
    return made.call


def _read(made: Simple) -> Invocation:
    name = made.name
    given = made.words[1:]
    alias = ALIASES.get(name)
    if alias:
        name, given = alias[0], [*alias[1:], *given]
    short, longs = valued(name)
    words: list[str] = []
    flags: dict[str, str] = {}
    i, size = 0, len(given)
    while i < size:
        word = given[i]
        i += 1
        if word == "--":
            flags["--"] = ""
            words += given[i:]
            break
        if len(word) < 2 or word[0] != "-":
            words.append(word)
            continue
        option, equals, value = word.partition("=")
        if not equals and (option.lstrip("-") in longs or (word[1] != "-" and _ends_valued(word, short))):
            value = given[i] if i < size and given[i] != "--" else ""
            i += bool(value)
        flags[option] = value
        if word[1] != "-":
            _letters(word, value, short, flags)
    if words and (words[0] == "help" or (words[-1] == "help" and name == "aws")):
        flags["--help"] = ""
    return Invocation(name, words, flags)


def _letters(word: str, value: str, short: str, flags: dict[str, str]) -> None:
    """Notes each letter of -it; one that takes a value has it glued on (-XDELETE) or as `value`."""
    for place, letter in enumerate(word[1:], 2):
        if letter in short:
            flags.setdefault("-" + letter, word[place:].removeprefix("=") or value)
            return
        flags.setdefault("-" + letter, value)


def _ends_valued(word: str, short: str) -> bool:
    """Whether the next word is the value of the last letter of a group such as -it."""
    return word[-1] in short and not any(letter in short for letter in word[1:-1])


class Pattern:
    """A compiled pattern; see the module's text."""

    __slots__ = ("absent", "anywhere", "needed", "never", "programs", "words")

    def __init__(self, text: str) -> None:
        first, *rest = text.split()
        self.programs = first.split("|")
        self.words: list[Globs | None] = []
        self.needed: list[Flags] = []
        absent: list[str] = []
        self.anywhere: list[Globs] = []
        never: list[str] = []
        for part in rest:
            if part.startswith("!@"):
                never += part[2:].split("|")
            elif part.startswith("!"):
                absent += part[1:].split("|")
            elif part.startswith("@"):
                self.anywhere.append(Globs(part[1:].split("|")))
            elif part.startswith("-"):
                self.needed.append(_flags(part.split("|")))
            else:
                self.words.append(None if part == "**" else Globs(part.split("|")))
        self.absent = _flags(absent)
        self.never = Globs(never) if never else None

    def fits(self, call: Invocation) -> bool:
        """Whether `call` is such a one. Its program is not looked at: the rules are found by it."""
        rest = _after(self.words, call.words) if self.words else call.words
        if rest is None:
            return False
        for flags in self.needed:
            if not _given(flags, call):
                return False
        if not HARMLESS.isdisjoint(call.flags) or (self.absent and _given(self.absent, call)):
            return False
        if self.never is not None and self.never.fit_one_of(rest):
            return False
        for globs in self.anywhere:  # noqa: SIM110 - asked for every rule on a program: a generator doubles its price
            if not globs.fit_one_of(rest):
                return False
        return True


class Globs:
    """Globs as like() knows them, sorted by how they are compared. words: those without a `*`; plain: all are."""

    __slots__ = ("begun", "ended", "inner", "others", "plain", "words")

    def __init__(self, globs: list[str]) -> None:
        plain = [glob for glob in globs if "*" not in glob]
        rest = [glob for glob in globs if "*" in glob]
        self.words = frozenset(plain)
        self.plain = not rest
        self.begun = tuple(glob[:-1] for glob in rest if glob.find("*") == len(glob) - 1)
        self.ended = tuple(glob[1:] for glob in rest if glob.rfind("*") == 0 and len(glob) > 1)
        self.inner = [glob[1:-1] for glob in rest if glob.count("*") == 2 and glob[0] == glob[-1] == "*"]
        known = {*(one + "*" for one in self.begun), *("*" + one for one in self.ended)}
        known |= {f"*{one}*" for one in self.inner}
        self.others = [glob for glob in rest if glob not in known]

    def fit(self, word: str) -> bool:
        """Whether `word` is like one of them."""
        if word in self.words or word.startswith(self.begun) or word.endswith(self.ended):
            return True
        for part in self.inner:
            if part in word:
                return True
        for glob in self.others:  # noqa: SIM110 - as in Pattern.fits
            if like(word, glob):
                return True
        return False

    def fit_one_of(self, words: list[str]) -> bool:
        """Whether one of `words` is like one of them."""
        for word in words:  # noqa: SIM110 - as in Pattern.fits
            if self.fit(word):
                return True
        return False


def _flags(texts: list[str]) -> Flags:
    """Flag -> the globs that its value must be like one of, or None when every value will do."""
    found: dict[str, list[str] | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        globs = found.setdefault(name, [])
        if globs is not None:
            found[name] = [*globs, value] if equals else None
    return {name: None if globs is None else Globs(globs) for name, globs in found.items()}


def _after(wanted: list[Globs | None], words: list[str]) -> list[str] | None:
    """The words behind the subcommand `wanted`, None when it is another."""
    size = len(words)
    for place, choice in enumerate(wanted):
        if choice is None:
            following = wanted[place + 1 :]
            for skipped in range(place, size + 1):
                rest = _after(following, words[skipped:])
                if rest is not None:
                    return rest
            return None
        if place >= size:
            return None
        if not choice.fit(words[place]):
            return None
    return words[len(wanted) :]


def _given(flags: Flags, call: Invocation) -> bool:
    """Whether one of `flags` was given."""
    for name, value in call.flags.items():
        if name in flags:
            globs = flags[name]
            if globs is None or globs.fit(value):
                return True
    return call.name in ABBREVIATING and _abbreviated(flags, call.flags)


def _abbreviated(flags: Flags, given: dict[str, str]) -> bool:
    """Whether one of `flags` was given by its beginning."""
    for begun, value in given.items():
        if len(begun) > 4 and begun[:2] == "--":
            for name, globs in flags.items():
                if name.startswith(begun) and (globs is None or globs.fit(value)):
                    return True
    return False


def like(word: str, glob: str) -> bool:
    """Whether `word` is like `glob`, in which `*` alone is special. What only the running shell knows is like nothing
    but `*`."""
    if glob == "*":
        return True
    if "*" not in glob:
        return word == glob
    head, *middle, tail = glob.split("*")
    if not (word.startswith(head) and word.endswith(tail) and len(word) >= len(head) + len(tail)):
        return False
    at, end = len(head), len(word) - len(tail)
    for part in middle:
        found = word.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
