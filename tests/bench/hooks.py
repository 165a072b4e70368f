"""What one hook costs: native client, Python client, one-shot, and sixteen at once against an ordinary hook."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import subprocess
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench import launching
from tests.bench.machine import Disk
from tests.bench.report import Row
from tests.support import homes, payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVENT = "PreToolUse"
AT_ONCE = 16
_ORDINARY = """\
import json, sqlite3, sys
event = json.load(sys.stdin)
ledger = sqlite3.connect(sys.argv[1])
ledger.execute("INSERT INTO events (session, event, tool, body) VALUES (?, ?, ?, ?)",
    (event["session_id"], event["hook_event_name"], event.get("tool_name"), json.dumps(event)))
ledger.commit()
"""
_COUNTER = itertools.count()


def measure(folder: str, rounds: int, bursts: int) -> list[Row]:
    """The four rows. `folder` is where homes are made: its disk is the one that is synced."""
    served = homes.make_home(os.path.join(folder, "served"))
    alone = homes.make_home(os.path.join(folder, "alone"), native=False)
    if not homes.native_client(served):
        raise SystemExit("no C compiler made the native client, which is what is to be measured: install one (gcc)")
    disk = Disk(folder)
    try:
        with homes.serving(served):
            took = launching.interleaved(_subjects(served, alone, folder, disk), rounds)
            crowd = _sixteen(served, bursts)
            _all_recorded(served, 2 * rounds + bursts * AT_ONCE)
        _all_recorded(alone, rounds)
    finally:
        disk.close()
    return _rows(took, crowd)


def event() -> bytes:
    """A recorded tool call under a name of its own, as the client sends it."""
    call = f"toolu_bench_{os.getpid()}_{next(_COUNTER)}"
    return json.dumps(payloads.payload(EVENT, tool_use_id=call)).encode()


def environment() -> dict[str, str]:
    """The part of Claude Code's environment that a hook reads."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/",
        "CLAUDE_PROJECT_DIR": "/",
        "CLAUDE_PID": str(os.getpid()),
        "AI_AGENT": "claude-code_2-1-330_harness",
    }


def _subjects(served: str, alone: str, folder: str, disk: Disk) -> dict[str, Callable[[], float]]:
    python = homes.real_python()
    commands: dict[str, list[str]] = {
        "bare": [python, "-I", "-S", "-c", "pass"],
        "native": homes.client_command(served, EVENT),
        "python": homes.python_client(served, EVENT),
        "oneshot": homes.oneshot(alone, EVENT),
        "ordinary": ordinary(folder),
    }
    environ = environment()
    for name in ("native", "python", "oneshot"):
        _allows(commands[name], environ)
    subjects: dict[str, Callable[[], float]] = {
        name: lambda command=command: launching.timed(command, event(), environ)  # type: ignore[misc]
        for name, command in commands.items()
    }
    return subjects | {"fdatasync": disk.sync}


def ordinary(folder: str) -> list[str]:
    """The command of an ordinary hook, with its table made."""
    script, ledger = Path(folder) / "ordinary.py", Path(folder) / "ordinary.sqlite3"
    script.write_text(_ORDINARY, encoding="utf-8")
    with sqlite3.connect(ledger) as made:
        made.execute("CREATE TABLE IF NOT EXISTS events (session, event, tool, body)")
    made.close()
    return [homes.real_python(), str(script), str(ledger)]


def _allows(command: Sequence[str], environ: dict[str, str]) -> None:
    """A hook that fails fast would look splendid: it must let this call pass and refuse the other."""
    harmful = json.dumps(payloads.payload(EVENT, tool_name="Bash", tool_input={"command": "rm -rf /"})).encode()
    for given, denies in ((event(), False), (harmful, True)):
        done = subprocess.run(command, input=given, env=environ, capture_output=True, check=False, timeout=30)
        if done.returncode != 0 or (b'"deny"' in done.stdout) != denies:
            raise SystemExit(f"{' '.join(command)} does not decide as it must: {done}")


def _sixteen(root: str, bursts: int) -> list[float]:
    command, environ = homes.client_command(root, EVENT), environment()
    took = []
    for _ in range(bursts):
        took += launching.at_once(command, [event() for _ in range(AT_ONCE)], environ)
    return took


def _all_recorded(root: str, least: int) -> None:
    """What was measured was written: fast and unrecorded would be no hook of ours."""
    calls = [record for record in homes.journal_records(root) if record.get("kind") == "event"]
    if len(calls) < least:
        raise SystemExit(f"only {len(calls)} of {least} events are in the journal of {root}")


def _rows(took: dict[str, list[float]], crowd: list[float]) -> list[Row]:
    middle: dict[str, Any] = {name: median(values) for name, values in took.items()}
    bare, sync, count = middle["bare"], middle["fdatasync"], len(took["bare"])
    ms = {name: launching.milliseconds(values) for name, values in took.items()}

    def trip(what: str, name: str, share: float) -> Row:
        net = (middle[name] - sync) / bare
        return Row(
            what,
            f"{share}x bare python + 1 fdatasync",
            f"{max(net, 0):.2f}x + 1 fdatasync",
            middle[name] <= share * bare + sync,
            f"{ms[name]}; bare python {ms['bare']}, fdatasync {ms['fdatasync']}, limit "
            f"{(share * bare + sync) * 1000:.2f} ms; without the allowance {middle[name] / bare:.2f}x; N={count}",
        )

    p95 = launching.percentile(crowd, 0.95)
    return [
        trip("hook round trip, native client, recorded and synced", "native", 0.15),
        trip("the same with the Python client", "python", 1.25),
        Row(
            "one-shot, no service (gate + journal)", "3.5x bare python", f"{middle['oneshot'] / bare:.2f}x",
            middle["oneshot"] <= 3.5 * bare, f"{ms['oneshot']}, its sync included; N={count}",
        ),
        Row(
            f"{AT_ONCE} hooks at once, native client, p95", "below one ordinary hook's p50",
            f"{p95 * 1000:.1f} ms against {ms['ordinary']}", p95 < middle["ordinary"],
            f"p50 of the {AT_ONCE}: {launching.milliseconds(crowd)}; N={len(crowd)} in bursts, {count} ordinary ones",
        ),
    ]  # fmt: skip
