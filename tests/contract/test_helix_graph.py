"""The graph on HelixDB beyond the role's suite: what servers do to it, several journals and writers, one engine shared.

The server is the real engine behind HTTP (tests/servers/helix_http.py)."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.test_compare_contract import a_home, fill, rebuilt
from tests.contract.test_graph_contract import call, put, story
from tests.support import forged, helix_place
from tests.support.ledger_records import JOURNAL, at, cursor, delivery

from levaithan.errors import NotConfigured
from levaithan.projector.compare import compare
from levaithan.stores import graph_facts
from levaithan.stores.helix_errors import UNPLANNED, RefusedError
from levaithan.stores.roles import (
    Cursor,
    Delivery,
    SchemaTooNewError,
    StoreAuthError,
    StoreBusyError,
    StoreDownError,
    StoreTimeoutError,
    StoreUnsupportedError,
)
from levaithan.stores.roles.graph import AGENT, FILE, SESSION, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.endpoint import Endpoint

    from levaithan.stores.helix_graph import HelixGraph

OTHER = "k" * 32


@pytest.fixture
def graph(helix_server: Endpoint, tmp_path: Path) -> Iterator[HelixGraph]:
    """A graph of the test's own on the run's server."""
    made = helix_place.graph(helix_place.named(helix_server.url), tmp_path / "state", api_key=helix_server.password)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def served(own_server: Callable[..., Any], tmp_path: Path) -> Iterator[tuple[Any, HelixGraph]]:
    """A server of the test's own, and the graph on it."""
    server = own_server("helix")
    made = helix_place.graph(server.url(), tmp_path / "state", api_key=server.password, timeout_s=2.0)
    made.migrate()
    yield server, made
    made.close()


@pytest.fixture
def alone(own_server: Callable[..., Any], tmp_path: Path) -> Iterator[HelixGraph]:
    """A graph on a server that no other test writes to, nor waits for."""
    server = own_server("helix")
    made = helix_place.graph(server.url(), tmp_path / "state", api_key=server.password)
    made.migrate()
    yield made
    made.close()


def beside(graph: HelixGraph, journal: str = JOURNAL) -> HelixGraph:
    """Another object on the same graph, as another machine would have it."""
    from levaithan.stores.helix_graph import opened

    opening = graph.opening
    made = {name: getattr(opening, name) for name in ("role", "path", "state", "url", "api_key", "timeout_s")}
    return opened(type(opening)(**made, journal=journal))


def of_other(records: list[dict[str, Any]]) -> list[Delivery]:
    """The same in another machine's journal, a minute later."""
    there = [{**one, "machine": "m2", "id": f"f{one['id'][1:]}", "at": at(60 + one["seq"])} for one in records]
    return [delivery(one, journal=OTHER) for one in there]


def other_cursor(seq: int) -> Cursor:
    return Cursor(OTHER, "journal-00000000000000000001.log", seq * 1000, seq, f"{seq:064x}")


def true(graph: HelixGraph, records: list[Delivery]) -> bool:
    """Whether the graph holds exactly what `records` say."""
    return graph.fingerprints(0, 1 << 40) == {one.seq: made for one in records if (made := graph.expected(one))}


def raw(graph: HelixGraph, batch: Any) -> dict[str, Any]:
    """A question or write that is none of ours."""
    answer: dict[str, Any] = graph.calls.write(batch.to_query_bytes())
    return answer


def answering(graph: HelixGraph) -> HelixGraph:
    """`graph`, once it asks its server again: it leaves one alone for seconds that did not answer several times."""
    until = time.monotonic() + 20
    while True:
        try:
            graph.current()
        except StoreDownError:
            assert time.monotonic() < until
            time.sleep(0.1)
        else:
            return graph


