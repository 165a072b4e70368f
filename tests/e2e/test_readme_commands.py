"""The README's two commands as a newcomer meets them: a clean clone, an empty HOME, an environment with a PATH in it.

Needs the package index, as the newcomer does; without it the test fails and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import elasticsearch
from tests.support import payloads

ROOT = Path(__file__).resolve().parents[2]
_TO_THE_INDEX = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE")
"""What a machine may need to reach the package index at all; everything else of this test's environment stays out."""
FOREIGN = '{\n\t"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": "true"}]}]},\n\t"model": "x"\n}'

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Newcomer:
    """A clone of what is in this tree, and a person with an empty HOME."""

    def __init__(self, folder: Path) -> None:
        self.top, self.home, self.project = folder / "a clone", folder / "person", folder / "project"
        for each in (self.home, self.project / ".claude"):
            each.mkdir(parents=True)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(self.top)], check=True)
        for name in self._changed():
            self._bring(name)

    def _changed(self) -> list[str]:
        """What is not committed yet is tested as well."""
        words = ["git", "ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        return [name for name in done.stdout.split("\0") if name]

    def _bring(self, name: str) -> None:
        source, target = ROOT / name, self.top / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not source.exists():
            target.unlink(missing_ok=True)
            return
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode & 0o777)

    def run(self, *words: str, code: int = 0, limit_s: int = 400, **more: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if key.upper().startswith(_TO_THE_INDEX)}
        done = subprocess.run(
            words, cwd=self.top, env={"PATH": os.environ["PATH"], "HOME": str(self.home)} | kept | more,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def git_status(self) -> str:
        done = subprocess.run(
            ["git", "status", "--porcelain"], cwd=self.top, capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    made = Newcomer(tmp_path_factory.mktemp("newcomer"))
    try:
        yield made
    finally:
        if (made.top / ".venv" / "bin" / "levaithan").exists():
            made.run("./system-cli.sh", "stop", limit_s=60)


def test_the_first_command_sets_up_and_shows_the_main_job(newcomer: Newcomer) -> None:
    before = newcomer.git_status()
    done = newcomer.run("./setup.sh")
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("20")]
    assert len(rows) == 17, "an event of the recorded session a row"
    assert [row for row in rows if "deny" in row and "fs.delete-root" in row]
    assert f"(`levaithan` is {newcomer.top}/system-cli.sh here)" in done.stderr
    assert newcomer.git_status() == before, "all that it makes is ignored by git"
    assert not (newcomer.top / ".claude" / "settings.json").exists(), "a clone must not begin to govern who works in it"
    assert not (newcomer.home / ".claude").exists(), "nor whatever else this person does"
    assert newcomer.run("./setup.sh").stderr == "there is nothing to do: this home is set up\n"
    verdict = newcomer.run("./system-cli.sh", "journal", "verify").stdout.split()
    assert verdict[:2] == ["verdict", "whole:"], "however wide the table, which a first checkpoint widens"
    newcomer.run("./system-cli.sh", "status")


def test_a_project_is_governed_by_one_command_and_free_again_to_the_byte(newcomer: Newcomer) -> None:
    settings = newcomer.project / ".claude" / "settings.json"
    settings.write_text(FOREIGN)
    assert "start Claude Code there" in newcomer.run("./setup.sh", "--project", str(newcomer.project)).stderr
    (foreign, ours) = json.loads(settings.read_text())["hooks"]["PreToolUse"]
    assert foreign["hooks"][0]["command"] == "true"
    (handler,) = ours["hooks"]
    given = payloads.payload("PreToolUse", tool_name="Bash", tool_input={"command": "rm -rf /"}, tool_use_id="t-new")
    done = subprocess.run(
        [handler["command"], *handler["args"]],
        input=json.dumps(given).encode(), env={}, cwd=newcomer.project, capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"
    told = newcomer.run("./system-cli.sh", "audit", "show", "t-new").stdout
    assert "fs.delete-root" in told
    newcomer.run("./system-cli.sh", "uninstall", "--yes")
    assert settings.read_text() == FOREIGN


def test_the_second_command_passes_the_tests(newcomer: Newcomer) -> None:
    """All of them, from a bare clone, are what CI runs; here the command itself has to get that far and run some. What
    this machine has of servers is not fetched once more: a bare one fetches it here, or did when its own run began."""
    done = newcomer.run(
        "./tests/run", "tests/unit/test_errors.py", LEVAITHAN_SKIP_REAL_CLIENT="1", LEVAITHAN_TEST_WORKERS="0",
        LEVAITHAN_TEST_CACHE=str(elasticsearch.cache_folder()),
    )  # fmt: skip
    assert " passed" in done.stdout
