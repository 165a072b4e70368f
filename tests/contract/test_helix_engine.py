"""HelixDB's engine in a process of ours: one owner, who answers the others, whoever comes and goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.contract.test_graph_contract import call, story
from tests.servers import fixtures
from tests.support import helix_place, homes, payloads
from tests.support.faulted_stores import small_disk
from tests.support.ledger_records import cursor, delivery
from tests.support.namespaces import fill, without_a_disk

from levaithan.stores.helix_owner import Asking
from levaithan.stores.roles import StoreBusyError, StoreTimeoutError, StoreUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.stores.helix_graph import HelixGraph

fixtures.driver("helix", "helixdb_uniffi")

ROOT = Path(__file__).resolve().parents[2]
_OWNER = """
import sys
from pathlib import Path
from tests.contract.test_graph_contract import call
from tests.support import helix_place, homes
from tests.support.ledger_records import cursor, delivery

graph = helix_place.graph(sys.argv[1], Path(sys.argv[2]))
graph.migrate()
batch = [delivery(call(n, "Write", "theirs", file_path="/p/a.py")) for n in (21, 22)]
batch += [delivery(call(n, "Write", "many", file_path=f"/p/{'d' * 200}/{n}")) for n in range(100, 400)]
graph.apply(batch, cursor(23))
print("owner" if graph.link.owner else "asking", [one.count for one in graph.touched("/p/a.py")], flush=True)
sys.stdin.read()
graph.close()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"helix://{tmp_path}/engine"


@pytest.fixture
def mine(url: str, tmp_path: Path) -> Iterator[HelixGraph]:
    """The graph in this process."""
    made = helix_place.graph(url, tmp_path / "state", timeout_s=20.0)
    yield made
    made.close()


def test_a_question_may_take_longer_than_any_other_here_and_at_the_owner(tmp_path: Path) -> None:
    from levaithan.stores.helix_engine import Engine, FolderLink

    async def slowly(_body: bytes) -> bytes:
        await asyncio.sleep(0.15)
        return b"answered"

    link = FolderLink(f"{tmp_path}/engine", 0.05)
    link._engine = engine = Engine.taken(link.folder)
    assert engine is not None
    engine._listener._answer = slowly  # what the owner says to others
    engine.answer = slowly  # type: ignore[method-assign]  # and in its own process
    asking = FolderLink(link.folder, 0.05)
    asking._asking = Asking(link.folder, 0.05)
    for one in (link, asking):
        assert one.ask(b"{}", 5.0) == b"answered"
        with pytest.raises(TimeoutError):
            one.ask(b"{}")
    asking.close()
    link.close()


