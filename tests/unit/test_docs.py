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


def commands_with_options() -> dict[str, set[str]]:
    """Every command, as "store lag", with its options: of the reference, which is made from the code."""
    text = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    sections = re.findall(r"^##+ levaithan ([a-z -]+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return {
        name: {one for row in re.findall(r"^\| (`-.*?) \|", body, re.MULTILINE) for one in _OPTION.findall(row)}
        for name, body in sections
    }


_OPTION = re.compile(r"(?<![\w-])-{1,2}[a-z][a-z-]*")
_GLOBAL = {"--help", "-h", "--home", "--version"}
_EXAMPLE = re.compile(r"(?:^|[`;&|] ?|=\S+ )(?:\./system-cli\.sh|levaithan) ([a-z][^`#|;&<>\n]*)", re.MULTILINE)
_PASSED_ON = {"bench"}
"""Commands that hand all their words to another program."""


def wrong_examples(text: str) -> list[str]:
    """The examples of commands in a page's code that their command would not take."""
    known, wrong = commands_with_options(), []
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    for example in {found.strip() for piece in code for found in _EXAMPLE.findall(piece)}:
        first, *rest = example.split()
        name = next((one for one in (f"{first} {rest[0]}" if rest else "", first) if one in known), None)
        if name in _PASSED_ON:
            continue
        groups = {one.split()[0] for one in known if " " in one}
        stray = name is None or (name in groups and rest and re.fullmatch(r"[a-z-]+", rest[0]))
        strange = (
            set(_OPTION.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "", example))) - known.get(name or "", set()) - _GLOBAL
        )
        if stray or strange:
            wrong.append(f"{example}: {'no such command' if stray else sorted(strange)}")
    return sorted(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_of_commands_have_options_that_there_are(page: Path) -> None:
    assert wrong_examples(page.read_text(encoding="utf-8")) == []


def test_a_wrong_example_would_be_seen() -> None:
    page = "`levaithan store lag --fellow`, `levaithan store lags`, `levaithan store lag --follow`\n"
    page += "```sh\n./system-cli.sh up -d\nX=1 levaithan store lag -x\n```"
    assert wrong_examples(page) == [
        "store lag --fellow: ['--fellow']", "store lag -x: ['-x']",
        "store lags: no such command", "up -d: no such command",
    ]  # fmt: skip


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
