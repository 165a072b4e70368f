"""What commands read: the files whose content they show, copy, send or commit.

Whether such a file holds a credential is the place's business (credentials.py). What only looks at a name, a size or a
hash, counts lines, or uses a key for what keys are for (ssh -i, source .env) reads nothing here. Standard library only.
"""

from __future__ import annotations

import re
from itertools import pairwise

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import INTERPRETERS, find_paths, operands, operands_on, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]

_SHOWS = (
    "cat tac nl less more most head tail bat batcat view vim vi nvim nano emacs pico micro strings xxd od hexdump "
    "hexyl base64 base32 basenc cut sort uniq paste column fold fmt pr rev expand unexpand join diff sdiff colordiff "
    "delta comm iconv split csplit zcat gzcat zless bzcat xzcat jq yq xmllint plutil xclip xsel pbcopy mapfile ccat "
    "glow mdcat sqlite3 sqlite uuencode qrencode look shuf tsort ul pcat"
)
_SEARCHES = "grep egrep fgrep zgrep rg ag ack ugrep sift pt ripgrep"
_EDITS = "sed gsed awk gawk mawk nawk"
_COPIES = "cp mv ln scp rsync install rclone pax"
_PACKS = "tar gtar bsdtar zip 7z 7za rar gzip bzip2 xz zstd cpio ar"
_VALUED: dict[str, str] = {
    "head": "nc lines bytes",
    "tail": "nc lines bytes",
    "cut": "dfcb delimiter fields characters bytes output-delimiter",
    "sort": "kto key field-separator output",
    "base64": "w wrap",
    "xxd": "lsc len seek cols",
    "od": "jNtA",
    "hexdump": "nsef",
    "fold": "w width",
    "bat": "lrH language line-range style theme",
    "jq": "L arg argjson slurpfile indent",
    "grep": "efmABCd regexp file max-count context include exclude",
    "rg": "efgmtTABCjr regexp file glob type max-count context",
    "sed": "ef expression file",
    "awk": "vfF assign file field-separator",
    "scp": "PiloFcSJ",
    "rsync": "e rsh exclude include filter",
    "tar": "fCTX file directory files-from exclude",
}
_DEEP = frozenset(("rg", "ag", "ack", "sift", "pt", "ripgrep"))
_COMPARES = frozenset(("diff", "sdiff", "colordiff"))
_CATCH_ALL = frozenset(("", ".", ".*", "^", "$", "^.*$", ".+", "^.*", ".*$"))
"""Patterns that fit every line."""
_QUIET = frozenset(("--quiet", "--silent", "--count", "--files-with-matches", "--files-without-match"))


def _is_quiet(word: str) -> bool:
    """-q, -c, -l and what they stand together with."""
    letters = word[1:]
    return word[:1] == "-" and letters.isascii() and letters.isalpha() and any(one in letters for one in "qclL")


def _shows(made: Simple) -> Iterator[Deed]:
    if made.name == "cut" and {"-d=", "-f1"} <= set(made.words):  # names, without what they are set to
        return
    deep = made.name in _COMPARES and any(word == "--recursive" or _has(word, "r") for word in made.words)
    for word in operands(made.words, _VALUED.get(made.name, "")):
        yield Deed("read", word, made.cwd, shown(made.words), recursive=deep)


def _has(word: str, letters: str) -> bool:
    """Whether `word` is a group of one-letter options with one of `letters` in it."""
    return word[:1] == "-" != word[1:2] and any(letter in word for letter in letters)


def _searches(made: Simple) -> Iterator[Deed]:
    """grep PATTERN FILES: the pattern is no file."""
    words = made.words
    if any(word in _QUIET or _is_quiet(word) for word in words[1:]):
        return
    valued = _VALUED["rg" if made.name in ("rg", "ag", "ripgrep") else "grep"]
    found = operands(words, valued)
    given = any(word in ("-e", "-f", "--file") or word.startswith(("-e", "--regexp")) for word in words)
    recursive = made.name in _DEEP or any(
        word in ("--recursive", "--dereference-recursive") or _has(word, "rR") for word in words
    )
    places = found if given else found[1:]
    for word in places or ["."] if recursive else places:
        yield Deed("read", word, made.cwd, shown(words), recursive=recursive)
    if recursive and _CATCH_ALL.issuperset(found[:1]) and not given:  # all of it is shown, as by a copy
        yield from (Deed("name-key", word, made.cwd, shown(words), recursive=True) for word in places or ["."])
    for glob in (*values_of(words, "", "--include"), *values_of(words, "g", "--glob")):
        if glob[:1] != "!" and "." in glob:
            yield Deed("read", glob, made.cwd, shown(words))


