"""deploy/prometheus/prometheus.yml: promtool takes it, and it asks and tells what compose starts, and the monitor."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml
from tests.support import alert_config

TOP = Path(__file__).resolve().parents[2]
FILE = TOP / "deploy" / "prometheus" / "prometheus.yml"
CONFIG: Any = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: Any = yaml.safe_load((TOP / "docker-compose.yml").read_text("utf-8"))["services"]


def targets(job: str) -> list[str]:
    """Whom a job asks."""
    (found,) = [one for one in CONFIG["scrape_configs"] if one["job_name"] == job]
    return [target for group in found["static_configs"] for target in group["targets"]]


def listens(service: str) -> str:
    """host:port of a service of compose."""
    (found,) = re.findall(r"--web\.listen-address=(\S+)", " ".join(SERVICES[service]["command"]))
    return str(found)


def test_promtool_takes_it_and_every_rule_in_it(promtool: Path) -> None:
    done = subprocess.run([promtool, "check", "config", FILE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rules = [path for pattern in CONFIG["rule_files"] for path in FILE.parent.glob(pattern)]
    assert rules, "no file of rules is found where it looks for them"
    assert f"{len(rules)} rule files" in done.stdout


def test_it_asks_the_monitor_and_tells_alertmanager_where_they_are() -> None:
    assert [f"http://{one}" for one in targets("levaithan")] == [alert_config.MONITOR]
    assert targets("prometheus") == [listens("prometheus")]
    assert targets("alertmanager") == [listens("alertmanager")]
    (told,) = CONFIG["alerting"]["alertmanagers"]
    assert [one for group in told["static_configs"] for one in group["targets"]] == [listens("alertmanager")]