def other(url: str, state: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process with the graph open, and what it said of it."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/src"}
    started = subprocess.Popen(
        [sys.executable, "-c", _OWNER, url, str(state)],
        cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert started.stdout
    return started, started.stdout.readline().strip()


def test_who_comes_second_asks_the_owner_reads_and_writes(mine: HelixGraph, url: str, tmp_path: Path) -> None:
    mine.migrate()
    mine.apply([delivery(one) for one in story()], cursor(12))
    assert mine.link.owner
    process, said = other(url, tmp_path / "state")
    try:
        assert said.startswith("asking [2, "), said
        assert mine.cursor() == cursor(23)
        assert next(one.count for one in mine.touched("/p/a.py") if one.session == "theirs") == 2
    finally:
        process.communicate("")
    assert process.returncode == 0
    assert mine.cursor() == cursor(23), "who asked took nothing along"


def test_an_owner_that_is_killed_is_followed_by_who_asked_it(mine: HelixGraph, url: str, tmp_path: Path) -> None:
    process, said = other(url, tmp_path / "state")
    try:
        assert said == "owner [2]", said
        assert mine.cursor() == cursor(23)
        assert not mine.link.owner
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert mine.cursor() == cursor(23)
    assert mine.link.owner
    mine.apply([delivery(call(24, "Write", file_path="/p/b.py"))], cursor(25))
    assert [one.count for one in mine.touched("/p/b.py")] == [1]


def test_an_owner_that_closes_leaves_it_to_who_asks_next(mine: HelixGraph, url: str, tmp_path: Path) -> None:
    process, _ = other(url, tmp_path / "state")
    assert mine.cursor() == cursor(23)
    process.communicate("")
    assert process.returncode == 0
    assert mine.cursor() == cursor(23)
    assert mine.link.owner


def _stands_still(pid: int) -> bool:
    """Whether every thread of it has stopped: the signal reaches those that run a moment later."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {one.rpartition(")")[2].split()[0] for one in stats} == {"T"}


def test_an_owner_that_stands_still_costs_the_time_limit(url: str, tmp_path: Path) -> None:
    process, _ = other(url, tmp_path / "state")
    graph = helix_place.graph(url, tmp_path / "state", timeout_s=1.0)
    try:
        assert graph.cursor() == cursor(23)
        process.send_signal(signal.SIGSTOP)
        homes.until(lambda: _stands_still(process.pid))
        begun = time.monotonic()
        with pytest.raises(StoreTimeoutError):
            graph.cursor()
        assert time.monotonic() - begun < 8
        process.send_signal(signal.SIGCONT)
        until = time.monotonic() + 20
        while True:
            try:
                assert graph.cursor() == cursor(23)
                break
            except StoreBusyError:
                assert time.monotonic() < until
                time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate("")
        graph.close()


def test_the_folder_and_the_socket_are_this_users_alone(mine: HelixGraph, tmp_path: Path) -> None:
    from levaithan.stores.helix_owner import socket_path

    folder = tmp_path / "engine"
    mine.migrate()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(socket_path(str(folder))).stat().st_mode) == 0o600
    told = mine.health()
    assert told.ok, told
    assert told.bytes > 1000
    assert told.server.startswith("helix-db-embedded 0.")
    mine.close()
    assert not Path(socket_path(str(folder))).exists()


def test_a_folder_with_a_long_path_works_too(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 90) / "engine"
    graph = helix_place.graph(f"helix://{folder}", tmp_path / "state")
    process, said = other(f"helix://{folder}", tmp_path / "state")
    try:
        assert said == "owner [2]"
        assert graph.cursor() == cursor(23)
    finally:
        process.communicate("")
        graph.close()


def test_a_program_that_knows_nothing_of_the_lock_is_named(mine: HelixGraph, tmp_path: Path) -> None:
    """The engine lets a second opener in and throws the first one out."""
    import asyncio

    from helixdb_uniffi import HelixDb, HelixDbSource

    mine.migrate()

    async def intrude() -> None:
        intruder = await HelixDb.open(HelixDbSource.DISK(root=str(tmp_path / "engine"), database="levaithan"))
        await asyncio.sleep(0.5)
        await intruder.close()

    asyncio.run(intrude())
    with pytest.raises((StoreUnsupportedError, StoreBusyError)) as caught:
        for n in range(1, 4):
            mine.apply([delivery(call(n, "Write", file_path="/p/a.py"))], cursor(n + 1))
    assert "another program" in str(caught.value) or "whether the last batch" in str(caught.value)


def test_objects_of_one_process_share_it_and_the_last_one_closes_it(url: str, tmp_path: Path) -> None:
    from levaithan.stores.helix_engine import Engine

    two = [helix_place.graph(url, tmp_path / "state") for _ in range(2)]
    two[0].migrate()
    writers = [
        threading.Thread(
            target=one.apply,
            args=([delivery(call(n, "Write", f"s{n}", file_path="/p/a.py"))], cursor(n + 1)),
        )
        for n, one in enumerate(two, 1)
    ]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert len(two[0].touched("/p/a.py")) == 2
    two[0].close()
    assert len(two[1].touched("/p/a.py")) == 2
    assert f"{tmp_path}/engine" in Engine.here
    two[1].close()
    assert f"{tmp_path}/engine" not in Engine.here


def test_restored_from_an_older_copy_nothing_is_skipped(mine: HelixGraph, url: str, tmp_path: Path) -> None:
    import shutil

    records = [delivery(one) for one in story()]
    mine.migrate()
    mine.apply(records[:4], cursor(5))
    mine.close()
    shutil.copytree(tmp_path / "engine", tmp_path / "copy")
    mine.apply(records[4:8], cursor(9))
    mine.close()
    shutil.rmtree(tmp_path / "engine")
    shutil.copytree(tmp_path / "copy", tmp_path / "engine")
    with pytest.raises(StoreBusyError, match="not where it was left"):
        mine.apply(records[8:], cursor(12))
    assert mine.cursor() == cursor(5)
    mine.apply(records[4:], cursor(12))
    assert mine.fingerprints(1, 99) == {one.seq: made for one in records if (made := mine.expected(one))}


def test_commands_ask_the_service_that_owns_it_and_own_it_when_there_is_none(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home", native=False, graph_url=f"helix://{tmp_path}/engine")
    given = payloads.payload("PostToolUse", tool_name="Write", session_id="s1", tool_input={"file_path": "/p/a.py"})
    with homes.serving(root):
        subprocess.run(
            homes.python_client(root, "PostToolUse"), input=json.dumps(given).encode(), check=True, timeout=30,
            env=homes.plain_environment(), capture_output=True,
        )  # fmt: skip
        homes.sync(root)
        homes.until(lambda: homes.rows(root, "graph", "touched", "/p/a.py"), 60, 0.5)
        (row,) = homes.rows(root, "graph", "touched", "/p/a.py")
        assert (row["session"], row["how"], row["count"]) == ("s1", "wrote", 1)
        (told,) = homes.rows(root, "store", "status", "graph")
        assert (told["state"], told["lag"]) == ("ok", 0)
        (held,) = homes.rows(root, "store", "compare", "graph")
        assert held["equal"]
        (made,) = homes.rows(root, "store", "rebuild", "graph")
        assert made["dead_letters"] == 0
    assert homes.rows(root, "graph", "touched", "/p/a.py") == [row]
    assert homes.rows(root, "store", "compare", "graph")[0]["equal"]


def test_a_full_disk_under_the_engine_is_named(tmp_path: Path) -> None:
    with small_disk("64m") as disk:
        if disk is None:
            without_a_disk()
        made = helix_place.graph(f"helix://{disk}/engine", tmp_path / "state", timeout_s=2.0)
        made.migrate()
        fill(disk)
        with pytest.raises(StoreBusyError, match=f"no space left on the disk of {disk}") as caught:
            made.apply([delivery(call(n, "Write", "s", file_path=f"/p/{n}")) for n in range(1, 50)], cursor(50))
        assert "free disk space" in caught.value.fix
        (disk / "filler").unlink()
        limit = time.monotonic() + 30
        while True:
            try:
                made.apply([delivery(call(n, "Write", "s", file_path=f"/p/{n}")) for n in range(1, 50)], cursor(50))
                break
            except StoreBusyError:
                assert time.monotonic() < limit, "it does not go on"
        made.close()
