"""What only the search on Elasticsearch must do: each event once in a data stream that rolls over, many journals in it,
rewriting in place, what a server refuses. On the run's shared server; a stream a test."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import fixtures
from tests.support import elastic_place, postgres_place
from tests.support.ledger_records import JOURNAL, at, cursor, delivery, event

from levaithan.errors import NotConfigured
from levaithan.queries import audit
from levaithan.queries.asking import Filters
from levaithan.stores import registry
from levaithan.stores.roles import (
    SchemaTooNewError,
    StoreAuthError,
    StoreBusyError,
    StoreDownError,
    StoreUnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.endpoint import Endpoint

psycopg = fixtures.driver("postgres", "psycopg")
OTHER = "k" * 32


@pytest.fixture
def make(elasticsearch_server: Endpoint, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Another object on this test's stream, each time."""
    opened, stream = [], elastic_place.name()

    def give(query: str = "", **more: Any) -> Any:
        store = elastic_place.search(elasticsearch_server, tmp_path, f"{stream}?{query}", **more)
        opened.append(store)
        return store

    yield give
    for store in opened:
        store.close()


def batch(first: int, last: int, journal: str = JOURNAL) -> list[Any]:
    made = [event(n, id=f"{journal[0]}{n:031x}") for n in range(first, last + 1)]
    return [delivery(one, journal=journal) for one in made]


def stored(store: Any) -> list[tuple[str, str]]:
    """(index, id) of everything in the stream."""
    return sorted((hit["_index"], hit["_id"]) for hit in store.writer.every({"match_all": {}}))


def test_what_is_delivered_again_after_a_rollover_is_there_once(make: Any) -> None:
    store = make()
    store.apply(batch(1, 20), cursor(21))
    store.stream.roll(store.client)
    store.apply(batch(1, 20), cursor(21))
    again = make()
    assert again.cursor() == cursor(21)
    again.apply(batch(11, 30), cursor(31))
    assert len(stored(again)) == 30
    assert len({one for _, one in stored(again)}) == 30
    assert len({index for index, _ in stored(again)}) == 2, "the stream did roll over"
    assert [hit.seq - 1 for hit in again.find("echo", limit=5)] == [30, 29, 28, 27, 26]


def test_what_came_late_from_a_lost_answer_is_there_once(make: Any) -> None:
    store = make()
    store.apply(batch(1, 5), cursor(6))
    store.stream.roll(store.client)
    hits = {hit["_id"]: hit["_source"] for hit in store.writer.every({"match_all": {}})}
    for one, source in hits.items():
        store.client.create(index=store.stream.events, id=one, document=source)
    assert len(stored(store)) == 10
    make().apply(batch(1, 5), cursor(6))
    assert len(stored(store)) == 5
    assert len({index for index, _ in stored(store)}) == 1


def test_two_writers_of_one_journal_put_each_event_once(make: Any) -> None:
    make().migrate()
    stores = [make() for _ in range(2)]

    def write(store: Any) -> None:
        for first in range(1, 200, 20):
            for left in reversed(range(50)):  # as the follower does: the other may have been quicker with the place
                try:
                    store.apply(batch(first, first + 19), cursor(first + 20))
                    break
                except StoreBusyError:
                    assert left, "it never gets its turn"

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, stores))
    assert len(stored(stores[0])) == 200


def test_journals_have_cursors_and_letters_of_their_own(make: Any) -> None:
    one, other = make(), make(journal=OTHER)
    one.apply(batch(1, 3), cursor(4))
    other.apply(batch(1, 2, OTHER), replace(cursor(3), journal=OTHER))
    other.apply([delivery({}, record=None, problem="broken", journal=OTHER)], replace(cursor(9), journal=OTHER))
    assert one.cursor() == cursor(4)
    assert other.cursor() == replace(cursor(9), journal=OTHER)
    assert (one.dead_count(), other.dead_count()) == (0, 1)
    assert set(one.fingerprints(0, 99)) == {2, 3, 4}
    assert set(other.fingerprints(0, 99)) == {2, 3}
    assert len(one.find("echo")) == 5
    pages, before = [], None
    while page := one.find("echo", limit=2, before=before):
        pages += page
        before = page[-1].position
    assert len({hit.id for hit in pages}) == len(pages) == 5
    one.drop_all()
    assert one.cursor() is None
    assert len(one.find("echo")) == 2
    assert other.cursor() is not None


