"""What the documentation says is so: links lead somewhere, commands exist, the example in CONTRIBUTING works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import homes, payloads

from levaithan.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^]]*\]\(([^)#\s]+)[^)]*\)")
_COMMAND = re.compile(r"(?:\./system-cli\.sh|`levaithan) ([a-z][a-z-]*)(?: ([a-z-]+))?")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    inside = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_are_named_exist(page: Path) -> None:
    named = {first for first, _second in _COMMAND.findall(page.read_text(encoding="utf-8"))}
    assert named - set(COMMANDS) == set()


def readme_commands() -> list[str]:
    """Every command of the README's tables with its subcommand, such as "audit list"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    groups = {name for name, (where, _words) in COMMANDS.items() if ":" not in where}
    found = set()
    for first, second in _COMMAND.findall(text):
        found.add(f"{first} {second}" if first in groups and second else first)
    return sorted(found)


@pytest.mark.parametrize("words", readme_commands())
def test_the_readme_s_commands_can_be_asked_for_help(tmp_path: Path, words: str) -> None:
    done = homes.cli(str(tmp_path), *words.split(), "--help")
    assert "Usage:" in done.stdout


def example_hook() -> str:
    """The atomic hook that CONTRIBUTING shows."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.split("```python\n", 1)[1].split("```\n", 1)[0]


@pytest.mark.parametrize(("lines", "said"), [(2000, "ask"), (3, None)])
def test_the_example_of_a_hook_works(tmp_path: Path, lines: int, said: str | None) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    (Path(root) / "hooks" / "size_check.py").write_text(example_hook(), encoding="utf-8")
    flows = Path(root) / "context" / "workflows.toml"
    text = flows.read_text(encoding="utf-8")
    flows.write_text(text.replace('"restraint_check"]', '"restraint_check", "size_check"]'), encoding="utf-8")
    given = payloads.payload(
        "PreToolUse", tool_name="Write", tool_input={"file_path": "/p/x", "content": "a\n" * lines}
    )
    for command in (homes.oneshot(root, "PreToolUse"), [homes.real_python(), f"{root}/hooks/size_check.py"]):
        done = subprocess.run(
            command, input=json.dumps(given).encode(), capture_output=True, timeout=30, check=False,
            env=homes.plain_environment(),
        )  # fmt: skip
        assert done.returncode == 0, done
        answer = json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] if done.stdout.strip() else None
        assert answer == said, done


def test_the_example_of_a_hook_is_in_the_house_style(tmp_path: Path) -> None:
    file = tmp_path / "size_check.py"
    file.write_text(example_hook(), encoding="utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [str(ruff), "check", "--config", str(ROOT / "pyproject.toml"), "--ignore", "INP,PTH,PLC0415", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert shutil.which(str(ruff))
