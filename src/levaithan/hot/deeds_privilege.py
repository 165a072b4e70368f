"""What gives more rights than were there: root shells, set-uid files, capabilities, groups, passwords, open files.

Part of deeds.py, which loads it when one of its programs is run. Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import operands, operands_on, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]

_SHELLS = frozenset(
    ("sh", "bash", "zsh", "dash", "ksh", "fish", "ash", "csh", "tcsh", "su", "login", "rbash", "mksh", "tmux", "screen")
)
_SUDO = "uUgpCcrthRDT user group prompt chdir host role type chroot command-timeout other-user close-from"
_STRONG_GROUPS = frozenset(
    (
        "sudo",
        "wheel",
        "admin",
        "root",
        "docker",
        "lxd",
        "disk",
        "shadow",
        "adm",
        "sudoers",
        "kvm",
        "libvirt",
        "podman",
        "incus",
    )
)
_MODE = re.compile(r"[0-7]{3,5}|[ugoa]*(?:[-+=][rwxXstugo]*)+(?:,[ugoa]*(?:[-+=][rwxXstugo]*)+)*")


def of(kind: str, target: str, made: Simple) -> Deed:
    """A deed of `made`."""
    return Deed(kind, target, made.cwd, shown(made.words))


def _sudo(made: Simple) -> Iterator[Deed]:
    """A shell of root's own; `sudo COMMAND` is judged by the command, which is looked into elsewhere."""
    words = made.words
    rest = operands_on(words, _SUDO)
    options = words[1 : len(words) - len(rest)]
    letters = "".join(
        word[1:] for word in options if word[:1] == "-" and word[1:2] not in ("-", "u", "g", "p", "D", "C", "h")
    )
    asks_shell = "i" in letters or "s" in letters or "--login" in options or "--shell" in options
    if (asks_shell and not rest) or _is_shell(rest):
        yield of("root-shell", "root", made)
    elif "e" in letters or "--edit" in options:
        yield from (Deed("write", word, made.cwd, shown(words)) for word in rest)
    if ("S" in letters or "--stdin" in options) and made.upstream is not None:
        yield of("password-in-pipe", "sudo", made)


def _is_shell(rest: list[str]) -> bool:
    """Whether the command in `rest` is an interactive shell: no script, no text to run."""
    while rest and ("=" in rest[0] or rest[0] in ("env", "command", "exec", "-E", "-i", "--")):
        rest = rest[1:]
    if not rest:
        return False
    name = rest[0].rpartition("/")[2]
    if name in ("su", "login"):
        return not any(word in ("-c", "--command", "--help") or word.startswith("--command=") for word in rest)
    if name not in _SHELLS:
        return False
    return all(word in ("-", "-i", "-l", "--login", "-p", "--norc", "--noprofile", "-il", "-li") for word in rest[1:])


def _su(made: Simple) -> Iterator[Deed]:
    """su, su -, su - root: a shell of another user; with -c the command is judged."""
    words = made.words
    if any(
        word in ("--help", "--version", "-h", "-V", "-c", "--command") or word.startswith(("--command=", "-c"))
        for word in words
    ):
        return
    users = operands(words, "gGlsw group shell whitelist-environment")
    yield of("root-shell", users[0] if users else "root", made)


def _pkexec(made: Simple) -> Iterator[Deed]:
    if _is_shell(operands_on(made.words, "u user")):
        yield of("root-shell", "root", made)


def _doas(made: Simple) -> Iterator[Deed]:
    rest = operands_on(made.words, "uCa")
    if ("-s" in made.words[1:] and not rest) or _is_shell(rest):
        yield of("root-shell", "root", made)


def _modes(made: Simple) -> Iterator[Deed]:
    """chmod: set-uid and set-gid bits, and files that everybody may write."""
    words = [word for word in made.words[1:] if word == "-" or word[:1] != "-" or _MODE.fullmatch(word)]
    if not words or any(word.startswith("--reference") for word in made.words):
        return
    mode, files = words[0], words[1:]
    target = files[0] if files else ""
    if _sets_id(mode):
        yield of("set-id", target, made)
    if _opens(mode):
        yield Deed("open-to-all", target, made.cwd, shown(made.words), recursive=_recursive(made.words))


def _recursive(words: list[str]) -> bool:
    return any(word == "--recursive" or (word[:1] == "-" and word[:2] != "--" and "R" in word) for word in words)


def _sets_id(mode: str) -> bool:
    if mode.isdigit():
        return len(mode) > 3 and int(mode[-4], 8) & 6 != 0
    for clause in mode.split(","):
        match = re.fullmatch(r"([ugoa]*)[+=]([rwxXstugo]*)", clause)
        if match and "s" in match[2] and match[1] != "g":
            return True
    return False


