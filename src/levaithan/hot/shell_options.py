"""The words of a command as options, their values and what is left; names of interpreters. Standard library only.

`valued` says which options take a value: single letters glued in its first word, then long names.
"""

from __future__ import annotations

import posixpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


INTERPRETERS: tuple[str, ...] = ("python", "ipython", "pypy", "node", "deno", "bun", "perl", "ruby", "php", "lua")
INTERPRETERS += ("osascript", "tclsh", "sqlite3", "Rscript", "julia", "awk", "gawk", "mawk")
INTERPRETERS += ("ts-node", "tsx", "groovy", "elixir", "scala", "expect", "jshell", "raku")


NARROWING = frozenset(
    "-empty -mtime -mmin -ctime -atime -amin -cmin -newer -size -regex -iregex -user -perm -links -lname -inum".split()
)
"""Tests of find that leave out most files."""


def operands(words: list[str], valued: str = "") -> list[str]:
    """The words after the program that are no options."""
    short, _, long = valued.partition(" ")
    found: list[str] = []
    i = 1
    while i < len(words):
        word = words[i]
        if word == "--":
            return found + words[i + 1 :]
        if len(word) > 1 and word[0] == "-":
            i += takes_next(word, short, long)
        else:
            found.append(word)
        i += 1
    return found


def operands_on(words: list[str], valued: str) -> list[str]:
    """The words from the first one after the program that is no option, options behind it included."""
    short, _, long = valued.partition(" ")
    i = 1
    while i < len(words) and words[i] != "--" and words[i][:1] == "-":
        i += 1 + takes_next(words[i], short, long)
    return words[i + 1 :] if words[i : i + 1] == ["--"] else words[i:]


def takes_next(word: str, short: str, long: str) -> int:
    """1 when the option `word` takes the next word as its value."""
    if word.startswith("--"):
        return int("=" not in word and word[2:] in long and len(word) > 2 and word[2:] in long.split(" "))
    return int(word[-1] in short) if not any(c in short for c in word[1:-1]) else 0


def values_of(words: list[str], letter: str, long: str) -> Iterator[str]:
    """Every value of an option: of `-c X`, `-cX`, `-qc X`, `--command X`, `--command=X`."""
    for i, word in enumerate(words[1:], 1):
        if word.startswith("--"):
            if word == long or word.startswith(long + "="):
                yield word.partition("=")[2] if "=" in word else " ".join(words[i + 1 : i + 2])
        elif letter and word[:1] == "-" and letter in word[1:]:
            yield word[1:].partition(letter)[2] or " ".join(words[i + 1 : i + 2])


def value_of(words: list[str], letter: str, long: str) -> str | None:
    """The first value of an option, or None."""
    return next(values_of(words, letter, long), None)


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


def joined(cwd: str | None, place: str) -> str | None:
    """The folder `place` as seen from `cwd`; None when that is unknown."""
    if cwd is None and not place.startswith("/"):
        return None
    return posixpath.normpath(posixpath.join(cwd or "/", place))
