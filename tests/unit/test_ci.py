"""The workflow and .ci/run name what there is: variables that something reads, files, stores, Pythons that are set up.

Nobody sees the workflow run before it is pushed, and a variable that nothing reads requires nothing.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.servers import installed
from tests.servers.catalogue import STORES

ROOT = Path(__file__).resolve().parents[2]
RUN = (ROOT / ".ci" / "run").read_text("utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
JOB: dict[str, Any] = yaml.safe_load(WORKFLOW)["jobs"]["all"]
STEPS = {step["name"]: step for step in JOB["steps"] if "run" in step}
READ_FOR_A_STORE = re.compile(rf"LEVAITHAN_TEST_(?:{'|'.join(STORES).upper()})_(?:URL|IMAGE)")


def test_every_variable_is_read_by_something() -> None:
    named = set(re.findall(r"\bLEVAITHAN_\w+", WORKFLOW + RUN))
    assert {"LEVAITHAN_REQUIRE_NAMESPACES", "LEVAITHAN_REQUIRE_STORES", "LEVAITHAN_TEST_HELIX_URL"} <= named
    readers = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    text = "".join(path.read_text("utf-8") for path in readers)
    unread = {name for name in named if name not in text and not READ_FOR_A_STORE.fullmatch(name)}
    assert unread <= {"LEVAITHAN_LABELLED"}, "that one is .ci/run's own"


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"(?<![\w/.])(?:tests|src|deploy|\.ci)/[\w./-]*\w", WORKFLOW + RUN))
    assert {"tests/servers/install", ".ci/run", "tests/contract/test_graph_contract.py"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_store_that_is_required_can_be() -> None:
    lists = re.findall(r"LEVAITHAN_REQUIRE_STORES=([a-z,-]+)", RUN) + re.findall(r"'([a-z]+(?:,[a-z-]+)*)'", WORKFLOW)
    named = {name for one in lists for name in one.split(",")}
    assert {"all", "postgres", installed.LANGUAGE_MODEL} <= named
    assert named - set(installed.NAMES) == {"all"}


def test_what_is_asked_of_the_matrix_is_in_it() -> None:
    having = {key for one in JOB["strategy"]["matrix"]["include"] for key in one}
    asked = set(re.findall(r"matrix\.(\w+)", WORKFLOW))
    assert asked == having
    assert JOB["env"]["PYTHON"] == "python${{ matrix.python }}", "tests/run takes the oldest that it finds"
    assert "${PYTHON:-}" in (ROOT / "tests" / "run").read_text("utf-8")


def test_whoever_requires_disks_of_its_own_may_mount_them() -> None:
    """A small disk for a server and a power cut take root, and fail for anybody else when they are required."""
    whole = {name: step for name, step in STEPS.items() if re.search(r"\.ci/run\b", step["run"])}
    assert sorted(step["if"] for step in whole.values()) == ["runner.os == 'Linux'", "runner.os == 'macOS'"]
    for step in whole.values():
        linux = "Linux" in step["if"]
        assert bool(re.search(r"^as_root \.ci/run$", step["run"], re.MULTILINE)) is linux, step
    (requiring,) = (step for step in STEPS.values() if "LEVAITHAN_REQUIRE_NAMESPACES" in step["run"])
    assert requiring["if"] == "runner.os == 'Linux'"


@pytest.mark.parametrize("name", STEPS)
def test_the_words_of_a_step_are_a_shell_s(name: str) -> None:
    said = re.sub(r"\$\{\{.*?\}\}", "something", STEPS[name]["run"])
    checked = subprocess.run(["bash", "-n", "-c", said], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_helixdb_of_the_compose_file_is_asked_with_the_key_that_it_is_given() -> None:
    (step,) = (step["run"] for step in STEPS.values() if "LEVAITHAN_TEST_HELIX_URL" in step["run"])
    made_up = STEPS["read docker-compose.yml as Docker does"]["run"]
    key = re.search(r"=([\w-]+)/p'", made_up)
    url = re.search(r"LEVAITHAN_TEST_HELIX_URL=http://:([\w-]+)@127\.0\.0\.1:(\d+) ", step)
    assert key and url and url[1] == key[1]
    gate = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["helix-gate"]
    assert gate["ports"] == [f"127.0.0.1:{url[2]}:7474"]
    words = shlex.split(step.replace("\\\n", " "))
    assert "helix and not engine" in words, "the engine in this process is another adapter"
