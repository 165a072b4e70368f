"""The service tests the guard by itself: at its start, again at each interval; a dead guard it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import homes

from levaithan.config import settings
from levaithan.hot import paths

PASSES_ALL = "#!/bin/sh\ncat >/dev/null\n"


def sung(root: str) -> dict[str, Any]:
    told = homes.control(root, "status")
    assert told is not None
    found: dict[str, Any] = told["canary"]
    return found


def test_by_default_it_is_daily() -> None:
    assert settings.Settings().canary_interval_s == 86_400


def test_at_the_start_and_again_and_a_dead_guard_is_said(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "h", canary_interval_s=1)
    project = tmp_path / "project"
    project.mkdir()
    homes.cli(root, "hooks", "install", "--project", str(project))
    command = json.loads((project / ".claude" / "settings.json").read_text())["hooks"]["PreToolUse"][0]["hooks"][0]
    with homes.serving(root):
        homes.until(lambda: sung(root)["ok"] is not None, 20)
        first = sung(root)
        assert [(row["probe"], row["verdict"]) for row in first["rows"]] == [("deny", "deny"), ("pass", "allow")]
        assert first["ok"] is True
        homes.until(lambda: sung(root)["at"] > first["at"], 20)
        if homes.native_client(root):
            fake = Path(command["command"])
            fake.unlink()  # the file that runs cannot be written over
            fake.write_text(PASSES_ALL)
            fake.chmod(0o755)
        else:
            Path(root, "context", "workflows.toml").write_text("version = 1\n[workflow.default]\nchecks = []\n")
        homes.until(lambda: sung(root)["ok"] is False, 20)
    said = [json.loads(line) for line in Path(paths.home_at(root).logs, "service.log").read_text().splitlines()]
    errors = [line for line in said if line["event"] == "canary" and line["level"] == "error"]
    assert errors
    assert errors[0]["probe"] == "deny"
    assert errors[0]["remedy"]


def test_interval_0_is_once_at_the_start(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "h", native=False, canary_interval_s=0)
    with homes.serving(root):
        homes.until(lambda: sung(root)["at"] is not None, 20)
        assert sung(root)["ok"] is None, "nothing is registered, so nothing was tested"