def test_what_was_altered_forged_or_removed_shows_and_a_rewrite_mends_it(make: Any) -> None:
    store, other = make(), make(journal=OTHER)
    wanted = batch(1, 10)
    store.apply(wanted, cursor(11))
    other.apply(batch(1, 3, OTHER), replace(cursor(4), journal=OTHER))
    every = store.writer.every({"term": {"journal": JOURNAL}}, seq_no_primary_term=True)
    hits = {hit["_source"]["seq"]: hit for hit in every}
    where, source = hits[3]["_index"], hits[3]["_source"]
    unchanged = {"if_seq_no": hits[3]["_seq_no"], "if_primary_term": 1}
    store.client.index(index=where, id=hits[3]["_id"], document=source | {"decision": "deny"}, **unchanged)
    store.client.create(index=store.stream.events, id="forged", document=source | {"seq": 5})
    store.client.create(index=store.stream.events, id="beyond", document=source | {"seq": 500})
    store.client.delete(index=where, id=hits[7]["_id"])
    unchanged = {"if_seq_no": hits[8]["_seq_no"], "if_primary_term": 1}
    store.client.index(index=where, id=hits[8]["_id"], document=hits[8]["_source"] | {"journal": "x"}, **unchanged)
    expected = {one.seq: store.expected(one) for one in wanted}
    found = store.fingerprints(0, 1 << 62)
    assert {seq for seq in {*found, *expected} if found.get(seq) != expected.get(seq)} == {3, 5, 7, 8, 500}
    store.rewrite_begin()
    assert store.cursor() is None
    store.apply(wanted[:4], cursor(5))
    store.apply(wanted[4:], cursor(11))
    store.rewrite_end(11)
    assert store.fingerprints(0, 1 << 62) == expected
    assert store.cursor() == cursor(11)
    assert set(other.fingerprints(0, 99)) == {2, 3, 4}
    assert store.apply(batch(11, 12), cursor(13)) == []
    assert len(stored(store)) == 15


def test_a_rewrite_leaves_what_was_pruned_from_the_journal(make: Any) -> None:
    store = make()
    store.apply(batch(1, 10), cursor(11))
    store.rewrite_begin()
    store.apply(batch(6, 10), cursor(11))
    store.rewrite_end(11)
    assert set(store.fingerprints(0, 99)) == set(range(2, 12))


def test_a_poisoned_event_is_a_dead_letter_and_holds_nobody_up(make: Any) -> None:
    store = make()
    events = [*batch(1, 3), delivery(event(4), seq=1 << 63), delivery(event(5, id="i" * 600)), delivery(event(6, id=7))]
    rejected = store.apply(events, cursor(7))
    assert [one.reason.partition(":")[0] for one in rejected] == [
        "its id has 600 bytes, not 1 to 512", "not a record of format 1", "document_parsing_exception",
    ]  # fmt: skip
    assert store.dead_count() == 3
    assert len(store.find("echo")) == 3
    assert store.cursor() == cursor(7)


def test_a_wrong_password_is_said_without_the_password(elasticsearch_server: Endpoint, tmp_path: Path) -> None:
    wrong = replace(elasticsearch_server, url=elasticsearch_server.url.replace(elasticsearch_server.password, "wr0ng"))
    store = elastic_place.search(wrong, tmp_path, elastic_place.name())
    with pytest.raises(StoreAuthError) as raised:
        store.migrate()
    told = "".join(traceback.format_exception(raised.value)) + repr(store) + repr(store.opening) + str(store.health())
    assert "wr0ng" not in told
    assert "in LEVAITHAN_SEARCH_URL (which goes first)" in raised.value.fix
    assert "LEVAITHAN_SEARCH_PASSWORD" not in raised.value.fix, "it stands in the URL"
    assert not store.health().ok
    key = elastic_place.search(elasticsearch_server, tmp_path, elastic_place.name(), api_key="bm8=")
    with pytest.raises(StoreAuthError):
        key.migrate()


def test_an_index_that_takes_no_writes_is_busy_and_says_what_to_do(make: Any) -> None:
    store = make(timeout_s=3.0)
    store.apply(batch(1, 2), cursor(3))
    block = "index.blocks.read_only_allow_delete"
    store.client.indices.put_settings(index=store.stream.events, settings={block: True})
    with pytest.raises(StoreBusyError, match="read-only") as raised:
        store.apply(batch(3, 4), cursor(5))
    assert not isinstance(raised.value, StoreDownError)
    assert "free disk space" in raised.value.fix
    health = store.health()
    assert not health.ok
    assert "read_only_allow_delete" in health.problems[0]
    assert store.cursor() == cursor(3)
    assert store.dead_count() == 0
    store.client.indices.put_settings(index=store.stream.events, settings={block: None})
    assert store.apply(batch(3, 4), cursor(5)) == []
    assert len(stored(store)) == 4


