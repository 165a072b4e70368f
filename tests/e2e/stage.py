"""The stage of an end-to-end test: a person's HOME, a project with a foreign hook, our home, the real client.

Everything lies in one scratch folder. The client gets an environment built from nothing (as `env -i`), so that nothing
of the machine's own Claude Code, of its accounts or of this test run reaches it.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.messages_api_imitation import MessagesApiImitation
from tests.support import homes

CLIENT_LIMIT_S = 120
_RECORDER = """
import os, sys
data = b""
while part := os.read(0, 1 << 16):
    data += part
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(log, data.strip() + b"\\n")
"""


@dataclass
class Ran:
    """One run of the client: its exit code, what it streamed (one dict a line), and what it said on stderr."""

    code: int
    lines: list[dict[str, Any]]
    stderr: str

    def hooks(self, subtype: str = "hook_response") -> list[dict[str, Any]]:
        """What the client itself tells of the hooks that it ran (--include-hook-events)."""
        return [one for one in self.lines if one.get("type") == "system" and one.get("subtype") == subtype]

    @property
    def session(self) -> str:
        return str(next(one["session_id"] for one in self.lines if one.get("subtype") == "init"))

    @property
    def result(self) -> dict[str, Any]:
        return next(one for one in self.lines if one.get("type") == "result")


class Stage:
    """See above. `root` is our home, `user` the person's HOME, `project` where the client works."""

    def __init__(self, folder: Path, client: Path, api: MessagesApiImitation) -> None:
        self.client = client
        self.api = api
        self.user = folder / "user"
        self.project = folder / "project"
        self.heard = folder / "heard.jsonl"
        self.recorder = folder / "recorder.py"
        for place in (self.user, self.project / ".claude"):
            place.mkdir(parents=True)
        self.recorder.write_text(_RECORDER, encoding="utf-8")
        self.root = homes.make_home(folder / "home", paced=True)

    @property
    def settings_file(self) -> Path:
        return self.project / ".claude" / "settings.json"

    def recorder_hook(self) -> dict[str, Any]:
        """A hook of somebody else's: it writes down what it hears and has no opinion."""
        return {
            "type": "command",
            "command": homes.real_python(),
            "args": ["-I", "-S", str(self.recorder), str(self.heard)],
            "timeout": 10,
        }

    def put_foreign_hook(self, events: list[str], **more: Any) -> dict[str, Any]:
        """The project's settings as they were before we came: the foreign hook on `events`."""
        entry = [{"hooks": [self.recorder_hook()]}]
        settings = {"permissions": {"deny": ["Read(./secret.txt)"]}, "hooks": dict.fromkeys(events, entry)} | more
        self.settings_file.write_text(json.dumps(settings, indent=4) + "\n", encoding="utf-8")
        return settings

    def install(self) -> None:
        """`levaithan hooks install --project`, as a person does it."""
        homes.cli(self.root, "hooks", "install", "--project", str(self.project), env=self.environment())

    def environment(self, **more: str) -> dict[str, str]:
        """The client's whole environment."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.user),
            "CLAUDE_CONFIG_DIR": str(self.user / ".claude"),
            "CLAUDE_CODE_TMPDIR": str(self.user),
            "ANTHROPIC_BASE_URL": self.api.url,
            "ANTHROPIC_API_KEY": "sk-ant-test-dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
        } | more

    def run(
        self, tag: str, *options: str, tools: str = "Bash,Write,Agent", environ: dict[str, str] | None = None
    ) -> Ran:
        """One headless run of the client: it is asked to go on with the script `tag`."""
        command = [str(self.client), "-p", f"go [[{tag}]]", "--output-format", "stream-json", "--verbose"]
        command += ["--include-hook-events", *options, "--allowedTools", tools]
        done = subprocess.run(
            command,
            cwd=self.project,
            env=self.environment(**(environ or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_LIMIT_S,
            check=False,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return Ran(done.returncode, lines, done.stderr)

    def heard_events(self) -> list[dict[str, Any]]:
        """The inputs that the foreign hook got, in order."""
        if not self.heard.exists():
            return []
        return [json.loads(line) for line in self.heard.read_text(encoding="utf-8").splitlines()]

    def audit(self, session: str) -> list[dict[str, Any]]:
        """The rows of the audit of one session, oldest first."""
        found = homes.rows(self.root, "audit", "list", "--session", session, "--limit", "1000")
        return sorted(found, key=lambda row: row["seq"])