def forge(graph: HelixGraph) -> None:
    """A record of the journal that never was, and one that says something else than it did."""
    from helixdb import SourcePredicate, g, write_batch

    label = graph.reads.prefix
    wrote = g().e_with_label_where(f"{label}WROTE", SourcePredicate.eq("place", f"{JOURNAL}/{2:020d}"))
    raw(graph, write_batch().var_as("edge", wrote).var_as("gone", g().drop_edge_by_id(_edges("edge"))).returning([]))
    for seq in (2, 900):
        edge = {"key": f"forged{seq}", "place": f"{JOURNAL}/{seq:020d}", "journal": JOURNAL, "seq": seq, "at_us": 1}
        made = (
            write_batch()
            .var_as("agent", g().n_with_label_where(f"{label}Agent", SourcePredicate.eq("key", "s1/main")))
            .var_as("file", g().add_n(f"{label}File", {"key": f"/forged/{seq}"}))
            .var_as("edge", g().n("agent").add_e(f"{label}WROTE", "file", edge))
        )
        raw(graph, made.returning([]))


def _edges(name: str) -> Any:
    from helixdb import EdgeRef

    return EdgeRef.var(name)


# -- several journals --


def test_two_journals_have_a_place_each_and_count_together(graph: HelixGraph) -> None:
    other = beside(graph, OTHER)
    put(graph, story())
    assert other.cursor() is None
    other.apply(of_other(story()), other_cursor(12))
    assert graph.cursor() == cursor(len(story()) + 1)
    assert other.cursor() == other_cursor(12)
    assert true(graph, [delivery(one) for one in story()])
    assert true(other, of_other(story()))
    wrote = next(one for one in graph.touched("/p/a.py") if (one.agent, one.how) == ("s1/main", "WROTE"))
    assert (wrote.count, wrote.machine) == (4, "m2"), "two machines, and the last of them"


def test_what_was_forged_shows_and_a_rewrite_mends_it_and_leaves_the_other_journal(graph: HelixGraph) -> None:
    records, other = [delivery(one) for one in story()], beside(graph, OTHER)
    graph.apply(records, cursor(12))
    other.apply(of_other(story()), other_cursor(12))
    prints, kinds = graph.fingerprints(1, 99), graph.kinds()
    forge(graph)
    forged = graph.fingerprints(1, 1000)
    assert {seq for seq in forged if forged[seq] != prints.get(seq)} == {2, 900}
    graph.rewrite_begin()
    assert graph.cursor() is None
    for start in range(0, len(records), 4):
        graph.apply(records[start : start + 4], cursor(records[min(start + 3, len(records) - 1)].seq))
    graph.rewrite_end(12)
    assert true(graph, records)
    assert graph.kinds() == kinds, "the forged files are gone, and nothing is there twice"
    assert true(other, of_other(story()))
    assert other.cursor() == other_cursor(12)
    assert graph.apply(records, cursor(12)) == []
    assert graph.kinds() == kinds


def test_what_another_machine_says_of_a_node_is_no_difference_and_all_that_an_edge_holds_is_compared(
    graph: HelixGraph, tmp_path: Path
) -> None:
    home = a_home(tmp_path, story())
    fill(graph, home)
    beside(graph, OTHER).apply(of_other(story()), other_cursor(12))
    assert graph.properties(SESSION, ["s1"])["s1"]["machine"] == "m2"
    done = compare(home, graph)
    assert done.equal, done
    forged.node_property(graph, Node(AGENT, "s1/sub"), "session", "s3")
    assert compare(home, graph).folds_differ == ["nodes Agent s1/sub"], "its key says otherwise"
    for name, value in (("machine", "m3"), ("event", "f" * 32), ("key", "k")):
        forged.edge_property(graph, "LEASED", 12, name, value)
        assert compare(home, graph).altered == [12], name
        rebuilt(graph, home)
        done = compare(home, graph)
        assert done.equal, done


