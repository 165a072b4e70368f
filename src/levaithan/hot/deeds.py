"""What a tool call would do to files and processes, as deeds that rules are held against: delete, write, move, kill...

Which program does what to which of its words is data here; which deed is forbidden is the rules' business (policy.py).
Standard library only.
"""

from __future__ import annotations

from levaithan.hot.shell_wrap import find_paths, operands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.shell import Simple

KINDS = frozenset(("delete", "write", "move", "mode", "code", "kill", "switch", "read", "unsure", "unregister"))


class Deed:
    """One thing a call would do. kind: one of KINDS; target: path, process or subcommand; recursive: with all in it."""

    __slots__ = ("cwd", "kind", "recursive", "seen", "target")

    def __init__(self, kind: str, target: str, cwd: str | None, seen: str, *, recursive: bool = False) -> None:
        self.kind = kind
        self.target = target
        self.cwd = cwd
        self.seen = seen
        self.recursive = recursive


ALL, LAST, REST, ALL_MOVED = "all", "last", "rest", "moved"
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
    "chmod": ("mode", REST, "reference"),
    "chown": ("mode", REST, "from reference"),
    "chgrp": ("mode", REST, "reference"),
    "chattr": ("mode", REST, "pv"),
    "setfacl": ("mode", REST, "mxMXn"),
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
_CLI = frozenset(("levaithan", "system-cli.sh"))
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
    elif name in ("kill", "pkill", "killall", "systemctl", "launchctl", "skill"):
        yield from _kills(made)
    elif name == "find" and "-delete" in words:
        for path in find_paths(words):
            yield Deed("delete", path, cwd, _shown(words), recursive=True)
    elif name == "dd":
        for word in words[1:]:
            if word.startswith("of="):
                yield Deed("write", word[3:], cwd, _shown(words))
    elif name in _OUTPUT:
        yield from _outputs(made, _OUTPUT[name])
    elif name in _CLI or (name.startswith("python") and words[1:3] == ["-m", "levaithan"]) or name == "setup.sh":
        yield from _switches(made)
    if name in _IN_PLACE and any(_in_place(word) for word in words[1:]):
        for word in operands(words, "ef expression file")[0 if any(w in ("-e", "-f") for w in words) else 1 :]:
            yield Deed("write", word, cwd, _shown(words))
    if name.startswith(_INTERPRETERS):
        yield from _code(made)
    if any("journal.key" in word for word in words):
        for word in words:
            if "journal.key" in word:
                yield Deed("read", word.rpartition("=")[2], cwd, _shown(words))


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
    elif which == REST:
        targets = found if any(word.startswith("--reference") for word in words) else found[1:]
    elif which in (ALL, ALL_MOVED):
        targets = targets + found
    if name == "ln" and not any(word.startswith("-") and "s" in word or word == "--symbolic" for word in words[1:]):
        targets = [*targets, *found]  # a hard link is another name to write through
    if name == "rsync" and "--remove-source-files" in words:
        targets = found
    seen = _shown(words)
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


def _outputs(made: Simple, flags: tuple[str, ...]) -> Iterator[Deed]:
    words = made.words
    if made.name == "tar" and not any("x" in word for word in words[1:2]) and "--extract" not in words:
        return
    for i, word in enumerate(words):
        for flag in flags:
            if word == flag and i + 1 < len(words):
                yield Deed("write", words[i + 1], made.cwd, _shown(words))
            elif word.startswith(flag + "=") or (len(flag) == 2 and word.startswith(flag) and len(word) > 2):
                yield Deed("write", word[len(flag) :].lstrip("="), made.cwd, _shown(words))


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
        yield Deed("code", piece, made.cwd, _shown(words))


def _kills(made: Simple) -> Iterator[Deed]:
    """kill PID, pkill NAME, systemctl stop NAME...: the target is the pid, or the name with how it is matched."""
    words, name = made.words, made.name
    seen = _shown(words)
    if name == "kill":
        if any(word in ("-l", "-L", "--list", "--table", "-0") for word in words[1:]) or words[1:3] == ["-s", "0"]:
            return
        signal = words[1:2]
        rest = words[1:]
        if signal and signal[0] in ("-s", "-n", "--signal"):
            rest = words[3:]
        elif signal and signal[0].startswith("-") and signal[0] != "--":
            rest = words[2:] or words[1:]
        for word in rest:
            if word != "--":
                yield Deed("kill", "pid " + word, made.cwd, seen)
    elif name in ("systemctl", "launchctl"):
        verbs = ("stop", "kill", "disable", "mask", "restart", "unload", "bootout", "remove", "revert")
        if any(word in verbs for word in words[1:]):
            yield Deed("kill", "unit " + " ".join(words[1:]), made.cwd, seen)
    else:
        full = any(
            word.startswith("-") and not word.startswith("--") and "f" in word or word == "--full" for word in words
        )
        for word in operands(words, "usgGPtUF signal uid euid group pgroup parent session terminal")[:4]:
            yield Deed("kill", ("full " if full else "name ") + word, made.cwd, seen)


def _switches(made: Simple) -> Iterator[Deed]:
    """The subcommand of our own CLI; setup.sh counts only with a word that undoes the installation."""
    words = made.words
    start = 3 if made.name.startswith("python") else 1
    if made.name == "setup.sh":
        undo = [word.lstrip("-") for word in words[1:] if "uninstall" in word]
        if undo:
            yield Deed("switch", "setup uninstall", made.cwd, _shown(words))
        return
    found = operands(["levaithan", *words[start:]], " home format since until project")
    yield Deed("switch", " ".join(found[:2]), made.cwd, _shown(words))


def _shown(words: list[str]) -> str:
    """The command as a reason shows it: one line, short."""
    text = " ".join(words).replace("\x00", "$?").replace("\n", " ")
    return text if len(text) <= 120 else text[:117] + "..."
