"""The service from the command line: started, seen, asked, stopped; and what the commands do beside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.hot import paths
from levaithan.service import instance

HOOK = {"hook_event_name": "PreToolUse", "session_id": "s1", "tool_name": "Bash", "tool_use_id": "t1"}


@pytest.fixture
def served(cli: Any, tmp_path: Path) -> Iterator[Any]:
    cli.home = Path(homes.make_home(tmp_path / "made", native=False))
    yield cli
    cli("stop")


def test_start_twice_is_one_service_and_stop_twice_is_no_error(served: Any) -> None:
    first = served.rows("start")[0]
    assert first["running"] is True and "was started" in first["message"]
    again = served.rows("start")[0]
    assert again["pid"] == first["pid"] and "runs already" in again["message"]
    rows = {row["item"]: row for row in json.loads(served("status", "--json").stdout)["rows"]}
    assert rows["service"]["status"] == "ok" and str(first["pid"]) in rows["service"]["value"]
    assert served.rows("restart")[0]["pid"] != first["pid"]
    assert "was stopped" in served("stop").stderr
    assert "no service was running" in served("stop").stderr
    assert served("status", code=3).stderr.startswith("error: Not all is well: service")


def test_a_read_waits_for_the_service_to_deliver(served: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    served("start")
    served("hooks", "install", "--project", str(project))
    for number in range(3):
        sent = json.dumps(HOOK | {"tool_use_id": f"t{number}", "tool_input": {"command": f"echo word{number}"}})
        served("hooks", "run", "PreToolUse", "--project", str(project), input=sent)
        done = served("audit", "list", "--json")
        assert json.loads(done.stdout)["rows"][0]["tool_use_id"] == f"t{number}" and done.stderr == ""
    assert [row["tool_use_id"] for row in served.rows("audit", "search", "word1")] == ["t1"]
    assert served.rows("audit", "list")[0]["path"] == "python"


def test_what_an_operator_records_fits_the_chain_that_the_service_writes(served: Any) -> None:
    served("start")
    for reason in ("one", "two"):
        served("halt", "set", "--scope", "session", "--target", "s9", "--reason", reason)
    served("halt", "release", "--all", "--yes")
    assert "whole" in served("journal", "verify").stdout
    kinds = [record["kind"] for record in homes.journal_records(str(served.home))]
    assert kinds.count("halt") == 4


def test_serve_in_the_foreground_ends_with_0_and_a_second_one_is_refused(served: Any) -> None:
    service = homes.start_service(str(served.home))
    done = served("serve", code=1)
    assert str(service.pid) in done.stderr and "next:" in done.stderr
    service.send_signal(signal.SIGTERM)
    assert service.wait(20) == 0


def test_one_that_was_killed_is_told_at_the_next_start(served: Any) -> None:
    first = served.rows("start")[0]
    assert "had not stopped" not in first["message"]
    os.kill(first["pid"], signal.SIGKILL)
    homes.until(lambda: not instance.running(paths.home_at(str(served.home))), 10)
    assert f"the one before (pid {first['pid']}) had not stopped: it was killed" in served.rows("start")[0]["message"]
    lines = map(json.loads, (served.home / "logs" / "service.log").read_text().splitlines())
    (told,) = [one for one in lines if one["event"] == "the service before ended without stopping"]
    assert (told["level"], told["pid"]) == ("warning", first["pid"])
    assert "had not stopped" not in served.rows("restart")[0]["message"]


def test_without_a_home_nothing_is_started(cli: Any, tmp_path: Path) -> None:
    for words in (["start"], ["serve"]):
        assert "setup" in cli(*words, "--home", str(tmp_path / "nowhere"), code=4).stderr
    assert not (tmp_path / "nowhere").exists()


def test_doctor_starts_a_service_that_is_down(served: Any) -> None:
    done = served("doctor", "--only", "service", "--fix")
    assert "fixed service" in done.stderr and served.rows("start")[0]["message"].count("runs already") == 1


def test_a_service_that_hangs_is_told_from_none_and_doctor_replaces_it(served: Any) -> None:
    pid = served.rows("start")[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        told = json.loads(served("status", "--json", code=3).stdout)["rows"]
        (row,) = [one for one in told if one["item"] == "service"]
        assert "does not answer" in row["value"]
        assert row["remedy"] == "levaithan restart"
        assert "fixed service" in served("doctor", "--only", "service", "--fix", "--no-proof").stderr
        assert served.rows("start")[0]["pid"] != pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_the_environment_of_a_shell_with_secrets_is_not_the_services(served: Any) -> None:
    pid = served.rows("start", env={"ANTHROPIC_API_KEY": "sk-ant-secret", "CLAUDE_PID": "1"})[0]["pid"]
    if sys.platform != "linux":
        shown = subprocess.run(["ps", "-Eww", "-p", str(pid)], capture_output=True, check=True).stdout
    else:
        shown = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"sk-ant-secret" not in shown


def test_a_unit_for_the_login_is_written_shown_and_removed(served: Any) -> None:
    folder = served.home / "user"
    folder.mkdir()
    env = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}
    assert "would write" in served("service", "install", "--dry-run", env=env).stderr and list(folder.iterdir()) == []
    row = served.rows("service", "install", env=env)[0]
    units = [path for path in folder.rglob("*levaithan*") if path.is_file()]
    assert len(units) == 1 and str(units[0]) in row["message"] and str(served.home) in units[0].read_text()
    assert "is there already" in served("service", "install", env=env).stderr
    assert "removed" in served("service", "uninstall", env=env).stderr and not units[0].exists()
    assert "no unit was installed" in served("service", "uninstall", env=env).stderr


def test_uninstall_takes_out_hooks_service_and_unit_and_leaves_the_record(served: Any, tmp_path: Path) -> None:
    project, folder = tmp_path / "project", served.home / "user"
    (project / ".claude").mkdir(parents=True)
    folder.mkdir()
    settings = project / ".claude/settings.json"
    settings.write_text('{"model": "opus"}')
    env = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}
    served("start")
    served("hooks", "install", "--project", str(project))
    served("service", "install", env=env)
    served("hooks", "run", "PreToolUse", "--project", str(project), input=json.dumps(HOOK | {"tool_input": {}}))
    done = served("uninstall", "--yes", env=env)
    assert "was stopped" in done.stderr and "removed" in done.stderr and "the record stays" in done.stderr
    assert settings.read_text() == '{"model": "opus"}'
    assert [path for path in folder.rglob("*levaithan*") if path.is_file()] == []
    assert "no service was running" in served("stop").stderr
    assert [row["tool_use_id"] for row in served.rows("audit", "list")] == ["t1"]