def test_one_journal_leaves_and_what_the_other_says_stays(graph: HelixGraph) -> None:
    other = beside(graph, OTHER)
    put(graph, [*story(), call(12, "Write", "alone", file_path="/p/mine.py")])
    other.apply(of_other(story()), other_cursor(12))
    graph.drop_all()
    assert graph.cursor() is None
    assert graph.fingerprints(0, 99) == {}
    assert not graph.known(Node(SESSION, "alone"))
    assert not graph.known(Node(FILE, "/p/mine.py"))
    assert other.cursor() == other_cursor(12)
    assert [one.count for one in other.touched("/p/a.py") if (one.agent, one.how) == ("s1/main", "WROTE")] == [2]


# -- writers --


def _long_write() -> bytes:
    """So long a write that another falls into it on one core too."""
    from helixdb import g, write_batch

    batch = write_batch()
    for n in range(40):
        batch = batch.var_as(f"n{n}", g().add_n("noise", {"n": n}))
    return bytes(batch.returning([]).to_query_bytes())


def test_writers_that_clash_in_the_server_lose_nothing(alone: HelixGraph) -> None:
    """Two hosts' names are two stores to this process, so nothing here keeps their writes apart. On the run's server,
    with the indexes of hundreds of tests, minutes may pass without two writes that meet."""
    from levaithan.stores.helix_graph import opened

    opening = alone.opening
    twin = opened(
        type(opening)(
            "graph", "", opening.state, url=opening.url.replace("127.0.0.1", "localhost"), api_key=opening.api_key,
            journal=OTHER, timeout_s=opening.timeout_s,
        )
    )  # fmt: skip
    clashed, stop, noise = [], threading.Event(), _long_write()

    def disturb() -> None:
        from levaithan.stores.helix_errors import RefusedError
        from levaithan.stores.helix_link import HttpLink

        link = HttpLink(opening)
        while not stop.is_set():
            try:
                link.ask(noise)
            except RefusedError as error:
                clashed.append(str(error))
        link.close()

    def write(mine: HelixGraph, make: Any, place: Any) -> None:
        for n in range(1, 120, 4):
            mine.apply(make([call(n + k, "Write", f"s{k}", file_path=f"/p/{n}.py") for k in range(4)]), place(n + 4))

    disturbing = [threading.Thread(target=disturb) for _ in range(2)]
    for one in disturbing:
        one.start()
    try:
        until = time.monotonic() + 60
        with ThreadPoolExecutor(2) as pool:
            while True:  # the same again changes nothing; how soon two writes meet is the machine's affair
                mine = pool.submit(write, alone, lambda records: [delivery(each) for each in records], cursor)
                theirs = pool.submit(write, twin, of_other, other_cursor)
                mine.result()
                theirs.result()
                if any("conflict" in words for words in clashed) or time.monotonic() > until:
                    break
    finally:
        stop.set()
        for one in disturbing:
            one.join()
        twin.close()
    assert any("conflict" in words for words in clashed), "nothing clashed: the test tests nothing"
    assert alone.cursor() == cursor(121)
    records = [call(n + k, "Write", f"s{k}", file_path=f"/p/{n}.py") for n in range(1, 120, 4) for k in range(4)]
    assert true(alone, [delivery(one) for one in records])
    assert true(twin, of_other(records))
    assert len(alone.fingerprints(1, 999)) == len(twin.fingerprints(1, 999)) == 120
    assert alone.kinds()["File"] == 30


# -- what happens to a server --


def test_killed_in_mid_run_it_goes_on_where_it_was(served: tuple[Any, HelixGraph]) -> None:
    server, graph = served
    records = [delivery(one) for one in story()]
    graph.apply(records[:4], cursor(5))
    server.kill()
    with pytest.raises(StoreDownError):
        graph.apply(records[4:8], cursor(9))
    told = graph.health()
    assert not told.ok
    assert told.problems
    server.restart()
    assert answering(graph).cursor() == cursor(5)
    graph.apply(records[4:8], cursor(9))
    graph.apply(records[8:], cursor(12))
    assert true(graph, records)


