"""deploy/alertmanager/ as a test's own Alertmanager can run it: its addresses and files changed, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "alertmanager"
FILE = FOLDER / "alertmanager.yml"
MONITOR = "http://127.0.0.1:9465"
TOKEN_FILE = "/etc/levaithan/alertmanager.token"


def deployed(monitor: str, people: dict[str, dict[str, Any]] | None = None, token: str = "token") -> dict[str, Any]:
    """What Alertmanager(...) takes: the deployed configuration with the monitor at `monitor` (http://host:port), and
    receivers of people by name, such as {"people-p0": {"webhook_configs": [...]}}."""
    import yaml

    text = FILE.read_text("utf-8")
    assert MONITOR in text, MONITOR
    assert TOKEN_FILE in text, TOKEN_FILE
    config = yaml.safe_load(text.replace(MONITOR, monitor).replace(TOKEN_FILE, "monitor.token"))
    by_name = {one["name"]: one for one in config["receivers"]}
    for name, more in (people or {}).items():
        by_name[name].update(more)
    files = {f"templates/{path.name}": path.read_text("utf-8") for path in (FOLDER / "templates").iterdir()}
    return {"config": config, "files": {**files, "monitor.token": token}}
