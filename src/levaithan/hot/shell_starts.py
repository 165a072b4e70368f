"""Programs that do work of their own and start a command that stands in an option or a word: find -exec, git submodule
foreach, tar --checkpoint-action, rsync -e, sed's e, fd -x, make -f -, npx, screen. PowerShell: shell_windows.py.

Part of shell_wrap.py, which loads it when such a command is met (STARTS in wrappers.py). Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot import shell_windows
from levaithan.hot.shell_options import NARROWING, find_paths, operands, operands_on, value_of, values_of
from levaithan.hot.wrappers import BINS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.shell import Simple

_EXECUTES = re.compile(r"(?:^|[;\n{])\s*(?:\d+|\$|/[^/]*/)?(?:,(?:\d+|\$|/[^/]*/))?\s*e\s+(\S[^\n]*)")
_EXEC = ("-exec", "-execdir", "-ok", "-okdir")


def inner(made: Simple) -> list[list[str] | str]:
    """What `made` starts: command lines (text) or words."""
    return [one for one in _OF[made.name](made) if one]


def _find(made: Simple) -> Sequence[list[str] | str]:
    """find PATHS ... -exec COMMAND {} ;  runs COMMAND on what lies below PATHS."""
    words = made.words
    paths = _named_paths(words)
    found: list[list[str] | str] = []
    i = 1
    while i < len(words):
        if words[i] not in _EXEC:
            i += 1
            continue
        end = i + 1
        while end < len(words) and words[end] not in (";", "+"):
            end += 1
        inner: list[str] = []
        for word in words[i + 1 : end]:
            inner += [word.replace("{}", path) for path in paths] if "{}" in word else [word]
        if inner:
            all_of_it = inner[0].rpartition("/")[2] in ("rm", "unlink", "shred") and not any(
                word in NARROWING or word in ("-name", "-iname", "-path") for word in words[:i]
            )
            found.append(["rm", "-r", *inner[1:]] if all_of_it else inner)
        i = end
    return found


def _named_paths(words: list[str]) -> list[str]:
    """Where find looks; with `-name NAME` and no wildcard, the places of that name, and absolute places themselves."""
    paths = find_paths(words)
    named = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-name", "-iname")]
    if len(named) != 1 or any(char in named[0] for char in "*?[\x00"):
        return paths
    return [f"{path}/{named[0]}" for path in paths] + [path for path in paths if path[:1] in ("/", "~", "\x00")]


def _git(made: Simple) -> Sequence[list[str] | str]:
    """git submodule foreach COMMAND, git bisect run COMMAND, git rebase --exec COMMAND."""
    rest = operands_on(made.words, "Cc git-dir work-tree namespace")
    if rest[:1] == ["submodule"] and "foreach" in rest:
        found = [word for word in rest[rest.index("foreach") + 1 :] if word not in ("--recursive", "--quiet", "-q")]
        return [found[0] if len(found) == 1 else found] if found else []
    if rest[:2] == ["bisect", "run"]:
        return [rest[2:]]
    return list(values_of(rest, "x", "--exec")) if rest[:1] == ["rebase"] else []


def _tar(made: Simple) -> Sequence[list[str] | str]:
    """Actions at checkpoints, programs that pack, and what each member is handed to."""
    found = [
        value.removeprefix("exec=") for value in values_of(made.words, "", "--checkpoint-action") if "exec" in value
    ]
    for long in ("--to-command", "--use-compress-program", "--rsh-command", "--info-script", "--new-volume-script"):
        found += values_of(made.words, "", long)
    return [*found, *(made.words[i + 1] for i, word in enumerate(made.words[:-1]) if word == "-I")]


def _rsync(made: Simple) -> Sequence[list[str] | str]:
    """The remote shell of rsync is any command."""
    return [*values_of(made.words, "e", "--rsh"), *values_of(made.words, "", "--rsync-path")]


def _sed(made: Simple) -> Sequence[list[str] | str]:
    """The command e of GNU sed runs the rest of its line."""
    return [match[1] for word in made.words[1:] if "e " in word for match in _EXECUTES.finditer(word)]


def _zip(made: Simple) -> Sequence[list[str] | str]:
    return [*values_of(made.words, "", "--unzip-command"), *_after(made.words, "-TT")]


def _after(words: list[str], option: str) -> list[str]:
    return words[words.index(option) + 1 :][:1] if option in words else []


def _fd(made: Simple) -> Sequence[list[str] | str]:
    """fd PATTERN PATH -x COMMAND: as `find PATH -exec COMMAND {}`, the pattern left out of account."""
    words = made.words
    at = next((i for i, word in enumerate(words) if word in ("-x", "-X", "--exec", "--exec-batch")), 0)
    if not at:
        return []
    valued = "eEtdjSco extension exclude type max-depth min-depth size changed-within changed-before base-directory"
    paths = operands(words[:at], valued)[1:] or ["."]
    whole = not any(word in ("-e", "--extension") for word in words[:at]) and words[at + 1 :] != []
    rest = words[at + 1 :]
    whole = whole or any(path[:1] in ("/", "~") for path in paths)
    if whole and rest[:1] and rest[0].rpartition("/")[2] in ("rm", "unlink", "shred"):
        return [["rm", "-r", *rest[1:], *paths]]
    return [[*(word.replace("{}", "\x00") for word in rest), "\x00"]]


def _make(made: Simple) -> Sequence[list[str] | str]:
    """make -f - : recipes on stdin; a recipe stands behind a tab or a semicolon."""
    if made.stdin is None or value_of(made.words, "f", "--file") not in ("-", "/dev/stdin"):
        return []
    lines = [line.partition(";")[2] if line[:1] != "\t" else line[1:] for line in made.stdin.split("\n")]
    return [line.lstrip("@-+ ") for line in lines]


def _npx(made: Simple) -> Sequence[list[str] | str]:
    """npx PROGRAM ..., npm exec PROGRAM ..., pnpm dlx PROGRAM ...: the program of a package, whatever its version."""
    rest = made.words
    if made.name in ("npm", "pnpm", "yarn", "bun"):
        rest = operands_on(rest, "C prefix workspace filter")
        if rest[:1] not in (["exec"], ["x"], ["dlx"]):
            return []
    given = operands_on(rest, "pwc package workspace call")
    found = value_of(rest[: len(rest) - len(given)], "c", "--call")
    if found or not given:
        return [found or ""]
    name = given[0]
    return [[name[: name.rfind("@")] if name.rfind("@") > 0 else name, *given[1:]]]


def _bin(made: Simple) -> Sequence[list[str] | str]:
    """yarn PROGRAM, pnpm PROGRAM: programs of packages that are known to do more than build."""
    return [made.words[1:]] if made.words[1:2] and made.words[1].startswith(BINS) else _npx(made)


def _many(made: Simple) -> Sequence[list[str] | str]:
    """pdsh -w HOSTS COMMAND and its kin: on many machines."""
    return [" ".join(operands_on(made.words, "wghHlupoteidxf host hosts user timeout par"))]


def _aws(made: Simple) -> Sequence[list[str] | str]:
    """aws ssm send-command --parameters commands=COMMAND."""
    values = values_of(made.words, "", "--parameters")
    return [value.partition("commands")[2].strip("=:[]{}'\" ") for value in values]


def _screen(made: Simple) -> Sequence[list[str] | str]:
    return [operands_on(made.words, "cehpsStTx")] if "-X" not in made.words else []


def _entr(made: Simple) -> Sequence[list[str] | str]:
    return [operands_on(made.words, "")]


def _keys(made: Simple) -> Sequence[list[str] | str]:
    """tmux send-keys TEXT Enter types a command; tmux new COMMAND starts one."""
    words = made.words
    verb = next((word for word in words[1:] if word in ("send-keys", "send")), "")
    if verb and words[-1] in ("Enter", "C-m", "KPEnter"):
        return [" ".join(operands(words[words.index(verb) :], "tN")[:-1])]
    return []


_OF: dict[str, Callable[[Simple], Sequence[list[str] | str]]] = {
    "find": _find,
    "git": _git,
    **dict.fromkeys(("tar", "gtar", "bsdtar"), _tar),
    "rsync": _rsync,
    **dict.fromkeys(("sed", "gsed"), _sed),
    "zip": _zip,
    **dict.fromkeys(("fd", "fdfind"), _fd),
    **dict.fromkeys(("make", "gmake"), _make),
    **dict.fromkeys(("npx", "pnpx", "bunx", "npm", "bun"), _npx),
    **dict.fromkeys(("pnpm", "yarn"), _bin),
    "just": lambda made: [made.words[i + 1 :] for i, word in enumerate(made.words) if word in ("--command", "-c")][:1],
    "gdb": lambda made: [word.removeprefix("shell ") for word in made.words[1:] if word.startswith("shell ")],
    "perf": lambda made: [operands_on(made.words[1:], "eapotCIF")],
    "hyperfine": lambda made: [word for word in operands(made.words, "wrmMpcsu warmup runs") if " " in word],
    "salt": lambda made: [made.words[-1]] if "cmd.run" in made.words else [],
    "screen": _screen,
    "entr": _entr,
    "tmux": _keys,
    **dict.fromkeys(("pdsh", "clush", "pssh", "parallel-ssh", "dsh", "mussh", "fab", "orgalorg"), _many),
    "aws": _aws,
}
_OF.update(shell_windows.OF)
PROGRAMS = frozenset(_OF)
