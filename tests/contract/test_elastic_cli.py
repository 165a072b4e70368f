"""The command line on a home whose search is Elasticsearch: filled from the journal, asked, compared, made again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support import elastic_place
from tests.support.ledger_records import JournalFiles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.endpoint import Endpoint


def test_the_same_commands_answer_from_it(elasticsearch_server: Endpoint, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "context").mkdir(parents=True)
    stream = elastic_place.name()
    opening = elastic_place.opening(elasticsearch_server, tmp_path, stream)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LEVAITHAN_", "CLAUDE_"))}
    env |= {"HOME": str(tmp_path), "LEVAITHAN_SEARCH_URL": opening.url, "LEVAITHAN_SEARCH_CA_FILE": opening.ca_file,
            "LEVAITHAN_STORE_TIMEOUT_MS": "60000"}  # fmt: skip
    env = {name: value for name, value in env.items() if value}

    def run(*words: str, code: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", "from levaithan.cli.main import run; run()", "--home", str(home), *words, "--json"],
            capture_output=True, text=True, timeout=180, env=env, check=False,
        )  # fmt: skip
        assert done.returncode == code, (words, done.stdout, done.stderr)
        assert elasticsearch_server.password not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout)["rows"]

    files = JournalFiles(str(home / "logs" / "journal"))
    files.events(30)
    files.events(1, first=31, payload={"tool_input": {"command": "needle"}}, decision="deny", rule="r.1")
    assert [row["rule"] for row in run("audit", "search", "needle")] == ["r.1"]
    assert run("audit", "top", "decision") == [{"value": "allow", "count": 30}, {"value": "deny", "count": 1}]
    assert sum(row["count"] for row in run("audit", "histogram", "--interval", "10s")) == 31
    assert run("audit", "patterns", "--limit", "1")[0]["count"] == 30
    (compared,) = run("store", "compare", "search")
    assert compared["missing_count"] == compared["altered_count"] == compared["extra_count"] == 0, compared
    store = elastic_place.search(elasticsearch_server, tmp_path, stream, journal=files.journal)
    (hit,) = store.writer.every({"term": {"rule": "r.1"}})
    store.writer.remove([hit])
    run("store", "compare", "search", code=5)
    run("store", "rebuild", "search")
    run("store", "compare", "search")
    assert len(run("audit", "search", "needle")) == 1
    store.close()
