"""Two installations at once: two homes and two services that govern one project, and many that change its settings."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import calls, homes, payloads

from levaithan.hot import paths
from levaithan.install import hooks, registry
from levaithan.install.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.faults
FOREIGN = """{
   "permissions" : { "deny": ["Read(./.env)"],"allow":[ ] },
   "hooks": {
      "PreToolUse": [ {"matcher": "Bash",  "hooks": [{"type": "command", "command": "echo \\u00fcber"}]} ],
      "Stop":[{"hooks":[ {"type":"command","command":"true", "timeout": 3} ]}]
   },
   "model": "opus"
}
"""
FOREIGN_HOOKS = (
    '{"matcher": "Bash",  "hooks": [{"type": "command", "command": "echo \\u00fcber"}]}',
    '{"hooks":[ {"type":"command","command":"true", "timeout": 3} ]}',
)


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The roots of two homes; the user's own settings are none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return homes.make_home(tmp_path / "one"), homes.make_home(tmp_path / "two")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A project's settings file, with foreign hooks in it."""
    file = tmp_path / "project" / ".claude" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(FOREIGN)
    return file


def project_of(settings: Path) -> str:
    return str(settings.parent.parent)


def fire(settings: Path, payload: dict[str, Any]) -> list[calls.Answered]:
    """All of ours that the settings name for an event, at once, as Claude Code does it."""
    groups = json.loads(settings.read_text())["hooks"].get(payload["hook_event_name"], [])
    commands = [[one["command"], *one["args"]] for group in groups for one in group["hooks"] if "args" in one]
    raw, environment = json.dumps(payload).encode(), homes.plain_environment(CLAUDE_PROJECT_DIR=project_of(settings))
    begun = [
        subprocess.Popen(one, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        for one in commands
    ]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda one: one.communicate(raw, timeout=30), begun))
    return [
        calls.Answered("", subprocess.CompletedProcess(one.args, one.returncode, out, err))
        for one, (out, err) in zip(begun, said, strict=True)
    ]


def recorded(root: str) -> list[Any]:
    events = [one for one in homes.journal_records(root) if one["kind"] == "event" and not one.get("canary")]
    return [one.get("payload", one) for one in events]


def test_two_installations_govern_one_project(tmp_path: Path, two: tuple[str, str], settings: Path) -> None:
    first, second = two
    project = project_of(settings)
    homes.cli(first, "hooks", "install", "--project", project)
    said = homes.cli(second, "hooks", "install", "--project", project).stderr
    assert f"another LevAIthan ({first})" in said
    session = payloads.session(payloads.sessions()[0])
    with homes.serving(first) as one_service, homes.serving(second):
        for payload in session:
            assert len(fire(settings, payload)) == 2, payload["hook_event_name"]
        dangerous, harmless = calls.tool_call(calls.DANGEROUS), calls.tool_call(session_id="s-halted")
        assert [one.denied for one in fire(settings, dangerous)] == [True, True]
        homes.cli(second, "halt", "set", "--scope", "session", "--target", "s-halted", "--reason", "look")
        assert [one.denied for one in fire(settings, harmless)] == [False, True], "a deny of one is a deny"
        one_service.kill()
        one_service.wait()
        after = calls.tool_call()
        assert [one.denied for one in fire(settings, after)] == [False, False]
        governed_by_both(two, project)
        homes.sync(second)
    wanted = [*session, dangerous, harmless, after]
    for root in two:
        assert recorded(root) == wanted, f"each event once, in order, in {root}"
        assert homes.verify(root).ok
        assert len(homes.rows(root, "audit", "list", "--limit", "1000")) == len(wanted)
    ids = [{one["id"] for one in homes.journal_records(root) if one["kind"] == "event"} for root in two]
    assert ids[0].isdisjoint(ids[1]), "each has an id of its own for what it recorded"