def _edits(made: Simple) -> Iterator[Deed]:
    """sed SCRIPT FILES, awk PROGRAM FILES; sed -i shows nothing."""
    words = made.words
    if any(word.startswith("--in-place") or (word[:1] == "-" != word[1:2] and "i" in word) for word in words[1:]):
        return
    found = operands(words, _VALUED["awk" if "awk" in made.name else "sed"])
    given = any(word in ("-e", "-f", "--expression", "--file") for word in words)
    for word in found if given else found[1:]:
        yield Deed("read", word, made.cwd, shown(words))


def _copies(made: Simple) -> Iterator[Deed]:
    """What goes into the copy. Names on other machines (host:path) are not ours."""
    found = operands(made.words, _VALUED.get(made.name, "tS suffix target-directory"))
    elsewhere = bool(found) and _is_remote(found[-1])
    for word in found if len(found) == 1 or "-t" in made.words else found[:-1]:
        if not _is_remote(word):
            yield Deed("copy", word, made.cwd, shown(made.words), recursive=True)
            if elsewhere:
                yield Deed("send", word, made.cwd, shown(made.words), recursive=True)


def _is_remote(word: str) -> bool:
    head, found, _ = word.partition(":")
    return bool(found) and "/" not in head and head != ""


def _packs(made: Simple) -> Iterator[Deed]:
    """tar, zip: the files that go in. Which operand is the archive does not matter: no archive is a credential."""
    words = made.words
    listing = words[1:2] and not words[1].startswith("--") and "c" not in words[1] and words[0].endswith("tar")
    if listing and ("x" in words[1] or "t" in words[1]):
        for folder in values_of(words, "C", "--directory") if "x" in words[1] else ():
            for member in operands(words[2:], "C directory"):
                yield Deed("write", f"{folder}/{member}", made.cwd, shown(words), recursive=True)
        return
    folders = list(values_of(words, "C", "--directory")) if made.name.endswith("tar") else []
    for word in operands(words, _VALUED.get(made.name, "")):
        yield Deed("copy", word, made.cwd, shown(words), recursive=True)
        for folder in folders[:8]:
            if word[:1] != "/":
                yield Deed("copy", f"{folder}/{word}", made.cwd, shown(words), recursive=True)


def _blocks(made: Simple) -> Iterator[Deed]:
    for word in made.words[1:]:
        if word.startswith("if="):
            yield Deed("read", word[3:], made.cwd, shown(made.words))


def _openssl(made: Simple) -> Iterator[Deed]:
    """openssl -in KEY, unless only its public half or nothing is shown."""
    words = made.words
    if words[1:2] and words[1] in ("enc", "base64", "rsa", "ec", "pkey", "pkcs8", "pkcs12", "dsa", "aes-256-cbc"):
        for word, following in pairwise(words):
            if word == "-in" and "-noout" not in words and "-pubout" not in words:
                yield Deed("read", following, made.cwd, shown(words))


def _finds(made: Simple) -> Iterator[Deed]:
    """find -name NAME -exec cat: what has such a name is read, wherever it lies."""
    words = made.words
    for i, word in enumerate(words[:-1]):
        if word in ("-exec", "-execdir", "-ok", "-okdir") and words[i + 1].rpartition("/")[2] in _TAKERS:
            yield from _found(made)
            return


def _finds_other(made: Simple) -> Iterator[Deed]:
    """fd PATTERN -x cat: the pattern stands for a name."""
    words = made.words
    for i, word in enumerate(words[:-1]):
        if word in ("-x", "-X", "--exec", "--exec-batch") and words[i + 1].rpartition("/")[2] in _READERS:
            for name in operands(words[:i], "etdEcS extension type max-depth exclude color size"):
                yield Deed("read", name, made.cwd, shown(words))


def _found(made: Simple) -> Iterator[Deed]:
    """What find finds: files with a name, or all below where it starts."""
    words = made.words
    if _ANY_NAME.isdisjoint(words) or not _UNDONE.isdisjoint(words):
        for path in find_paths(words)[:8]:
            yield Deed("read", path, made.cwd, shown(words), recursive=True)
    yield from _named(made)


_ANY_NAME = frozenset(("-name", "-iname", "-path", "-ipath", "-wholename", "-regex", "-iregex"))
_UNDONE = frozenset(("!", "-not", "-o", "-or", "-regex", "-iregex"))


def _named(made: Simple) -> Iterator[Deed]:
    words = made.words
    for word, following in pairwise(words):
        if word in ("-name", "-iname", "-path", "-ipath", "-wholename"):
            for path in find_paths(words)[:8]:
                yield Deed("read", following if "/" in following else f"{path}/{following}", made.cwd, shown(words))


