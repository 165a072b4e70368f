"""One event as what it would do: the deeds of its commands, its tool and its text.

Between policy.py, which knows rules, and the readers of commands and tools (deeds.py, deeds_tools.py), which know
programs. Standard library only; each reader is imported when an event needs it.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed
from levaithan.hot.late import Late
from levaithan.hot.simple import MAX_LINE, Line, plain
from levaithan.hot.where import Where

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot import deeds, deeds_process, deeds_remote, domains, secret_deeds, shell, wrappers
    from levaithan.hot.event import Event
    from levaithan.hot.protected import Protected
    from levaithan.hot.simple import Simple
else:
    deeds, domains, deeds_remote, wrappers = Late("deeds"), Late("domains"), Late("deeds_remote"), Late("wrappers")
    deeds_process = Late("deeds_process")
    secret_deeds, shell = Late("secret_deeds"), Late("shell")

_DEEPEST = 3
_SHORTEST_SECRET = 16
SHELL_TOOLS = ("Bash", "Monitor")
_inert: dict[str, bool] = {}
_MANY = 4096


class Scene:
    """One event over one installation. commands: the simple commands it would run, sets: whether it sets variables of
    the shell (simple.Line), both known once `deeds` was asked."""

    __slots__ = ("_files", "commands", "event", "sets", "user_home", "where")

    def __init__(self, protected: Protected, user_home: str, event: Event) -> None:
        self.event = event
        self.user_home = user_home
        self.commands: list[Simple] = []
        self.sets = False
        self._files = 0
        self.where = Where(protected, user_home, event)

    # -- what the event would do --

    def deeds(self) -> list[Deed]:
        """What the event would do."""
        event = self.event
        if event.name == "ConfigChange":
            path = event.text("file_path")
            why = self.where.protected.unregistered(path) if path else None
            return [Deed("unregister", why, event.cwd, path or "")] if why else []
        if event.name == "UserPromptSubmit":
            return self._secrets(event.text("prompt") or "", "the prompt")
        tool, given = event.tool_name or "", event.tool_input
        if tool in SHELL_TOOLS:
            command = given.get("command")
            return self._shell(command, self.where.around.cwd) if isinstance(command, str) else []
        from levaithan.hot.deeds_tools import of_tool

        asked = of_tool(tool, given, event.cwd)
        found = asked.deeds
        if "content" in given or "new_string" in given or "new_source" in given or "edits" in given:
            found += secret_deeds.of_tool(given, event.cwd, tool)
        for command, cwd in asked.commands:
            found += self._shell(command, cwd)
        return found

    def _shell(self, command: str, cwd: str | None) -> list[Deed]:
        line = self._split(command, cwd)
        self.sets = self.sets or line.sets
        found = self._of_line(line.commands, command[:MAX_LINE])
        found += self._secrets(command, command[:2000])
        if line.unsure:
            found.append(Deed("unsure", line.unsure, cwd, command[:2000]))
        return found

    def _split(self, command: str, cwd: str | None) -> Line:
        one = plain(command, cwd)
        if one is not None and runs_nothing_else(one):
            return Line([one])
        known = {"CLAUDE_PROJECT_DIR": self.event.project} if self.event.project else None
        return shell.split(command, cwd, self.user_home, known)

    def _of_line(self, commands: list[Simple], text: str, depth: int = 0) -> list[Deed]:
        """What the commands of one text do, each alone and together, and what the files do that they run."""
        where = self.where
        if not depth or "levaithan" in text:
            where.text = f"{where.text}\n{text}" if where.text else text
        self.commands += commands
        found: list[Deed] = []
        for made in commands:
            found += deeds.of_command(made)
            found += domains.of_command(made)
        found += domains.of_line(commands, text)
        if "pgrep" in text or "pidof" in text:
            found += deeds_process.kills_found(commands)
        if _may_do_together(text):
            found += deeds_remote.of_line(commands, text)
        for made in commands if depth < _DEEPEST else ():
            if made.words and wrappers.may_run_file(made.words[0], made.name):
                return found + self._of_files(commands, depth + 1)
        return found

    def _of_files(self, commands: list[Simple], depth: int) -> list[Deed]:
        """What the files that `commands` run would do. That one cannot be read to the end is no reason to ask."""
        from levaithan.hot import scripts

        found: list[Deed] = []
        for script in scripts.of_commands(commands, self.user_home):
            self._files += 1
            if self._files > scripts.MOST_FILES:
                break
            ran = scripts.line_of(script, self.user_home).commands
            for made in ran:
                made.origin = script.name
            for deed in self._of_line(ran, script.text, depth):
                deed.seen = f"{script.name}: {deed.seen}"
                found.append(deed)
        return found

    def _secrets(self, text: str, seen: str) -> list[Deed]:
        if len(text) < _SHORTEST_SECRET:
            return []
        return list(secret_deeds.of_text(text, self.where.around.cwd, seen))


def _may_do_together(text: str) -> bool:
    """Whether `text` is a line in which commands may do together what none does alone."""
    return (
        "|" in text
        or "`" in text
        or "(" in text
        or "<" in text
        or "curl" in text
        or "wget" in text
        or "fetch" in text
        or "http" in text
        or "/dev/tcp/" in text
        or "/dev/udp/" in text
        or "socket" in text
    )


def runs_nothing_else(made: Simple) -> bool:
    """Whether shell_wrap.look_into() has nothing to do with `made`."""
    known = _inert.get(made.name)
    if known is None:
        if len(_inert) > _MANY:
            _inert.clear()
        known = _inert[made.name] = _is_inert(made.name)
    return known and not wrappers.starts_inside(made.words, made.name)


def _is_inert(name: str) -> bool:
    from levaithan.hot.shell_options import INTERPRETERS
    from levaithan.hot.shell_wrap import SPECIAL
    from levaithan.hot.wrappers import ELSEWHERE, RUNNERS, WRAPPERS

    return not (name.startswith(INTERPRETERS) or any(name in each for each in (SPECIAL, WRAPPERS, ELSEWHERE, RUNNERS)))
