"""The thing that rules are held against: one deed that a tool call would do. Standard library only; imports nothing."""

from __future__ import annotations

KINDS = frozenset(
    (
        "delete write move mode code kill switch read name-key unsure unregister run "
        "sweep kill-all remote-code hidden-code reverse-shell fork-bomb data.drop data.wipe "
        "list fetch server.delete bypass client-setting "  # tools, the guard
        "copy commit reveal dump secret send upload exfiltrate tunnel "  # secrets, network
        "root-shell password-in-pipe set-id open-to-all grant account kernel disable-security "
        "publish foreign-package uninstall persist "
        "attack crack flood mine spy cover-tracks"
    ).split()
)


class Deed:
    """One thing a call would do. kind: one of KINDS; target: path, process or subcommand; recursive: with all in it."""

    __slots__ = ("cwd", "kind", "recursive", "seen", "target")

    def __init__(self, kind: str, target: str, cwd: str | None, seen: str, *, recursive: bool = False) -> None:
        self.kind = kind
        self.target = target
        self.cwd = cwd
        self.seen = seen
        self.recursive = recursive


def shown(words: list[str]) -> str:
    """The command in one line, bounded; a reason shows less of it, see policy.py."""
    return " ".join(words)[:2000].replace("\x00", "$?").replace("\n", " ")