def _git(made: Simple) -> Iterator[Deed]:
    """git add FILE puts it into the history; git show REF:FILE shows it."""
    rest = operands_on(made.words, "Cc git-dir work-tree namespace")
    if rest[:1] in (["add"], ["stage"]):
        for word in operands(rest, " chmod pathspec-from-file"):
            yield Deed("commit", word, made.cwd, shown(made.words))
    elif rest[:1] in (["show"], ["cat-file"], ["blame"]):
        for word in rest[1:]:
            if word[:1] != "-":
                yield Deed("read", word.rpartition(":")[2], made.cwd, shown(made.words))
    elif rest[:1] == ["log"] and {"-p", "--patch", "-u"} & set(rest):
        for word in rest[rest.index("--") + 1 :] if "--" in rest else ():
            yield Deed("read", word, made.cwd, shown(made.words))
    elif rest[:1] == ["credential"] and rest[1:2] == ["fill"]:
        yield Deed("reveal", "git's stored passwords", made.cwd, shown(made.words))


def _rows() -> dict[str, Reader]:
    found: dict[str, Reader] = dict.fromkeys(_SHOWS.split(), _shows)
    found |= dict.fromkeys(_SEARCHES.split(), _searches) | dict.fromkeys(_EDITS.split(), _edits)
    found |= dict.fromkeys(_COPIES.split(), _copies) | dict.fromkeys(_PACKS.split(), _packs)
    return found | {
        "dd": _blocks,
        "openssl": _openssl,
        "find": _finds,
        "fd": _finds_other,
        "fdfind": _finds_other,
        "git": _git,
    }


OF = _rows()
_READERS = frozenset((*_SHOWS.split(), *_SEARCHES.split(), *_EDITS.split(), "sh", "bash"))
_TAKERS = _READERS.union(_COPIES.split(), _PACKS.split(), ("curl", "dd", "openssl"))


_WRITTEN = re.compile(
    r"(?:(?:write|append)File(?:Sync)?|createWriteStream|File\.write|file_put_contents)\s?\(\s?[\"']([^\"'\n]{2,300})[\"']"
    r"|(?:open|Path)\s?\(\s?[\"']([^\"'\n]{2,300})[\"']\s?(?:,\s?(?:mode\s?=\s?)?[\"'](?:[wax]|r\+)|\)\.(?:write_|open\([\"'][wax]))"
)
"""What program text writes to: by a call that only writes, or by a mode."""


def of_input(made: Simple) -> Iterator[Deed]:
    """`< FILE`, whatever the command; a program text (python -c) that names a file."""
    for operator, target in made.redirects:
        if operator == "<":
            yield Deed("read", target, made.cwd, f"{shown(made.words)} < {target}".strip())
    if made.name.startswith(INTERPRETERS) and not made.name.endswith("awk"):
        yield from _in_code(made)


def _in_code(made: Simple) -> Iterator[Deed]:
    from levaithan.hot.credentials import kind_of
    from levaithan.hot.shell_code import literals, pieces

    if made.name in ("perl", "ruby") and any(
        word[:1] == "-" and set(word[1:3]) & {"n", "p"} for word in made.words[1:]
    ):
        yield from (Deed("read", word, made.cwd, shown(made.words)) for word in operands(made.words)[1:])
    for piece in pieces(made):
        for match in _WRITTEN.finditer(piece):
            yield Deed("write", match[1] or match[2], made.cwd, shown(made.words))
        for text in literals(piece)[:200]:
            if 3 < len(text) < 300 and " " not in text and kind_of(text):
                yield Deed("read", text, made.cwd, shown(made.words))


def piped_names(made: Simple) -> Iterator[Deed]:
    """find -name NAME | xargs cat."""
    if made.name == "xargs" and made.upstream is not None and made.upstream.name in ("find", "fd", "locate", "mdfind"):
        inner = operands_on(
            made.words, "aEILnPsd arg-file delimiter eof replace max-lines max-args max-procs max-chars"
        )
        if inner and inner[0].rpartition("/")[2] in _TAKERS:
            yield from _found(made.upstream)
            if made.upstream.name != "find":
                yield from (Deed("read", word, made.cwd, shown(made.words)) for word in made.upstream.words[1:])


_FINDERS = frozenset(("find", "fd", "fdfind", "ls", "locate", "git", "which", "realpath", "readlink", "rg"))


def of_line(commands: Sequence[Simple]) -> Iterator[Deed]:
    """cat $(find . -name .env): what a reader is given by a command that finds files."""
    readers = [made for made in commands if made.name in _READERS and "\x00" in made.words[1:]]
    if not readers:
        return
    for made in commands:
        if made.name in _FINDERS:
            yield from _found(made) if made.name == "find" else _named(made)
            if made.name != "find":
                yield from (Deed("read", word, made.cwd, shown(readers[0].words)) for word in operands(made.words))