def test_events_older_than_their_cursor_are_read_from_the_start(make: Any) -> None:
    store = make()
    now = [event(n, at="2999-01-01T00:00:00.000000Z") for n in range(1, 4)]
    store.apply([delivery(one) for one in now], cursor(4))
    assert make().cursor() == cursor(4)
    store.writer.remove(list(store.writer.every({"match_all": {}})))
    late = make()
    assert late.cursor() is None
    assert "from its start" in late.found[-1]


@pytest.mark.parametrize("how", ["older", "empty"])
def test_a_place_that_went_back_between_two_batches_is_not_written_over(make: Any, how: str) -> None:
    """An index that is restored while batches follow one another: nobody reads the cursor in between."""
    store, other = make(), make()
    store.apply(batch(1, 5), cursor(6))
    older = store.client.get(index=store.stream.cursors, id=JOURNAL).body["_source"]
    store.apply(batch(6, 10), cursor(11))
    if how == "older":
        store.client.index(index=store.stream.cursors, id=JOURNAL, document=older)
    else:
        store.client.delete(index=store.stream.cursors, id=JOURNAL)
    late = {"range": {"seq": {"gt": 6 if how == "older" else 0}}}
    store.writer.remove(list(store.writer.every(late)))
    with pytest.raises(StoreBusyError, match="restored from an older copy"):
        store.apply(batch(11, 12), cursor(13))
    back = store.cursor()
    assert back == (cursor(6) if how == "older" else None)
    store.apply(batch(6 if back else 1, 12), cursor(13))
    assert len(stored(store)) == 12
    assert other.cursor() == cursor(13)


