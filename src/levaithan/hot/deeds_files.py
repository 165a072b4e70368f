"""What single programs do to files in a way of their own: find -delete, dd, sed -i, curl -o, tar, git, rsync.

Part of deeds.py. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import NARROWING, find_paths, operands, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.shell import Simple

RSYNC_VALUED = "e rsh exclude include filter files-from"
OUTPUT: dict[str, tuple[tuple[str, str], ...]] = {
    "curl": (("o", "--output"), ("", "--output-dir")),
    "wget": (("O", "--output-document"), ("P", "--directory-prefix")),
    "sort": (("o", "--output"),),
    "openssl": (("out", ""),),
    "gcc": (("o", ""),),
    "cc": (("o", ""),),
    "tar": (("C", "--directory"),),
    "unzip": (("d", ""),),
}
_SINKS = ("of=/dev/null", "of=/dev/std", "of=/dev/fd/", "of=/dev/tty")
_GIT = {"checkout": "write", "restore": "write", "rm": "delete", "mv": "move", "clean": "delete"}


_LITTER = tuple(
    ".pyc .pyo .pyd .o .obj .a .class .log .tmp .temp .bak .orig .rej .swp .swo .swn ~ .old .cache .out .gcda .gcno "
    ".gcov .profraw .pid .map .tsbuildinfo .egg-info .elc .hi .beam .aux .toc .snap.new DS_Store __pycache__ "
    "_cache".split()
)
"""How names of what a build or an editor leaves behind end; whatever has such a name is made again."""
_DELETERS = frozenset(("rm", "unlink", "shred", "srm", "trash"))
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh"))
_SEPARATORS = str.maketrans(";&|", "   ")
_NAMES = ("-name", "-iname", "-path", "-wholename", "-ipath")


def deletes_found(made: Simple) -> Iterator[Deed]:
    """find ... -delete, find ... -exec rm {}: all below a path, or what has a name there, or is old, or large.

    A pattern of names that people write by hand ('*.py', 'a*', and any -not) is a sweep: the files are not told before.
    """
    words = made.words
    end = next((i for i, word in enumerate(words) if _deletes(words, i)), 0)
    if not end:
        return
    before, seen = _last_choice(words[:end]), shown(words)
    tests = [i for i, word in enumerate(before[:-1]) if word in _NAMES and before[i - 1] not in ("!", "-not")]
    names = [before[i + 1] for i in tests]
    narrowed = any(word in NARROWING for word in before)
    for path in find_paths(words):
        below = words[end] == "-delete" or path[:1] in ("/", "~")
        if below and (path[:1] in ("/", "~", "\x00") or not (names or narrowed)):
            yield Deed("delete", path, made.cwd, seen, recursive=True)
        for name in names if words[end] == "-delete" else ():
            yield Deed("delete", name if "/" in name else f"{path}/{name}", made.cwd, seen, recursive=True)
        if _sweeps(names, before, narrowed=narrowed):
            yield Deed("sweep", path, made.cwd, seen, recursive=True)


def _last_choice(words: list[str]) -> list[str]:
    """The tests of find behind the last -o that is in no parentheses: those that a deletion waits for."""
    depth = start = 0
    for i, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if not depth and word in ("-o", "-or", ","):
            start = i
    return words[start:]


def _deletes(words: list[str], at: int) -> bool:
    """Whether find deletes by the word at `at`."""
    if words[at] in ("-exec", "-execdir", "-ok", "-okdir"):
        name = words[at + 1].rpartition("/")[2] if at + 1 < len(words) else ""
        if name in _SHELLS:
            inside = " ".join(words[at + 2 : at + 4]).translate(_SEPARATORS).split()
            return not {"rm", "unlink", "shred"}.isdisjoint(inside[:-1])
        return name in _DELETERS
    return words[at] == "-delete"


def _sweeps(names: list[str], before: list[str], *, narrowed: bool) -> bool:
    """Whether what find looks for is not told by names, or by names that no program makes."""
    if not names:
        return not (narrowed and "-empty" in before)
    return any(("*" in name or "?" in name) and not name.rstrip("/*").endswith(_LITTER) for name in names)


def copies_blocks(made: Simple) -> Iterator[Deed]:
    """dd of=PATH."""
    for word in made.words[1:]:
        if word.startswith("of=") and not word.startswith(_SINKS):
            yield Deed("write", word[3:], made.cwd, shown(made.words))


def edits(made: Simple) -> Iterator[Deed]:
    """sed -i, perl -pi and the like. Each word may be the program or a file; no program is a path of ours."""
    words = made.words
    if any(_in_place(word) for word in words[1:]):
        for word in words[1:]:
            if word[:1] != "-":
                yield Deed("write", word, made.cwd, shown(words))


def _in_place(word: str) -> bool:
    """-i alone or among other letters: -pi, -ni.bak, -Ei; -e, -M and -I begin something else."""
    letters = word[1:].partition(".")[0]
    return (
        word.startswith("--in-place")
        or word == "inplace"
        or (word[:1] == "-" and "i" in letters and letters[0] not in "-eMIVf")
    )


def outputs(made: Simple) -> Iterator[Deed]:
    """curl -o, wget -O, tar -x -C and the like; an archive is unpacked over what is in the folder."""
    words, unpacks = made.words, made.name in ("tar", "unzip")
    if made.name == "tar" and not (
        "x" in "".join(words[1:2])
        or any(word in ("--extract", "--get") or (word[:1] == "-" != word[1:2] and "x" in word) for word in words)
    ):
        return
    found = [value for letter, long in OUTPUT[made.name] for value in values_of(words, letter, long)]
    for target in found or (["."] if unpacks else []):
        yield Deed("write", target, made.cwd, shown(words), recursive=unpacks)


def git(made: Simple) -> Iterator[Deed]:
    """What git does to the files it is given by name."""
    words = operands(made.words, "Cc git-dir work-tree namespace source")
    if len(words) > 1 and words[0] in _GIT:
        for word in words[1:]:
            yield Deed(_GIT[words[0]], word, made.cwd, shown(made.words))


def mirrors(made: Simple) -> Iterator[Deed]:
    """rsync --delete: what is in the target and not in the source goes."""
    if any(word.startswith("--del") for word in made.words):
        for word in operands(made.words, RSYNC_VALUED)[-1:]:
            yield Deed("delete", word, made.cwd, shown(made.words), recursive=True)


def overwrites(made: Simple) -> Iterator[Deed]:
    """shred writes what it deletes."""
    for word in operands(made.words, "ns iterations size random-source"):
        yield Deed("write", word, made.cwd, shown(made.words))
