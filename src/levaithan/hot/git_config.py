"""Whether a repository's own configuration has git start programs where it only shows something: git log, git status.

A repository's files belong to the agent's side, so a session that may read only could have planted there what a reading
command then runs: a text filter, a watcher of files, a check of signatures, a hook. The user's own configuration
(~/.gitconfig) is the user's. Followed as git finds it (gitrepository-layout(5), git-config(1)). Standard library only;
loaded where a session may read only.
"""

from __future__ import annotations

import os
import re

from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTIONS = frozenset(("filter", "include", "includeif", "gpg"))
_VARIABLES = {
    "core": frozenset(
        "fsmonitor hookspath pager editor sshcommand askpass alternaterefscommand gitproxy attributesfile".split()
    ),
    "diff": frozenset("external command textconv submodule".split()),
    "log": frozenset(("showsignature",)),
    "pager": frozenset(("log", "diff", "show", "status", "blame", "shortlog")),
    "remote": frozenset("promisor partialclonefilter uploadpack vcs".split()),
    "extensions": frozenset(("partialclone",)),
}
"""Sections and variables by which a reading command starts a program, or which lead to more configuration."""
_INTO_SUBMODULES = frozenset(("status", "diff", "describe"))
_SUBMODULE = b"\x00\x00\xe0\x00"  # the mode 160000 of an entry of the index, see gitformat-index(5)
_MOST_BYTES = 256 << 10
_MOST_INDEX = 32 << 20
_DEEPEST = 64


def starts_programs(words: list[str], cwd: str | None) -> str:
    """What the repository that git finds from the folder `cwd` has the command `words` start, in words; "" for nothing,
    or where there is no repository. What cannot be read counts as something."""
    if not cwd or "\x00" in cwd:
        return "it cannot be told which repository this is"
    try:
        found = _repository(os.path.realpath(cwd))
        return (_in_repository(found) or _in_submodules(found, words)) if found else ""
    except (OSError, ValueError):
        return "the repository's configuration cannot be read"


def _repository(folder: str) -> str | None:
    """The repository's own folder that git takes, from `folder` upwards."""
    for _ in range(_DEEPEST):
        own = folder + "/.git"
        if os.path.isfile(own):
            return os.path.join(folder, _line(own).partition("gitdir:")[2].strip())
        if os.path.isdir(own):
            return own
        if os.path.isfile(folder + "/HEAD") and os.path.isdir(folder + "/objects") and os.path.isdir(folder + "/refs"):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return None


def _in_repository(folder: str) -> str:
    shared = folder
    if os.path.exists(folder + "/commondir"):  # of a second working tree
        shared = os.path.join(folder, _line(folder + "/commondir").strip())
    for path in dict.fromkeys((shared + "/config", shared + "/config.worktree", folder + "/config.worktree")):
        for section, name in _names(_read(path)):
            if section in _SECTIONS or name in _VARIABLES.get(section, ()):
                return f"git starts a program by {section}.{name}, which {path} sets"
    if os.path.lexists(f"{shared}/hooks/post-index-change"):
        return f"git starts {shared}/hooks/post-index-change"
    return ""


def _names(text: str) -> Iterator[tuple[str, str]]:
    """(section, variable) of each line in small letters, subsections left out. A line that goes on gives a name too
    many, none too few."""
    section = ""
    for line in text.removeprefix("\ufeff").lower().splitlines():
        rest = line.strip()
        while rest[:1] == "[":
            match = _HEAD.match(rest)
            if match is None:
                yield "include", "what cannot be read"
                return
            section, rest = match[1], rest[match.end() :].strip()
        name = rest.partition("=")[0].split("#")[0].split(";")[0].strip()
        if name:
            yield section, name


_HEAD = re.compile(r'\[\s*([a-z0-9-]+)(?:\.[^\]\s]*|\s*"(?:[^"\\]|\\.)*")?\s*\]')


def _in_submodules(folder: str, words: list[str]) -> str:
    """git status and git diff look into submodules, by the configuration of each."""
    if _INTO_SUBMODULES.isdisjoint(words) or {"--ignore-submodules", "--ignore-submodules=all"} & set(words):
        return ""
    try:
        with open(folder + "/index", "rb", opener=regular) as file:
            index = file.read(_MOST_INDEX + 1)
    except FileNotFoundError:
        return ""
    if len(index) > _MOST_INDEX or _SUBMODULE in index:
        return "it looks into submodules by their own configuration (add --ignore-submodules)"
    return ""


def _read(path: str) -> str:
    """The text of `path`, "" where it is not there. Raises OSError; ValueError for one that is too long."""
    try:
        with open(path, "rb", opener=regular) as file:
            found = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return ""
    if len(found) > _MOST_BYTES:
        raise ValueError(path)
    return found.decode("utf-8", "replace")


def _line(path: str) -> str:
    return _read(path).partition("\n")[0]