def test_a_schema_of_another_version(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from levaithan.stores import elastic_search, elastic_setup

    store = make()
    store.apply(batch(1, 2), cursor(3))
    for module in (elastic_search, elastic_setup):
        monkeypatch.setattr(module, "SCHEMA", 2)
    monkeypatch.setitem(elastic_setup.PROPERTIES, "added", {"type": "keyword"})
    newer = make()
    assert not newer.current()
    newer.migrate()
    assert newer.current()
    assert newer.cursor() == cursor(3)
    assert len(newer.stream.indices(newer.client)) == 2
    mappings = newer.client.indices.get_mapping(index=newer.stream.events).body.values()
    assert all("added" in one["mappings"]["properties"] for one in mappings)
    newer.apply(batch(1, 4), cursor(5))
    assert len(stored(newer)) == 4
    monkeypatch.undo()
    older = make()
    with pytest.raises(SchemaTooNewError):
        older.migrate()
    with pytest.raises(SchemaTooNewError):
        older.check_version()


def test_indices_past_their_days_are_dropped_where_the_server_does_not(make: Any) -> None:
    import time

    store = make("keep_days=2")
    store.apply(batch(1, 2), cursor(3))
    store.stream.roll(store.client)
    store.apply(batch(3, 4), cursor(5))
    store.stream.drop_old(store.client)
    assert len(stored(store)) == 4
    store.stream.drop_old(store.client, time.time() + 3 * 86_400)
    assert {int(one[1:], 16) for _, one in stored(store)} == {3, 4}
    assert "were dropped" in store.found[-1]
    assert make().cursor() == cursor(5)


def test_its_life_is_the_server_s_where_that_has_lifecycle_management(make: Any) -> None:
    store = make("keep_days=30")
    store.apply(batch(1, 2), cursor(3))
    name = store.stream.events
    asked = store.client.options(ignore_status=(400, 404, 405, 410)).perform_request("GET", f"/_ilm/policy/{name}")
    said = store.health().capabilities[-1]
    if asked.meta.status == 200:
        assert set(asked.body[name]["policy"]["phases"]) == {"hot", "delete"}
        told = store.client.ilm.explain_lifecycle(index=name).body["indices"]
        assert [one["policy"] for one in told.values() if one["managed"]] == [name] * len(told) != []
        assert (store.stream.lifecycle, "lifecycle management" in said) == (True, True)
    else:
        assert (store.stream.lifecycle, "rollover by levaithan" in said) == (False, True), "the reduced server"


def test_an_api_key_of_the_server_logs_in_where_that_has_keys(
    make: Any, elasticsearch_server: Endpoint, tmp_path: Path
) -> None:
    """The reduced server has none: there every key is refused (and the header is looked at by an imitation)."""
    store = make()
    refused = (400, 403, 404, 405, 410)
    made = store.client.options(ignore_status=refused).perform_request(
        "POST", "/_security/api_key", body={"name": elastic_place.name()},
        headers={"content-type": "application/json", "accept": "application/json"},
    )  # fmt: skip
    key = made.body["encoded"] if made.meta.status == 200 else "bm9uZTpub25l"
    other = elastic_place.search(elasticsearch_server, tmp_path, elastic_place.name(), api_key=key)
    if made.meta.status == 200:
        other.apply(batch(1, 2), cursor(3))
        assert other.cursor() == cursor(3)
    else:
        with pytest.raises(StoreAuthError):
            other.migrate()
    assert key not in f"{other!r} {other.opening!r} {other.health()}"
    other.close()


def test_a_hostile_payload_adds_no_field(make: Any) -> None:
    store = make()
    payload = {"tool_input": {f"key{n}": {"a": {"b": [n, {"c": "deep"}]}} for n in range(2000)}, "@timestamp": "x"}
    store.apply([delivery(event(1, payload=payload))], cursor(2))
    (mapping,) = store.client.indices.get_mapping(index=store.stream.events).body.values()
    assert "key7" not in str(mapping)
    assert len(mapping["mappings"]["properties"]) < 20
    assert mapping["mappings"]["dynamic"] == "strict"
    assert len(store.find("deep")) == 1


def test_answers_of_version_8_are_asked_for_whatever_the_client(make: Any) -> None:
    """A client of version 9 says `compatible-with=9`, which a server of version 8 refuses."""
    import elasticsearch

    client = make().client
    asked = {"accept": "application/vnd.elasticsearch+json; compatible-with=9"}
    assert client.perform_request("GET", "/_cluster/health", headers=asked).meta.status == 200
    plain = elasticsearch.Elasticsearch([client.transport.node_pool.get().base_url], basic_auth=("x", "y"))
    assert type(plain.transport) is not type(client.transport)


def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path, elasticsearch_server: Endpoint) -> None:
    from levaithan.stores.opening import Opening

    nobody = Opening("search", "", str(tmp_path), url="http://u:secret@127.0.0.1:1/x", timeout_s=1.0)
    store = registry.adapter("search", "http")(nobody)
    with pytest.raises(StoreDownError) as raised:
        store.migrate()
    assert "secret" not in "".join(traceback.format_exception(raised.value))
    missing = replace(nobody, url="https://u@127.0.0.1:1/x", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(NotConfigured, match="LEVAITHAN_SEARCH_CA_FILE"):
        registry.adapter("search", "https")(missing).client.info()
    with pytest.raises(NotConfigured, match="keep_days"):
        elastic_place.search(elasticsearch_server, tmp_path, "x?keep_days=-1")
    other = elastic_place.search(elasticsearch_server, tmp_path, elastic_place.name())
    for refused in (other.beside, lambda: other.take_over(other), lambda: other.move_aside("x")):
        with pytest.raises(StoreUnsupportedError, match="cannot"):
            refused()


def test_a_search_of_several_machines_is_in_order_of_true_time_over_all_its_pages(
    make: Any, postgres_server: Endpoint
) -> None:
    """One machine is ahead by 40 s until it is set right; each records an event a second in turn."""
    url, indices = postgres_place.made(), {journal: make(journal=journal) for journal in (JOURNAL, OTHER)}
    ledgers = {journal: postgres_place.ledger(url, journal) for journal in (JOURNAL, OTHER)}
    for journal, seconds in ((JOURNAL, range(1, 100, 2)), (OTHER, range(2, 100, 2))):
        made = []
        for second in seconds:
            ahead = 40 if journal == OTHER and second < 60 else 0
            over = {"id": f"{journal[0]}{second:031x}", "at": at(second + ahead), "payload": {"x": "word"}}
            made.append(delivery(event(second, **over), journal=journal))
        place = replace(cursor(100), journal=journal)
        assert ledgers[journal].apply(made, place) == indices[journal].apply(made, place) == []
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("UPDATE clock_skews SET skew_us = 40000000 WHERE journal = %s", (OTHER,))
        link.execute("INSERT INTO clock_skews SELECT journal, 61, 0, newest_us - 40000000, newest_us FROM clock_skews "
                     "WHERE journal = %s", (OTHER,))  # fmt: skip
    for limit in (7, 40, 500):
        found: list[int] = []
        page = audit.search(ledgers[JOURNAL], indices[JOURNAL], "word", Filters(), limit=limit)
        found += [int(row["id"][1:], 16) for row in page.rows]
        while page.next:
            page = audit.search(ledgers[JOURNAL], indices[JOURNAL], "word", Filters(), limit=limit, cursor=page.next)
            found += [int(row["id"][1:], 16) for row in page.rows]
        assert found == list(range(99, 0, -1)), limit
    for one in ledgers.values():
        one.close()
