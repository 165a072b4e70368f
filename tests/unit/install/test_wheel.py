"""The platform wheel: it brings the client, the rules and the hooks, and installed from it alone a hook decides.

Built by the build backend itself, as `pip wheel .` does, without its isolated environment: no index is asked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.support import homes, payloads

ROOT = Path(__file__).resolve().parents[3]
CLIENT = "levaithan/bin/levaithan-hook"
SHIPPED = {
    f"levaithan/home/{path.relative_to(ROOT / '.claude')}"
    for top in ("context", "hooks")
    for path in (ROOT / ".claude" / top).rglob("*")
    if path.suffix in (".py", ".toml")
}


def build(target: str, folder: Path, source: Path = ROOT, **environment: str) -> Path:
    """Build a `target` (wheel, sdist) of `source` into `folder`; the file."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)],
        cwd=source, env=homes.plain_environment() | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None and shutil.which("gcc") is None and shutil.which("clang") is None:
        pytest.fail("there is no C compiler: the wheel of this machine carries no client. Install gcc")
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_it_is_of_this_platform_and_carries_client_rules_and_hooks(wheel: Path) -> None:
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl"), "a wheel with a native client fits one platform"
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        assert opened.getinfo(CLIENT).external_attr >> 16 & 0o111 == 0o111
    assert SHIPPED, "the checkout has rules and hooks"
    assert names >= SHIPPED
    shipped = {name for name in names if name.startswith("levaithan/home/") and not name.endswith("/")}
    assert shipped == SHIPPED, "nothing of this home's own (keys, logs, state, caches) goes into a wheel"


def test_without_a_compiler_it_is_pure_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    made = build("wheel", tmp_path / "out", PATH=str(tmp_path / "tools"), CC="")
    assert made.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(made) as opened:
        assert CLIENT not in opened.namelist()


def test_what_the_image_is_made_of_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """The files that the Dockerfile copies, and no other: .dockerignore keeps all else from the engine."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*"
    assert set(names) == {line[1:] for line in ignored if line.startswith("!")}
    source = tmp_path / "source"
    source.mkdir()
    for name in names:
        whole = ROOT / name
        if whole.is_dir():
            shutil.copytree(whole, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(whole, source / name)
    with zipfile.ZipFile(build("wheel", tmp_path / "made", source)) as made, zipfile.ZipFile(wheel) as known:
        assert set(made.namelist()) == set(known.namelist())


def test_the_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = build("sdist", tmp_path / "sdist")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    (source,) = [path for path in tmp_path.iterdir() if path.name.startswith("levaithan-")]
    again = build("wheel", tmp_path / "again", source)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert set(one.namelist()) == set(other.namelist())


def test_installed_from_it_alone_a_hook_decides(wheel: Path, tmp_path: Path) -> None:
    site, person, project = tmp_path / "site", tmp_path / "newcomer", tmp_path / "a-project"
    for folder in (person, project):
        folder.mkdir()
    installed = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*installed, str(wheel)], env=homes.plain_environment(), check=True)
    bare = {"PATH": os.environ["PATH"], "HOME": str(person), "PYTHONPATH": str(site)}

    def levaithan(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "from levaithan.cli.main import run; run()", *words],
            env=bare, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    levaithan("setup", "--yes", "--no-service", "--no-demo", "--project", str(project))
    home = person / ".local" / "state" / "levaithan"
    assert f"src={site}\n" in (home / "state" / "hot.conf").read_text()
    assert (home / "bin" / "levaithan-hook").read_bytes() == (site / CLIENT).read_bytes()
    settings = json.loads((project / ".claude" / "settings.json").read_text())
    (handler,) = settings["hooks"]["PreToolUse"][0]["hooks"]
    assert handler["command"] == str(home / "bin" / "levaithan-hook")
    given = payloads.payload("PreToolUse", tool_name="Bash", tool_input={"command": "rm -rf /"}, tool_use_id="t-wheel")
    done = subprocess.run(
        [handler["command"], *handler["args"]],
        input=json.dumps(given).encode(), env={}, cwd=project, capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"
    (call,) = json.loads(levaithan("audit", "show", "t-wheel", "--json"))["rows"]
    assert (call["decision"], call["rule"]) == ("deny", "fs.delete-root")
