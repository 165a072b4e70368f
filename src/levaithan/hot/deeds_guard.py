"""What takes the guard off a client: Claude Code started without permissions, hooks or our settings; servers
added to it.

Part of deeds.py, which loads it when one of its programs is run. What edits our files or calls our own command line is
seen elsewhere (deeds.py, deeds_process.py). Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import INTERPRETERS, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]

CLIENTS = frozenset(("claude", "claude-code", "claude.exe"))
_PACKAGE = "@anthropic-ai/claude-code"
_OFF = (
    "--dangerously-skip-permissions",
    "--allow-dangerously-skip-permissions",
    "--setting-sources",
    "--bare",
    "--safe-mode",
)
_MODES = ("bypassPermissions", "bypass", "yolo")
_OTHER_CLIENTS = {
    "codex": ("--dangerously-bypass-approvals-and-sandbox", "--yolo", "--full-auto", "danger-full-access"),
    "gemini": ("--yolo", "-y", "--approval-mode=yolo"),
    "aider": ("--yes-always",),
    "cursor-agent": ("--force", "-f"),
    "amp": ("--dangerously-allow-all",),
    "opencode": ("--dangerously-skip-permissions",),
    "goose": (),
    "copilot": ("--allow-all-tools", "--yolo", "--allow-all"),
}
_VARIABLE = re.compile(r"\b(LEVAITHAN_[A-Z_]+|CLAUDE_CONFIG_DIR|CLAUDE_CODE_SIMPLE|CLAUDE_CODE_MANAGED_SETTINGS_PATH)=")
_IN_CODE = re.compile(
    r"bypassPermissions|dangerously[-_]?skip[-_]?permissions|disableAllHooks|dangerouslyDisableSandbox|permission_mode\s*=\s*.bypass"
)


def _client(made: Simple) -> Iterator[Deed]:
    """claude with its guards off, with other settings, or told to change them."""
    words = made.words
    given = set(words[1:])
    if {"--help", "-h", "--version", "-v"} & given:
        return
    seen = shown(words)
    for flag in _OFF:
        if any(word == flag or word.startswith(flag + "=") for word in words[1:]):
            yield Deed("bypass", flag, made.cwd, seen)
    for mode in values_of(words, "", "--permission-mode"):
        if mode in _MODES or "\x00" in mode:
            yield Deed("bypass", f"--permission-mode {mode}", made.cwd, seen)
    for value in values_of(words, "", "--settings"):
        yield Deed("bypass", f"--settings {value}"[:80], made.cwd, seen)
    verb = [word for word in words[1:] if word[:1] != "-"][:3]
    if verb[:2] in (["config", "set"], ["config", "add"], ["config", "remove"], ["config", "rm"]):
        guarded = any(mark in word.lower() for word in words for mark in ("hook", "permission", "bypass", "trust"))
        yield Deed("bypass" if guarded else "client-setting", " ".join(verb), made.cwd, seen)
    elif verb[:1] in (["mcp"], ["plugin"], ["plugins"]) and verb[1:2] and verb[1] in _CHANGES:
        yield Deed("client-setting", " ".join(verb[:2]), made.cwd, seen)


_CHANGES = (
    "add",
    "add-json",
    "add-from-claude-desktop",
    "install",
    "enable",
    "disable",
    "remove",
    "uninstall",
    "update",
)


def _runner(made: Simple) -> Iterator[Deed]:
    """npx @anthropic-ai/claude-code ..."""
    for i, word in enumerate(made.words[1:], 1):
        if word.startswith(_PACKAGE):
            yield from _client(type(made)(["claude", *made.words[i + 1 :]], [], made.cwd, made.stdin))
            return


def _others(made: Simple) -> Iterator[Deed]:
    for flag in _OTHER_CLIENTS[made.name]:
        if flag in made.words[1:]:
            yield Deed("bypass", f"{made.name} {flag}", made.cwd, shown(made.words))


def of_line(commands: Sequence[Simple], text: str) -> Iterator[Deed]:
    """A client started in another home or with our settings overridden; program text that starts one without
    its guards."""
    clients = [made for made in commands if made.name in CLIENTS or any(_PACKAGE in word for word in made.words[1:3])]
    if clients:
        found = _VARIABLE.search(text)
        if found:
            yield Deed("bypass", found[1], clients[0].cwd, shown(clients[0].words))
    for made in commands:
        if made.name == "alias" and any(flag in word for word in made.words[1:] for flag in _OFF[:2]):
            yield Deed("bypass", "an alias", made.cwd, shown(made.words))
        if made.name.startswith(INTERPRETERS):
            for word in (*made.words[1:], made.stdin or ""):
                found = _IN_CODE.search(word)
                if found and ("claude" in word or "Options" in word or "query" in word):
                    yield Deed("bypass", found[0], made.cwd, shown(made.words))
                    break


OF: dict[str, Reader] = {
    **dict.fromkeys(CLIENTS, _client),
    **dict.fromkeys(_OTHER_CLIENTS, _others),
    **dict.fromkeys(("npx", "bunx", "pnpm", "yarn", "node"), _runner),
}
