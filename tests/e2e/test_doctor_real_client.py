"""What doctor proves, with the real client: its broken guards stop the call, the control call runs; and the plugin."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.e2e.messages_api_imitation import MessagesApiImitation, bash, say
from tests.support import homes

from levaithan.hot import paths
from levaithan.install import prove, real_client

pytestmark = pytest.mark.e2e


def known(client: Path) -> real_client.Client:
    found = real_client.find({"LEVAITHAN_CLAUDE": str(client), "PATH": "", "HOME": "/nonexistent"})
    assert found is not None
    return found


def test_the_real_client_stops_the_call_whatever_breaks(client: Path, tmp_path: Path) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "home"))
    asked = known(client)
    assert asked.blocks
    found = prove.theirs(home, asked)
    assert {one.case: one.status for one in found} == {
        "nothing broken": "ok",
        "a crash (exit 1)": "ok",
        "a hang": "ok",
        "bad JSON": "ok",
        "a missing file": "ok",
    }, found


def test_doctor_reports_the_proof(client: Path, tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home")
    env = homes.plain_environment(LEVAITHAN_CLAUDE=str(client), HOME=str(tmp_path))
    done = homes.cli(
        root, "doctor", "--only", "fail direction", "--only", "claude code", "--json", env=env, check=False
    )
    rows = json.loads(done.stdout)["rows"]
    assert {row["status"] for row in rows} == {"ok"}, rows
    assert {row.get("part") for row in rows} == {None, "ours", "claude code"}


def test_the_plugin_loads_and_guards(client: Path, tmp_path: Path, api: MessagesApiImitation) -> None:
    person, project = tmp_path / "person", tmp_path / "project"
    person.mkdir()
    project.mkdir()
    env = real_client.scratch_environment(str(person), api.url)
    # The call that is denied would do no harm if it ran: it only reads, and there is nothing to read.
    reads_the_key = bash("toolu_e2e_bad", "cat ~/.local/state/levaithan/keys/journal.key")
    api.play("plugin", [bash("toolu_e2e_ok", "echo ran > ok.txt")], [reads_the_key], [say("done")])
    checked = [str(client), "plugin", "validate", str(homes.ROOT)]
    done = subprocess.run(checked, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    command = [str(client), "-p", "go [[plugin]]", "--plugin-dir", str(homes.ROOT), "--allowedTools", "Bash"]
    done = subprocess.run(
        command,
        cwd=project,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (project / "ok.txt").read_text() == "ran\n"
    home = person / ".local" / "state" / "levaithan"
    records = [json.loads(line[65:]) for line in next((home / "logs/journal").glob("*.log")).read_bytes().splitlines()]
    decided = {one.get("tool_use_id"): one["decision"] for one in records if one.get("event") == "PreToolUse"}
    assert decided == {"toolu_e2e_ok": "allow", "toolu_e2e_bad": "deny"}
    assert "key" in (api.told("toolu_e2e_bad") or "")
