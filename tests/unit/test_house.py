"""The rules of the house that no single part can keep alone: layers, fences, sizes, no trace of one machine."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.support import homes, payloads

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "levaithan"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "versions" not in path.parts)
HOT = sorted((SOURCE / "hot").glob("*.py"))
SLOW_TO_IMPORT = "json tomllib hashlib socket pathlib typing dataclasses logging datetime subprocess tempfile sqlite3"
"""What the one-shot path cannot afford: its budget is 3.5 bare interpreters. `re` it pays for a shell command only."""
MOST_LINES, MOST_IN_FUNCTION = 300, 40


def tracked() -> list[Path]:
    """The files of the repository, those not yet committed included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:  # an archive of the sources, without git
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]
    return [path for name in done.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_the_layers_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, env=homes.plain_environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_every_room_is_in_the_layers_and_has_something_in_it() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    named = set(re.findall(r"\w+", " ".join(layers[0]["layers"])))
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert rooms <= named
    empty = [room for room in sorted(rooms) if not any(p.stat().st_size for p in (SOURCE / room).rglob("*.py"))]
    assert empty == []


def test_no_two_tests_files_have_one_name() -> None:
    """pytest imports a file by its name alone: the second of two is an error, and only when both are collected."""
    names = [path.name for path in tracked() if path.name.startswith("test_") and path.suffix == ".py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_why_it_exists_and_stays_small(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    if not text.strip() or text.startswith("__version__"):
        return
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "its docstring says why it exists and what it must not import"
    assert text.count("\n") <= MOST_LINES
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MOST_IN_FUNCTION
    ]
    assert long == []


def test_nothing_of_one_machine_is_in_the_tree() -> None:
    places = [b"/work" + b"/main", b"/work" + b"/shared", b"/tmp" + b"/brief", b"/root" + b"/.", b"/tmp" + b"/probe"]
    places += [str(ROOT).encode()] if len(ROOT.parts) > 2 else []
    found = {
        str(path.relative_to(ROOT)): place.decode()
        for path in tracked()
        for place in places
        if place in path.read_bytes()
    }
    assert found == {}


def test_no_work_is_left_for_later_in_words() -> None:
    marks = re.compile(rb"\b(TO" + rb"DO|FIX" + rb"ME|XX" + rb"X)\b")
    code = [path for path in tracked() if path.suffix in {".py", ".c", ".sh", ".toml", ".md", ".yml"}]
    assert [str(path.relative_to(ROOT)) for path in code if marks.search(path.read_bytes())] == []


def test_the_hot_path_loads_nothing_but_the_standard_library() -> None:
    """Third fence beside the linter and -S: what is really in sys.modules when every hot module is imported."""
    names = [f"levaithan.hot.{path.stem}" for path in HOT if path.stem not in ("__init__", "oneshot", "client")]
    seen = (
        f"import sys\nsys.path.insert(0, {str(SOURCE.parent)!r})\nbefore = set(sys.modules)\n"
        f"for name in {names!r}: __import__(name)\n"
        "import sys, os\nstd = os.path.dirname(os.__file__)\n"
        "for name, module in sorted(sys.modules.items()):\n"
        "    file = getattr(module, '__file__', None)\n"
        "    if file and not file.startswith(std): print(name)\n"
    )
    done = subprocess.run(
        [homes.real_python(), "-I", "-S", "-c", seen],
        env=homes.plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    foreign = [name for name in done.stdout.split() if name != "levaithan" and not name.startswith("levaithan.hot")]
    assert foreign == []


@pytest.mark.parametrize("script", ["oneshot", "client"])
def test_the_hot_path_imports_nothing_that_is_slow(tmp_path: Path, script: str) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    command = homes.oneshot(root, "PreToolUse") if script == "oneshot" else homes.python_client(root, "PreToolUse")
    given = (payloads.DATA / "payloads" / "PreToolUse.json").read_bytes()

    def run() -> subprocess.CompletedProcess[bytes]:
        watched = [command[0], "-X", "importtime", *command[1:]]
        return subprocess.run(
            watched, input=given, env=homes.plain_environment(), capture_output=True, timeout=30, check=False
        )

    for _ in range(3):  # the first call of a home compiles its rules; on a busy machine it may run out of time
        run()
    if script == "client":
        with homes.serving(root):
            done = run()
    else:
        done = run()
    assert (done.returncode, done.stdout) == (0, b""), done
    loaded = {line.split("|")[-1].strip() for line in done.stderr.decode().splitlines() if "import time:" in line}
    assert loaded, "the list of imports is missing"
    slow = set(SLOW_TO_IMPORT.split()) | ({"re", "os"} if script == "client" else {"re", "enum"})
    assert sorted(loaded & slow) == []


def test_help_loads_no_driver() -> None:
    from tests.bench import reading

    assert reading.drivers_of_help() == []


def test_no_active_settings_are_committed() -> None:
    """A clone must not begin to govern whoever works in it."""
    names = {str(path.relative_to(ROOT)) for path in tracked()}
    assert not names & {".claude/settings.json", ".claude/settings.local.json", ".mcp.json"}


@pytest.mark.parametrize("script", ["setup.sh", "system-cli.sh", "tests/run", ".ci/run"])
def test_the_scripts_can_be_run(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0
