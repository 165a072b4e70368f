"""Scratch homes as an installation leaves them, their service and their client: for tests that run processes.

Unit tests that need a home only as folders make their own; this is for what starts the real thing. A home made here
is told to no other test: it lives under the test's tmp_path.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import compiled_rules

from levaithan.hot import paths, wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
CLI = (sys.executable, "-c", "from levaithan.cli.main import run; run()")
_CLIENTS: dict[str, Path | None] = {}


def plain_environment(**more: str) -> dict[str, str]:
    """An environment without a setting of ours or of Claude Code's."""
    foreign = ("LEVAITHAN_", "CLAUDE_", "ANTHROPIC_", "AI_AGENT")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)} | more


def make_home(
    folder: Path | str, *, native: bool = True, paced: bool = False, compiled: bool = True, **settings: object
) -> str:
    """A home with the shipped context and hooks, hot.conf of `settings`, and the native client where one can be built.

    Gives the root folder (absolute, real). `settings` are named as in config/settings.py. Unless `paced`, the limits of
    pace are counted as ever and out of reach: tests send the same call more often than any agent may. Vectors are made
    of words alone, as where the extra `memory` is not installed. Nothing is monitored unless a test asks for it: most
    look at one part and start many services. A busy machine is no reason to refuse: what the gate does when its time is
    over is for the tests that set it. Unless `compiled` is False the rules are, as after a first call.
    """
    from levaithan.config import hotconf
    from levaithan.config import settings as settings_of

    root = Path(os.path.realpath(folder))
    shutil.copytree(ROOT / ".claude" / "context", root / "context")
    shutil.copytree(ROOT / ".claude" / "hooks", root / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    if not paced:
        out_of_reach(root)
    home = paths.home_at(str(root))
    for place in (home.root, home.state, home.logs, home.keys, home.bin, home.run):
        paths.ensure_private(place)
    chosen = {"memory_model": "hashing", "monitor": "off", "deadline_ms": 4000, **settings}
    lines = [f"LEVAITHAN_{name.upper()}={value}\n" for name, value in chosen.items()]
    (root / ".env").write_text("".join(lines), encoding="utf-8")
    hotconf.write(home, settings_of.load(home.root, environ={}))
    if compiled:
        compiled_rules.put(home.root)
    if native:
        _put_client(home.root)
    return home.root


def out_of_reach(root: Path) -> None:
    """Put the limits of pace in the charter of the home `root` where no test gets."""
    charter = root / "context" / "charter.toml"
    text = charter.read_text(encoding="utf-8")
    raised, count = re.subn(
        r"(?m)^((?:calls|denials)_per_minute|repeats_\w+|pingpong_deny) = \d+", r"\1 = 1000000000", text
    )
    assert count == 5, "the charter names its limits otherwise by now"
    charter.write_text(raised, encoding="utf-8")


def _put_client(root: str) -> None:
    """Copy the native client into the home; it is compiled once a test run."""
    from levaithan.install import native

    if "built" not in _CLIENTS:
        folder = tempfile.mkdtemp(prefix="levaithan-client-")
        _CLIENTS["built"] = native.install_native(folder).path
    built = _CLIENTS["built"]
    if built is not None:
        for file in built.parent.iterdir():
            shutil.copy2(file, Path(root) / "bin" / file.name)


def native_client(root: str) -> Path | None:
    """The home's native client, None where no compiler made one."""
    client = Path(root) / "bin" / "levaithan-hook"
    return client if client.is_file() else None


def real_python() -> str:
    """The interpreter itself, past venv and shim, as a registered command names it."""
    return os.path.realpath(sys.executable)


def python_client(root: str, event: str) -> list[str]:
    """The Python client's command for `event`."""
    client = ROOT / "src" / "levaithan" / "hot" / "client.py"
    return [real_python(), "-I", "-S", str(client), event, "--home", root]


def oneshot(root: str, event: str) -> list[str]:
    """The one-shot path's command for `event`."""
    script = ROOT / "src" / "levaithan" / "hot" / "oneshot.py"
    return [real_python(), "-I", "-S", str(script), event, "--home", root]


def client_command(root: str, event: str) -> list[str]:
    """The command that an installation would register for `event`: native where there is one, else Python."""
    client = native_client(root)
    return [str(client), event, "--home", root] if client else python_client(root, event)


def cli(root: str, *words: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
    """`levaithan --home ROOT WORDS`, as a process of its own; with `check` it must exit 0."""
    more.setdefault("env", plain_environment())
    more.setdefault("timeout", 120)
    done = subprocess.run([*CLI, "--home", root, *words], capture_output=True, text=True, check=False, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"levaithan {' '.join(words)} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def rows(root: str, *words: str) -> list[dict[str, Any]]:
    """The rows of a reading command, such as rows(root, "audit", "list")."""
    answer = json.loads(cli(root, *words, "--json").stdout)
    if not answer["ok"]:
        raise AssertionError(answer)
    found: list[dict[str, Any]] = answer["rows"]
    return found


def start_service(root: str, *, wait_s: float = 20.0) -> subprocess.Popen[bytes]:
    """`levaithan serve` in the foreground of a child process, ready to answer. What it says goes to a file."""
    log = Path(root) / "logs" / "serve.out"
    with log.open("ab") as said:
        service = subprocess.Popen(
            [*CLI, "--home", root, "serve"], env=plain_environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        until(lambda: _answers(root, service), wait_s)
    except TimeoutError:
        service.kill()
        service.wait()
        raise AssertionError(f"the service did not come up in {wait_s} s:\n{log.read_text()[-4000:]}") from None
    return service


def _answers(root: str, service: subprocess.Popen[bytes]) -> bool:
    if service.poll() is not None:
        said = (Path(root) / "logs" / "serve.out").read_text()[-4000:]
        raise AssertionError(f"the service ended by itself with {service.returncode}:\n{said}")
    told = control(root, "ping", timeout_s=1.0)
    return told is not None and told.get("pid", service.pid) == service.pid


def stop_service(service: subprocess.Popen[bytes], *, wait_s: float = 20.0) -> int:
    """End the service as a service manager does; its exit code."""
    with contextlib.suppress(ProcessLookupError):
        service.send_signal(signal.SIGTERM)
    try:
        return service.wait(wait_s)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
        raise


@contextlib.contextmanager
def serving(root: str) -> Iterator[subprocess.Popen[bytes]]:
    """A service for the length of a block."""
    service = start_service(root)
    try:
        yield service
    finally:
        if service.poll() is None:
            stop_service(service)


def control(root: str, operation: str, timeout_s: float = 5.0) -> dict[str, Any] | None:
    """What the service answers to a control operation; None when it cannot be asked."""
    header = {"id": wire.new_event_id(), "op": operation, "timeout_ms": str(int(timeout_s * 1000))}
    try:
        socket = paths.home_at(root).socket
        _code, answer, _said = wire.request(socket, wire.pack_request(header, b""), timeout_s + 1)
        told: dict[str, Any] = json.loads(answer)
    except (OSError, wire.WireError, ValueError):
        return None
    return told


def sync(root: str, timeout_s: float = 30.0) -> None:
    """Wait until everything in the journal is in the ledger and the search. Raises AssertionError when it is not."""
    told = control(root, "sync", timeout_s)
    if not told or told.get("ok") is False:
        raise AssertionError(f"the stores did not reach the journal's end in {timeout_s} s: {told}")


def journal_files(root: str) -> list[Path]:
    """The journal's segments, the oldest first."""
    return sorted(Path(paths.home_at(root).journal).glob("journal-*.log"))


def journal_records(root: str) -> Iterator[dict[str, Any]]:
    """Every record of the journal, read as docs/reference/journal-format.md promises: hash, space, JSON."""
    for file in journal_files(root):
        with file.open("rb") as lines:
            for line in lines:
                yield json.loads(line[65:])


def ledger_column(root: str, sql: str) -> list[Any]:
    """The first column of a SELECT on the home's SQLite ledger, read beside whoever writes it."""
    file = Path(paths.home_at(root).state) / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as ledger:
        return [row[0] for row in ledger.execute(sql)]


def verify(root: str) -> Verified:
    """The journal's verification with the home's public key and the checkpoints that lie beside it."""
    done = cli(root, "journal", "verify", "--json", check=False)
    return Verified(done.returncode == 0, json.loads(done.stdout))


class Verified:
    """What `levaithan journal verify --json` said."""

    def __init__(self, ok: bool, said: dict[str, Any]) -> None:
        self.ok = ok
        self.findings: Sequence[Any] = said.get("rows", said)


def until(true: Any, timeout_s: float = 10.0, step_s: float = 0.02) -> None:
    """Wait until `true()` is. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout_s} s")
        time.sleep(step_s)
