"""What a tool call would do to files and processes, as deeds that rules are held against: delete, write, move, kill...

Which program does what to which of its words is data here; which deed is forbidden is the rules' business (policy.py).
Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.deeds_process import kills, kills_by_name, stops_unit, switches
from levaithan.hot.shell_wrap import find_paths, operands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.shell import Simple

ALL, LAST, ALL_MOVED = "all", "last", "moved"
_TARGETS: dict[str, tuple[str, str, str]] = {
    "rm": ("delete", ALL, ""),
    "rmdir": ("delete", ALL, ""),
    "unlink": ("delete", ALL, ""),
    "shred": ("delete", ALL, "ns iterations size random-source"),
    "srm": ("delete", ALL, ""),
    "trash": ("delete", ALL, ""),
    "tee": ("write", ALL, ""),
    "truncate": ("write", ALL, "sr size reference"),
    "sponge": ("write", ALL, ""),
    "touch": ("write", ALL, "dtr date reference time"),
    "ed": ("write", ALL, "p"),
    "ex": ("write", ALL, "c"),
    "vi": ("write", ALL, "c"),
    "vim": ("write", ALL, "c"),
    "nano": ("write", ALL, ""),
    "patch": ("write", ALL, "pio input strip output"),
    "cp": ("write", LAST, "tS suffix target-directory"),
    "install": ("write", LAST, "tmogS mode owner group target-directory"),
    "ln": ("write", LAST, "tS suffix target-directory"),
    "link": ("write", ALL, ""),
    "rsync": ("write", LAST, "e rsh exclude include filter files-from"),
    "scp": ("write", LAST, "PiloFcSJ"),
    "mv": ("move", ALL_MOVED, "tS suffix target-directory"),
    "rename": ("move", ALL, ""),
    "chmod": ("mode", ALL, "reference"),
    "chown": ("mode", ALL, "from reference"),
    "chgrp": ("mode", ALL, "reference"),
    "chattr": ("mode", ALL, "pv"),
    "setfacl": ("mode", ALL, "mxMXn"),
}
_IN_PLACE = frozenset(("sed", "gsed", "perl", "ruby", "awk", "gawk", "yq"))
_OUTPUT: dict[str, tuple[str, ...]] = {
    "curl": ("-o", "--output"),
    "wget": ("-O", "--output-document"),
    "sort": ("-o", "--output"),
}
_OUTPUT |= {"gcc": ("-o",), "cc": ("-o",), "openssl": ("-out",), "tar": ("-C", "--directory"), "unzip": ("-d",)}
_INTERPRETERS: tuple[str, ...] = (
    "python",
    "node",
    "perl",
    "ruby",
    "php",
    "deno",
    "bun",
    "lua",
    "pypy",
    "osascript",
    "tclsh",
    "sqlite3",
)
_CODE_FLAGS = frozenset(("-c", "-e", "--eval", "-p", "--print", "-r", "-E", "-pe", "-ne", "-pi", "-i", "-pie"))
_WRITES: tuple[str, ...] = (
    "write",
    "unlink",
    "remove",
    "rmtree",
    "rmdir",
    "rename",
    "replace(",
    "chmod",
    "truncate",
    "symlink",
    "shutil",
)
_WRITES += (
    "system",
    "subprocess",
    "popen",
    "exec",
    "mkdir",
    "touch",
    "rmsync",
    "delete",
    "update ",
    "insert ",
    "drop ",
)
_WRITES += (
    "'w",
    '"w',
    "'a'",
    '"a"',
    "'a+",
    '"a+',
    "'r+",
    '"r+',
    "'x'",
    '"x"',
    "'wb",
    ">",
    "copyfile",
    "unlink",
    "spawn",
    "fs.cp",
)
_REDIRECTS = (">", ">>", ">|", "&>", "&>>", "<>", ">&")


def of_command(made: Simple) -> Iterator[Deed]:
    """What the simple command `made` would do."""
    words, name, cwd = made.words, made.name, made.cwd
    for operator, target in made.redirects:
        if operator in _REDIRECTS and target not in ("/dev/null", "/dev/stderr", "/dev/stdout"):
            yield Deed("write", target, cwd, f"{operator} {target}")
    if not words:
        return
    row = _TARGETS.get(name)
    if row:
        yield from _files(made, *row)
    special = _SPECIAL.get(name)
    if special:
        yield from special(made)
    if name.startswith(_INTERPRETERS):
        yield from _code(made)
        if words[1:3] == ["-m", "levaithan"]:
            yield from switches(made)
    if name in _IN_PLACE:
        yield from _edits(made)
    yield from _reads_key(made)


def _reads_key(made: Simple) -> Iterator[Deed]:
    for word in made.words:
        if "journal.key" in word:
            yield Deed("read", word.rpartition("=")[2], made.cwd, shown(made.words))


def _deletes_found(made: Simple) -> Iterator[Deed]:
    """find ... -delete."""
    if "-delete" in made.words:
        for path in find_paths(made.words):
            yield Deed("delete", path, made.cwd, shown(made.words), recursive=True)


def _copies_blocks(made: Simple) -> Iterator[Deed]:
    """dd of=PATH."""
    for word in made.words[1:]:
        if word.startswith("of="):
            yield Deed("write", word[3:], made.cwd, shown(made.words))


def _edits(made: Simple) -> Iterator[Deed]:
    """sed -i, perl -pi and the like: the files, after the program text unless that came by an option."""
    words = made.words
    if any(_in_place(word) for word in words[1:]):
        first = 0 if any(word in ("-e", "-f") for word in words) else 1
        for word in operands(words, "ef expression file")[first:]:
            yield Deed("write", word, made.cwd, shown(words))


def is_recursive(words: list[str]) -> bool:
    """Whether rm, chmod or cp is told to go into folders (-r, -R, --recursive and its abbreviations)."""
    for word in words[1:]:
        if word == "--":
            return False
        if word.startswith("--"):
            if len(word) > 2 and "recursive".startswith(word[2:]):
                return True
        elif word.startswith("-") and ("r" in word or "R" in word):
            return True
    return False


def writes_in_code(code: str) -> bool:
    """Whether program text looks as if it changed files or ran commands; reading alone passes."""
    lowered = code.lower()
    return any(mark in lowered for mark in _WRITES)


def _files(made: Simple, kind: str, which: str, valued: str) -> Iterator[Deed]:
    words, name = made.words, made.name
    found = operands(words, valued)
    recursive = (
        name in ("rm", "chmod", "chown", "chgrp", "setfacl", "chattr") and is_recursive(words)
    ) or name == "srm"
    targets = _target_folder(words)
    if which == LAST and not targets:
        targets = found[-1:]
    elif which in (ALL, ALL_MOVED):
        targets = targets + found
    if name == "ln" and not any(
        (word[:1] == "-" and word[:2] != "--" and "s" in word) or word == "--symbolic" for word in words
    ):
        targets = [*targets, *found]  # a hard link is another name to write through
    if name == "rsync" and "--remove-source-files" in words:
        targets = found
    seen = shown(words)
    for target in targets:
        yield Deed(kind, target, made.cwd, seen, recursive=recursive or kind == "move")
    if which == LAST and targets:
        for source in found[:-1]:  # cp X DIR writes DIR/X
            base = source.rstrip("/").rpartition("/")[2]
            if base not in ("", ".", "..") and "\x00" not in base:
                yield Deed(kind, targets[0].rstrip("/") + "/" + base, made.cwd, seen)


def _target_folder(words: list[str]) -> list[str]:
    """The value of -t DIR or --target-directory=DIR of cp, mv, ln and install."""
    for i, word in enumerate(words):
        if word.startswith("--target-directory"):
            return [word.partition("=")[2]] if "=" in word else words[i + 1 : i + 2]
        if word == "-t" and words[0].rsplit("/", 1)[-1] in ("cp", "mv", "ln", "install"):
            return words[i + 1 : i + 2]
    return []


def _outputs(made: Simple) -> Iterator[Deed]:
    """curl -o, wget -O, tar -x -C and the like."""
    words = made.words
    if made.name == "tar" and not any("x" in word for word in words[1:2]) and "--extract" not in words:
        return
    for i, word in enumerate(words):
        for flag in _OUTPUT[made.name]:
            if word == flag and i + 1 < len(words):
                yield Deed("write", words[i + 1], made.cwd, shown(words))
            elif word.startswith(flag + "=") or (len(flag) == 2 and word.startswith(flag) and len(word) > 2):
                yield Deed("write", word[len(flag) :].lstrip("="), made.cwd, shown(words))


def _in_place(word: str) -> bool:
    return word.startswith(("-i", "--in-place", "-pi", "-ni", "-Ei", "-ri", "-nEi")) or word == "inplace"


def _code(made: Simple) -> Iterator[Deed]:
    words = made.words
    pieces = [words[i + 1] for i, word in enumerate(words[:-1]) if word in _CODE_FLAGS]
    if made.name == "sqlite3":
        pieces = [" ".join(words[1:])]
    if made.stdin and not any(word[:1] != "-" for word in words[1:]):
        pieces.append(made.stdin)
    if pieces and (made.name.startswith("perl") or made.name.startswith("ruby")):
        pieces = [" ".join(words[1:])]
    for piece in pieces:
        yield Deed("code", piece, made.cwd, shown(words))


_SPECIAL: dict[str, Callable[[Simple], Iterator[Deed]]] = {
    **dict.fromkeys(_OUTPUT, _outputs),
    **dict.fromkeys(("kill", "skill"), kills),
    **dict.fromkeys(("pkill", "killall"), kills_by_name),
    **dict.fromkeys(("systemctl", "launchctl"), stops_unit),
    **dict.fromkeys(("levaithan", "system-cli.sh", "setup.sh"), switches),
    "find": _deletes_found,
    "dd": _copies_blocks,
}
