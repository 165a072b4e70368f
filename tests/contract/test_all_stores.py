"""A team's home, its five stores on servers at once, answers what a laptop's home answers from the same journal.

Four servers are real ones. The memory is on a real Weaviate where there is one, else on the imitation of it: the tests'
names say which.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import fixtures, sharing
from tests.servers.endpoint import ServerMissingError
from tests.support import calls, elastic_place, helix_place, homes, payloads, postgres_place, weaviate_place

from levaithan.hot import paths
from levaithan.hot.catalogue import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

psycopg = fixtures.driver("postgres", "psycopg")
FILE = "/srv/shop/cart.py"
STORY = (
    {"tool_name": "Edit", "tool_input": {"file_path": FILE, "old_string": "a", "new_string": "b"}},
    {"tool_name": "Read", "tool_input": {"file_path": FILE}},
    {"tool_name": "Bash", "tool_input": {"command": calls.DANGEROUS}},
    {"tool_name": "Bash", "tool_input": {"command": "echo marzipan"}},
)
QUESTIONS = (
    "audit list --limit 500", "audit list --tool Bash", "audit list --decision deny", "audit search marzipan",
    "audit top tool", "audit top decision", "audit histogram --interval 1h", "session list", "session show tell-0",
    f"graph touched {FILE}", "graph changes tell-0", f"graph blast {FILE} --hops 3",
    f"graph path session:tell-0 {FILE}", "graph similar tell-0", "graph kinds", "memory search cart --near --k 3",
    "memory search oven --kind note", "incident list --all",
)  # fmt: skip
"""Commands that only read; each must give the very rows of the other home."""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A home with no server: the recorded sessions, and a story of two sessions with one file."""
    root = homes.make_home(tmp_path_factory.mktemp("laptop") / "home", canary_interval_s=0)
    with homes.serving(root):
        for name in payloads.sessions():
            for payload in payloads.session(name):
                if EVENTS[payload["hook_event_name"]].registered:
                    calls.call(root, "native", payload)
        for number in range(2):
            for words in STORY:
                asked = calls.tool_call(**words) | {"session_id": f"tell-{number}", "cwd": "/srv/shop"}
                told = calls.call(root, "native", asked)
                if not told.denied:
                    calls.call(root, "native", asked | {"hook_event_name": "PostToolUse", "tool_response": {}})
        homes.cli(root, "memory", "add", "The oven of the cart is broken")
        homes.cli(root, "incident", "open", "--title", "The cart is slow", "--severity", "P3")
        homes.sync(root)
    return root