def governed_by_both(two: tuple[str, str], project: str) -> None:
    """Each doctor names the other one, as a warning with the way out; neither fails for it."""
    for root, other in (two, two[::-1]):
        only = ("--only", "other installations", "--only", "hooks", "--only", "canary")
        rows = {row["check"]: row for row in calls.reading(root, "doctor", "--project", project, *only, code=0)}
        found = rows["other installations"]
        assert (found["status"], rows["hooks"]["status"], rows["canary"]["status"]) == ("warn", "ok", "ok"), rows
        assert other in found["message"]
        assert f"levaithan --home {other} hooks uninstall --project {project}" in found["remedy"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the first goes first", "the last goes first"])
def test_an_uninstall_takes_its_own_hooks_only(two: tuple[str, str], settings: Path, order: tuple[int, int]) -> None:
    project = project_of(settings)
    for root in two:
        homes.cli(root, "hooks", "install", "--project", project)
    gone, left = two[order[0]], two[order[1]]
    before = ours(settings, left)
    homes.cli(gone, "hooks", "uninstall", "--project", project)
    assert ours(settings, gone) == []
    assert ours(settings, left) == before
    for part in FOREIGN_HOOKS:
        assert part in settings.read_text()
    assert [one.denied for one in fire(settings, calls.tool_call(calls.DANGEROUS))] == [True]
    rows = calls.reading(left, "doctor", "--project", project, "--only", "other installations", code=0)
    assert [row["status"] for row in rows] == ["ok"]
    homes.cli(left, "uninstall", "--yes")
    assert settings.read_text() == FOREIGN


def ours(settings: Path, root: str) -> list[Any]:
    """The handlers of the home `root` in the file, with their events."""
    return [(one.event, one.words) for one in hooks.handlers(placed(settings)) if one.home == root]


def placed(settings: Path) -> Place:
    return hooks.place_of(project_of(settings))


DEEDS = """
import sys
from levaithan.hot import paths
from levaithan.install import hooks
home, place = paths.home_at(sys.argv[1]), hooks.place_of(sys.argv[2])
for deed in sys.argv[3:]:
    getattr(hooks, deed)(home, place)
"""


def begin(root: str, settings: Path, *deeds: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", DEEDS, root, project_of(settings), *deeds]
    return subprocess.Popen(words, stderr=subprocess.PIPE)


def ended(running: list[subprocess.Popen[bytes]]) -> None:
    """All of them did what they were for."""
    for one in running:
        _out, said = one.communicate(timeout=120)
        assert (one.returncode, said) == (0, b"")


@contextlib.contextmanager
def watched(settings: Path) -> Iterator[list[str]]:
    """Look at the file all the while: at each moment it is whole, valid, and has the foreign hooks to the byte."""
    wrong: list[str] = []
    over = threading.Event()
    looks = [0]

    def look() -> None:
        while not over.is_set():
            text = settings.read_text()
            looks[0] += 1
            try:
                json.loads(text)
            except ValueError as error:
                wrong.append(f"{error}: {text[:200]}")
            wrong.extend(f"without {part}" for part in FOREIGN_HOOKS if part not in text)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield wrong
    finally:
        over.set()
        watcher.join()
    assert looks[0] > 50
    assert wrong == []


def test_twenty_installs_of_two_homes_at_once(two: tuple[str, str], settings: Path) -> None:
    with watched(settings):
        ended([begin(two[number % 2], settings, "install") for number in range(20)])
    groups = json.loads(settings.read_text())["hooks"]
    assert {len(groups[name]) for name in groups} == {2, 3}, "one of each home, and the foreign ones"
    for root in two:
        assert len(ours(settings, root)) == len({event for event, _ in ours(settings, root)}) > 30
        assert list(registry.load(paths.home_at(root))) == [str(settings)]
    for root in two:
        homes.cli(root, "hooks", "uninstall", "--project", project_of(settings))
    assert settings.read_text() == FOREIGN


def test_installs_and_uninstalls_in_a_race(two: tuple[str, str], settings: Path) -> None:
    with watched(settings):
        running = [begin(two[number % 2], settings, *["install", "uninstall"] * 3) for number in range(6)]
        running += [begin(two[number % 2], settings, *["uninstall", "install"] * 3) for number in range(6)]
        ended(running)
    for root in two:
        known = str(settings) in registry.load(paths.home_at(root))
        assert known == bool(ours(settings, root)), "what is there is known, and what is known is there"
    homes.cli(two[0], "hooks", "install", "--project", project_of(settings))
    homes.cli(two[1], "hooks", "uninstall", "--project", project_of(settings))
    assert [one.denied for one in fire(settings, calls.tool_call(calls.DANGEROUS))] == [True]
    homes.cli(two[0], "hooks", "uninstall", "--project", project_of(settings))
    assert settings.read_text() == FOREIGN
    assert sorted(one.name for one in settings.parent.iterdir()) == ["settings.json"]


def test_a_second_service_of_the_same_home_is_refused(tmp_path: Path, two: tuple[str, str]) -> None:
    root = two[0]
    (tmp_path / "link").symlink_to(root)
    with homes.serving(root) as service:
        for name in (root, str(tmp_path / "link")):
            second = homes.cli(name, "serve", check=False)
            assert second.returncode == 1
            assert f"A service runs already for {root} (pid {service.pid})" in second.stderr
            assert "next: use that one, or `levaithan restart`" in second.stderr
            started = homes.cli(name, "start")
            assert f"runs already (pid {service.pid})" in started.stderr
        told = homes.control(root, "ping")
        assert told is not None
        assert (told["pid"], told["ready"]) == (service.pid, True)
        assert calls.call(root, "native", calls.tool_call(calls.DANGEROUS)).denied
    (event,) = [one for one in homes.journal_records(root) if one["kind"] == "event"]
    assert event["path"] in ("native", "python"), "the first one answered it"