def test_killed_while_batches_run_every_answered_one_is_there(served: tuple[Any, HelixGraph]) -> None:
    server, graph = served
    records = [delivery(call(n, "Write", file_path=f"/p/{n % 7}.py")) for n in range(1, 401)]
    killer = threading.Timer(0.3, server.kill)
    killer.start()
    done = 0
    try:
        while True:
            batch = records[done : done + 5]
            graph.apply(batch, cursor(batch[-1].seq))
            done += 5
            if done == len(records):
                done = 0
    except StoreBusyError as error:
        assert isinstance(error, StoreDownError)
    killer.join()
    server.restart()
    left = answering(graph).cursor()
    assert left is not None
    assert left.seq >= (records[done - 1].seq if done else 0)
    graph.apply(records, cursor(401))
    assert true(graph, records)


def test_a_paused_one_costs_the_time_limit_and_no_more(served: tuple[Any, HelixGraph]) -> None:
    server, graph = served
    records = [delivery(one) for one in story()]
    graph.apply(records[:4], cursor(5))
    server.pause()
    begun = time.monotonic()
    with pytest.raises(StoreTimeoutError):
        graph.apply(records[4:], cursor(12))
    assert time.monotonic() - begun < 4 * graph.opening.timeout_s
    server.resume()
    assert graph.cursor() in (cursor(5), cursor(12)), "what was asked for may have happened since"
    graph.apply(records[4:], cursor(12))
    assert true(graph, records)


def test_restored_from_an_older_copy_nothing_is_skipped(served: tuple[Any, HelixGraph], tmp_path: Path) -> None:
    server, graph = served
    records = [delivery(one) for one in story()]
    graph.apply(records[:4], cursor(5))
    server.shut_down()
    shutil.copytree(server.data, tmp_path / "copy")
    server.restart()
    graph.apply(records[4:8], cursor(9))
    server.shut_down()
    shutil.rmtree(server.data)
    shutil.copytree(tmp_path / "copy", server.data)
    server.restart()
    with pytest.raises(StoreBusyError, match="not where it was left"):
        graph.apply(records[8:], cursor(12))
    assert graph.cursor() == cursor(5)
    graph.apply(records[4:], cursor(12))
    assert true(graph, records)


def test_emptied_under_a_running_service_it_does_not_go_on_from_the_end(served: tuple[Any, HelixGraph]) -> None:
    server, graph = served
    records = [delivery(one) for one in story()]
    graph.apply(records[:4], cursor(5))
    server.shut_down()
    shutil.rmtree(server.data)
    server.data.mkdir(mode=0o700)
    server.restart()
    with pytest.raises(StoreBusyError, match="not where it was left"):
        graph.apply(records[4:], cursor(12))
    graph.migrate()
    assert graph.cursor() is None
    graph.apply(records, cursor(12))
    assert true(graph, records)


def test_a_wrong_key_is_refused_and_stands_nowhere(helix_server: Endpoint, tmp_path: Path) -> None:
    graph = helix_place.graph(helix_server.url, tmp_path / "state", api_key="wrong-key-0123")
    with pytest.raises(StoreAuthError) as caught:
        graph.migrate()
    told = graph.health()
    assert not told.ok
    assert "LEVAITHAN_GRAPH_API_KEY" in told.fix
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "wrong-key-0123" not in f"{chain!r} {chain} {vars(chain)}"
        chain = chain.__cause__ or chain.__context__
    assert "wrong-key-0123" not in f"{told} {graph.opening!r}"
    graph.close()


def test_the_key_may_be_the_urls_password(helix_server: Endpoint, tmp_path: Path) -> None:
    url = helix_server.url.replace("//", f"//x:{helix_server.password}@")
    graph = helix_place.graph(helix_place.named(url), tmp_path / "state")
    assert not graph.current()
    assert helix_server.password not in f"{graph.opening.where} {graph.health()}"
    graph.close()