def _opens(mode: str) -> bool:
    """Whether others may write; 1777 (the mode of /tmp) protects files from each other."""
    if mode.isdigit():
        sticky = len(mode) > 3 and int(mode[-4], 8) & 1
        return len(mode) >= 3 and int(mode[-1], 8) & 2 != 0 and not sticky
    for clause in mode.split(","):
        match = re.fullmatch(r"([ugoa]*)[+=]([rwxXstugo]*)", clause)
        if match and "w" in match[2] and ("o" in match[1] or "a" in match[1]) and "t" not in mode:
            return True
    return False


def _capabilities(made: Simple) -> Iterator[Deed]:
    if not {"-r", "-h", "-v"} & set(made.words[1:]) and len(made.words) > 2:
        yield of("set-id", made.words[-1], made)


def _sudoers(made: Simple) -> Iterator[Deed]:
    """visudo, sudoedit; visudo -c only checks."""
    if made.name == "sudoedit":
        yield from (Deed("write", word, made.cwd, shown(made.words)) for word in operands(made.words, _SUDO))
    elif not {"-c", "--check", "-V", "--version", "-h", "--help"} & set(made.words[1:]):
        yield Deed("write", "/etc/sudoers", made.cwd, shown(made.words))


def _groups(made: Simple) -> Iterator[Deed]:
    """usermod, useradd, adduser, gpasswd, addgroup, groupmems, dseditgroup: who becomes member of which group."""
    words = made.words
    if _asks_help(words):
        return
    named = set()
    for value in (
        *values_of(words, "G", "--groups"),
        *values_of(words, "g", "--gid"),
        *values_of(words, "a", "--group"),
    ):
        named |= set(value.split(","))
    if made.name in ("adduser", "addgroup", "gpasswd", "groupmems", "dseditgroup", "usermod"):
        named |= set(words[1:])
    strong = sorted(named & _STRONG_GROUPS)
    if strong and "-d" not in words and "--delete" not in words:
        yield of("grant", strong[0], made)
    elif any(value == "0" for value in values_of(words, "u", "--uid")) or "--non-unique" in words:
        yield of("grant", "root", made)
    elif _changes_account(made.name, words):
        yield of("account", words[-1], made)


def _changes_account(name: str, words: list[str]) -> bool:
    if name == "usermod":
        return any(word[:2] in ("-p", "-L", "-U", "-s", "-d", "-l") or word.startswith("--password") for word in words)
    return name in ("useradd", "adduser", "newusers") and any(word[:1] != "-" for word in words[1:])


def _accounts(made: Simple) -> Iterator[Deed]:
    """userdel, deluser, groupdel, passwd USER, chpasswd, chsh: accounts and their passwords."""
    words = made.words
    if _asks_help(words) or (made.name == "passwd" and {"-S", "--status"} & set(words)):
        return
    if made.name in ("chpasswd", "newusers", "chgpasswd", "vipw", "vigr"):
        yield of("account", made.name, made)
        return
    names = operands(words, ("RPni" if made.name == "passwd" else "RPs") + " root prefix shell expiredate inactive")
    if names or made.name == "passwd":
        yield of("account", names[-1] if names else "yourself", made)


def _asks_help(words: list[str]) -> bool:
    return any(word in ("--help", "--version", "-h") for word in words[1:])


def _enters(made: Simple) -> Iterator[Deed]:
    """nsenter into process 1: the host, from inside a container."""
    if "1" in values_of(made.words, "t", "--target") or any(word in ("-t1", "--target=1") for word in made.words):
        yield of("root-shell", "the host", made)


def _umask(made: Simple) -> Iterator[Deed]:
    if len(made.words) == 2 and made.words[1] in ("0", "00", "000", "0000"):
        yield of("open-to-all", "every new file", made)


def _modules(made: Simple) -> Iterator[Deed]:
    """insmod, modprobe, kextload: code into the kernel."""
    if not {"-n", "--dry-run", "--show-depends", "-l", "--help", "-c", "--showconfig", "-V", "--version"} & set(
        made.words[1:]
    ):
        yield of("kernel", made.words[-1], made)


def rows(row: dict[str, Reader]) -> dict[str, Reader]:
    """One row a program out of rows with several names."""
    return {name: reader for names, reader in row.items() for name in names.split()}


OF: dict[str, Reader] = rows(
    {
        "sudo": _sudo,
        "doas": _doas,
        "su": _su,
        "pkexec": _pkexec,
        "run0": _pkexec,
        "chmod": _modes,
        "setcap": _capabilities,
        "visudo sudoedit": _sudoers,
        "usermod useradd adduser addgroup gpasswd groupmems dseditgroup newusers": _groups,
        "userdel deluser groupdel delgroup passwd chpasswd chgpasswd vipw vigr chsh": _accounts,
        "nsenter": _enters,
        "umask": _umask,
        "insmod modprobe rmmod kextload kldload": _modules,
    }
)