@pytest.fixture(scope="module", params=["weaviate", "weaviate imitation"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of the five servers, on names and databases that are this module's alone."""
    with ExitStack() as ends:
        yield _servers(request.param, tmp_path_factory.mktemp("servers"), ends.callback)


@pytest.fixture(scope="module")
def team(laptop: str, servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The laptop's journal in a home whose five URLs name servers: set up by `levaithan setup`, its service runs and
    has caught up."""
    root = _set_up(tmp_path_factory.mktemp("team"), servers)
    shutil.rmtree(paths.home_at(root).journal)
    shutil.copytree(paths.home_at(laptop).journal, paths.home_at(root).journal)
    with homes.serving(root):
        homes.sync(root, 120)
        yield root


def _set_up(folder: Path, settings: dict[str, str]) -> str:
    root = homes.make_home(folder / "home", canary_interval_s=0, store_timeout_ms=60_000, **settings)
    homes.cli(root, "setup", "--yes", "--no-service", "--no-demo", timeout=300)
    return root


def _servers(weaviate: str, folder: Path, at_end: Callable[..., object]) -> dict[str, str]:
    memory = _memory(weaviate, folder, at_end)
    search, graph, counters = (fixtures.given(one) for one in ("elasticsearch", "helix", "redis"))
    ledger: Any = _own_postgres(at_end)
    stream = elastic_place.opening(search, folder, elastic_place.name())
    return {
        "ledger_url": f"postgresql://postgres@127.0.0.1:{ledger.port}/levaithan", "ledger_password": ledger.password,
        "search_url": stream.url, "search_ca_file": stream.ca_file,
        "graph_url": helix_place.named(graph.url), "graph_api_key": graph.password,
        "memory_url": memory.url, "memory_api_key": memory.api_key,
        "counters_url": f"{counters.url}?prefix={elastic_place.name()}",
    }  # fmt: skip


def _own_postgres(at_end: Callable[..., object]) -> Any:
    """A server of this module's own: the roles that setup makes are a whole server's."""
    from tests.servers.catalogue import local

    try:
        server: Any = local("postgres")
        server.start()
    except ServerMissingError as error:
        fixtures.without("postgres", str(error))
    at_end(server.stop)
    postgres_place.database(server.url(), "levaithan")
    return server


def _memory(weaviate: str, folder: Path, at_end: Callable[..., object]) -> Any:
    if weaviate == "weaviate":
        return weaviate_place.of(fixtures.given(weaviate), folder).opening
    try:
        sharing.shared("weaviate")
    except ServerMissingError:
        place, stop = weaviate_place.imitation(folder)
        at_end(stop)
        return place.opening
    pytest.skip("a real Weaviate is here: the same tests ran on it")


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_same_command_gives_the_same_answer(laptop: str, team: str, question: str) -> None:
    with ThreadPoolExecutor(2) as both:
        here, there = both.map(lambda root: _told(root, *question.split()), (laptop, team))
    assert here, "a question that finds nothing shows nothing"
    assert there == here


def _told(root: str, *words: str) -> Any:
    """The answer, but for the last digits of a score: the same numbers, added in another order."""
    told = json.loads(homes.cli(root, *words, "--json").stdout)
    assert told["ok"], told
    found = told.get("rows") or told.get("row")
    for one in found if isinstance(found, list) else ():
        if "score" in one:
            one["score"] = pytest.approx(one["score"], abs=1e-5)
    return found


def test_each_is_a_server_well_and_equal_to_the_journal(team: str) -> None:
    status = {row["store"]: row for row in homes.rows(team, "store", "status")}
    servers = {name: str(one["server"]).partition(" ")[0] for name, one in status.items()}
    assert servers == {
        "ledger": "PostgreSQL", "search": "Elasticsearch", "graph": "HelixDB", "memory": "Weaviate",
        "counters": "Redis",
    }  # fmt: skip
    assert {(one["state"], one["lag"] or 0, one["dead_letters"] or 0) for one in status.values()} == {("ok", 0, 0)}
    homes.cli(team, "store", "check")
    compared = homes.rows(team, "store", "compare")
    assert {one["store"] for one in compared} == set(servers)
    for one in compared:
        assert one["stored"] == one["journal"] > 0, one
        assert not (one["missing_count"] or one["altered_count"] or one["extra_count"] or one["behind"]), one


def test_another_machine_shares_them(team: str, servers: dict[str, str], tmp_path: Path) -> None:
    roles = {name.lower().removeprefix("levaithan_"): value for name, value in _lines(team) if "R_PASSWORD" in name}
    root = _set_up(tmp_path, servers | roles)
    Path(root, "state", "machine-id").write_text("second")
    with homes.serving(root):
        asked = calls.tool_call("echo from elsewhere") | {"session_id": "elsewhere"}
        assert not calls.call(root, "native", asked).denied
        homes.sync(root, 60)
        assert [one["machine"] for one in homes.rows(team, "audit", "list", "--session", "elsewhere")] == ["second"]
        assert homes.rows(root, "audit", "search", "marzipan") == homes.rows(team, "audit", "search", "marzipan")
        assert homes.rows(root, "graph", "touched", FILE) == homes.rows(team, "graph", "touched", FILE)
        homes.cli(team, "halt", "set", "--scope", "all", "--reason", "a drill of all machines")
        homes.until(lambda: calls.call(root, "native").denied, 10)
        homes.cli(root, "halt", "release", "--all", "--yes")
        homes.until(lambda: not calls.call(team, "native").denied, 10)
        homes.sync(root, 60)
        for one in homes.rows(root, "store", "compare"):
            assert one["stored"] == one["journal"], one
            assert not one["extra_count"], "what another machine brought is none of this one's journal"


def _lines(root: str) -> list[tuple[str, str]]:
    lines = Path(root, ".env").read_text(encoding="utf-8").splitlines()
    return [(name, value) for name, equals, value in (one.partition("=") for one in lines) if equals]