def test_an_older_schema_is_brought_up_and_a_newer_one_left_alone(graph: HelixGraph) -> None:
    put(graph, story())
    graph.calls.write(graph.writes.schema.body(key="levaithan", version=0))
    assert not graph.current()
    graph.migrate()
    assert graph.current()
    assert graph.cursor() == cursor(12)
    graph.calls.write(graph.writes.schema.body(key="levaithan", version=9))
    for asked in (graph.migrate, graph.check_version):
        with pytest.raises(SchemaTooNewError):
            asked()
    assert not graph.health().ok


# -- poison --


def test_what_the_engine_refuses_is_found_by_halves_and_set_aside(
    graph: HelixGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_facts, "LONGEST_KEY", 4 << 20)
    graph.max_field = 8 << 20
    records = [delivery(call(n, "Write", file_path=f"/p/{n}.py")) for n in range(1, 12)]
    records[6] = delivery(call(7, "Write", file_path="/p/" + "x" * 1_100_000))
    rejected = graph.apply(records, cursor(12))
    assert [one.delivery.seq for one in rejected] == [8]
    assert "refuses" in rejected[0].reason
    assert [one.seq for one in graph.dead_letters()] == [8]
    assert graph.cursor() == cursor(12)
    assert graph.fingerprints(1, 99).keys() == set(range(2, 13)) - {8}
    assert [one.delivery.seq for one in graph.put_again([records[6]])] == [8]
    assert graph.put_again([delivery(call(7, "Write", file_path="/p/short.py"), offset=records[6].offset)]) == []
    assert graph.dead_count() == 0


def test_a_record_whose_every_text_is_hostile_is_kept_clean(graph: HelixGraph) -> None:
    hostile = "a\0b\udcff'\"}]);--"
    record = call(1, "Write", hostile, file_path="/p/a.py") | {"machine": hostile, "id": hostile, "project": hostile}
    (one,) = [delivery(record)]
    assert graph.apply([one], cursor(2)) == []
    assert graph.fingerprints(1, 9) == {2: graph.expected(one)}
    assert [found.file for found in graph.touched("/p/a.py")] == ["/p/a.py"]


def test_a_batch_that_needs_several_transactions_is_whole(graph: HelixGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levaithan.stores.helix_store.RECORDS", 3)
    records = [delivery(one) for one in story()]
    assert graph.apply(records, cursor(12)) == []
    assert true(graph, records)
    graph.rewrite_begin()
    forge(graph)
    assert graph.apply(records, cursor(12)) == []
    graph.rewrite_end(12)
    assert true(graph, records)


def test_a_path_that_is_no_text_is_a_file_nobody_touched(graph: HelixGraph) -> None:
    put(graph, story())
    assert graph.touched("/p/\udcff.py") == []
    assert graph.blast(Node(FILE, "/p/\udcff.py")) == []
    assert not graph.known(Node(FILE, "/p/\udcff.py"))


@pytest.mark.parametrize("url", ["http://", "helix://host/folder", "helix://", "http://h:1/?graph=a;drop"])
def test_a_url_that_cannot_be_used_is_refused_in_words(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="LEVAITHAN_GRAPH_URL"):
        helix_place.graph(url, tmp_path / "state")


def test_a_question_that_the_planner_had_no_way_for_is_asked_again(graph: HelixGraph) -> None:
    class Seldom:
        """The link, whose server finds no plan for the first `failing` questions."""

        def __init__(self, link: Any, failing: int) -> None:
            self.link, self.failing = link, failing

        def ask(self, body: bytes) -> bytes:
            if self.failing:
                self.failing -= 1
                raise RefusedError(f"Query error: planner error: the optimizer {UNPLANNED}", 400)
            found: bytes = self.link.ask(body)
            return found

    whole = graph.calls.link
    graph.calls.link = Seldom(whole, 3)
    assert graph.cursor() is None
    graph.calls.link = Seldom(whole, 1000)
    with pytest.raises(StoreUnsupportedError, match="does not take the question"):
        graph.cursor()
    graph.calls.link = whole
