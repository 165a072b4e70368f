"""What goes to Elasticsearch and what is made of its answers, on an imitation of one: where the servers of these tests
lack the API (a login by API key, the lifecycle's policy) or cannot be made to answer so (items that were refused)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support.ledger_records import JOURNAL, cursor, delivery, event

from levaithan.stores.elastic_search import ElasticSearch
from levaithan.stores.elastic_setup import LARGEST, OLDEST, Stream
from levaithan.stores.opening import Opening
from levaithan.stores.roles import StoreAuthError, StoreBusyError, StoreDownError, StoreUnsupportedError

fixtures.driver("elasticsearch", "elasticsearch")
Answer = tuple[int, Any]
NONE: Answer = (404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}, "status": 404})


class Imitation:
    """An imitation of a server: it writes down what it is asked, and `answers` say what it gives ("METHOD /path" ->
    status and body; the longest beginning counts); all else is not there."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Any, dict[str, str]]] = []
        imitation = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                what = f"{self.command} {self.path.partition('?')[0]}"
                imitation.asked.append((what, body, dict(self.headers)))
                fits = [one for one in imitation.answers if what.startswith(one)]
                status, told = imitation.answers[max(fits, key=len)] if fits else NONE
                data = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("X-Elastic-Product", "Elasticsearch")
                self.send_header("Content-Type", "application/vnd.elasticsearch+json; compatible-with=8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _do  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def of(self, what: str) -> list[Any]:
        """The bodies of what was asked so."""
        return [json.loads(body) if body else None for one, body, _ in self.asked if one == what]

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(params=["imitation"])
def imitation() -> Iterator[Imitation]:
    made = Imitation()
    yield made
    made.end()


@pytest.fixture
def make(imitation: Imitation, tmp_path: Path) -> Iterator[Callable[..., ElasticSearch]]:
    opened: list[ElasticSearch] = []

    def give(query: str = "", user: str = "", **more: Any) -> ElasticSearch:
        url = f"http://{user}127.0.0.1:{imitation.server.server_port}/team?{query}"
        store = ElasticSearch(Opening("search", "", str(tmp_path), url, journal=JOURNAL, timeout_s=5.0, **more))
        opened.append(store)
        return store

    yield give
    for one in opened:
        one.close()


def test_an_api_key_logs_in_and_wins_over_a_password_that_is_not_the_url_s(imitation: Imitation, make: Any) -> None:
    assert make(api_key="aWQ6a2V5").current() is False
    assert make(user="me@", password="made-by-setup", api_key="aWQ6a2V5").current() is False
    assert make(user="me:secret@", password="made-by-setup", api_key="aWQ6a2V5").current() is False
    sent = [headers["authorization"] for _, _, headers in imitation.asked]
    assert sent == ["ApiKey aWQ6a2V5", "ApiKey aWQ6a2V5", "Basic bWU6c2VjcmV0"]
    imitation.answers["GET"] = (401, {"error": {"type": "security_exception", "reason": "unable to authenticate"}})
    with pytest.raises(StoreAuthError) as caught:
        make(api_key="aWQ6a2V5").current()
    assert "LEVAITHAN_SEARCH_API_KEY" in caught.value.fix
    assert "aWQ6a2V5" not in f"{caught.value!r} {caught.value.fix}"


POLICY = "PUT /_ilm/policy/team-events"
TEMPLATE = "PUT /_index_template/team-events"
DONE: Answer = (200, {"acknowledged": True})


def made(imitation: Imitation, make: Any, policy: Answer, query: str = "") -> ElasticSearch:
    imitation.answers |= {POLICY: policy, TEMPLATE: DONE, "PUT /_data_stream": DONE, "PUT /team-cursors": DONE}
    store: ElasticSearch = make(query)
    store.migrate()
    return store


def test_the_server_s_lifecycle_rolls_over_and_drops_where_it_has_one(imitation: Imitation, make: Any) -> None:
    store = made(imitation, make, DONE, "keep_days=90")
    (asked,) = imitation.of(POLICY)
    rollover = {"max_age": OLDEST, "max_primary_shard_size": LARGEST}
    assert asked["policy"]["phases"] == {
        "hot": {"actions": {"rollover": rollover}}, "delete": {"min_age": "90d", "actions": {"delete": {}}},
    }  # fmt: skip
    (template,) = imitation.of(TEMPLATE)
    assert template["template"]["settings"]["index.lifecycle.name"] == "team-events"
    assert template["data_stream"] == {}
    (cursors,) = imitation.of("PUT /team-cursors")
    assert cursors["mappings"]["_meta"] == {"schema": 1, "lifecycle": True, "keep_days": 90}
    before = len(imitation.asked)
    store.stream.keep_house(store.client)
    assert len(imitation.asked) == before, "and nothing of that is done here"


def kept(imitation: Imitation, make: Any, query: str, **meta: Any) -> ElasticSearch:
    """A store on a server that was set up before, and whose policy was changed by hand since."""
    noted = {"_meta": {"schema": 1, "lifecycle": True, **meta}}
    end = {"min_age": "90d", "actions": {"wait_for_snapshot": {"policy": "p"}, "delete": {}}}
    by_hand = {"hot": {"actions": {"rollover": {"max_age": "1d"}}}, "delete": end}
    imitation.answers |= {
        "GET /team-cursors/_mapping": (200, {"team-cursors": {"mappings": noted}}), POLICY: DONE,
        "GET /_ilm/policy/team-events": (200, {"team-events": {"policy": {"phases": by_hand}}}),
        "PUT /team-cursors/_mapping": DONE,
    }  # fmt: skip
    store: ElasticSearch = make(query)
    assert store.current(), "what reads looks at no policy"
    imitation.asked.clear()
    store.migrate()
    return store


@pytest.mark.parametrize(
    ("query", "age", "words"), [("keep_days=30", "30d", "kept 30 days"), ("", None, "kept for ever")]
)
def test_another_keep_days_is_told_to_the_server_once(
    imitation: Imitation, make: Any, query: str, age: str | None, words: str
) -> None:
    store = kept(imitation, make, query, keep_days=90)
    (asked,) = imitation.of(POLICY)
    phases = asked["policy"]["phases"]
    assert phases["hot"] == {"actions": {"rollover": {"max_age": "1d"}}}, "what a person changed there stays"
    assert phases.get("delete", {}).get("min_age") == age
    assert age is None or set(phases["delete"]["actions"]) == {"wait_for_snapshot", "delete"}
    (noted,) = imitation.of("PUT /team-cursors/_mapping")
    assert noted["_meta"] == {"schema": 1, "lifecycle": True, "keep_days": int(age[:-1]) if age else 0}
    assert words in store.found[-1]
    before = len(imitation.asked)
    store.migrate()
    assert len(imitation.asked) == before, "once an opening, not with each batch"


@pytest.mark.parametrize("query", ["", "keep_days=30"])
def test_a_policy_of_before_anybody_noted_what_it_was_told_stays_as_it_stands(
    imitation: Imitation, make: Any, query: str
) -> None:
    """Who made it so is not known: an age that a person raised would drop years of events when it is lowered."""
    store = kept(imitation, make, query)
    assert (imitation.of(POLICY), store.found) == ([], [])
    (noted,) = imitation.of("PUT /team-cursors/_mapping")
    assert noted["_meta"]["keep_days"] == (30 if query else 0)
    refused: Answer = (403, {"error": {"type": "security_exception", "reason": "unauthorized"}, "status": 403})
    imitation.answers["PUT /team-cursors/_mapping"] = refused
    other: ElasticSearch = make(query)
    other.migrate()
    assert (imitation.of(POLICY), other.found) == ([], []), "and of what nobody knows nothing is said"


def test_the_same_keep_days_leaves_a_policy_alone_that_a_person_changed(imitation: Imitation, make: Any) -> None:
    store = kept(imitation, make, "keep_days=90", keep_days=90)
    assert (imitation.asked, store.found) == ([], [])
    assert kept(imitation, make, "keep_days=9", keep_days=90, lifecycle=False).found == []
    assert imitation.asked == [], "a server without one is told nothing: what is old is dropped from here"


def test_who_may_not_change_the_policy_works_on_and_says_so(imitation: Imitation, make: Any) -> None:
    refused: Answer = (403, {"error": {"type": "security_exception", "reason": "unauthorized"}, "status": 403})
    imitation.answers["GET /_ilm"] = refused
    store = make("keep_days=30")
    imitation.answers["GET /team-cursors/_mapping"] = (
        200, {"team-cursors": {"mappings": {"_meta": {"schema": 1, "lifecycle": True, "keep_days": 90}}}},
    )  # fmt: skip
    store.migrate()
    assert store.current()
    (said,) = store.found
    assert "keep_days=30 is not in force on the server, which was told 90" in said
    assert "store migrate search" in said
    store.migrate()
    assert len(store.found) == 1
    imitation.answers["GET /_ilm"] = (503, {"error": {"type": "x", "reason": "away"}, "status": 503})
    other = make("keep_days=30")
    other.edge.attempts = 1
    with pytest.raises(StoreDownError):
        other.migrate()
    imitation.answers["GET /_ilm"] = refused
    other.migrate()
    assert len(other.found) == 1, "what was not looked at is looked at again"


def test_without_keep_days_nothing_is_dropped(imitation: Imitation, make: Any) -> None:
    made(imitation, make, DONE)
    assert set(imitation.of(POLICY)[0]["policy"]["phases"]) == {"hot"}


@pytest.mark.parametrize("status", [400, 404, 405, 410])
def test_where_the_licence_or_the_server_has_no_lifecycle_it_is_done_here(
    imitation: Imitation, make: Any, status: int
) -> None:
    store = made(imitation, make, (status, {"error": {"type": "invalid", "reason": "no handler found"}}))
    (template,) = imitation.of(TEMPLATE)
    assert "index.lifecycle.name" not in template["template"]["settings"]
    imitation.answers["POST /team-events/_rollover"] = (200, {"rolled_over": False})
    store.stream.keep_house(store.client)
    assert imitation.of("POST /team-events/_rollover") == [
        {"conditions": {"max_age": OLDEST, "max_primary_shard_size": LARGEST}}
    ]


def test_who_may_not_set_a_policy_is_told_so(imitation: Imitation, make: Any) -> None:
    refused: Answer = (403, {"error": {"type": "security_exception", "reason": "unauthorized"}, "status": 403})
    with pytest.raises(StoreAuthError, match="403") as caught:
        made(imitation, make, refused)
    assert "rights" in caught.value.fix


def items(*answers: Answer) -> Answer:
    told = [{"create": {"status": status, **({"error": error} if error else {})}} for status, error in answers]
    return 200, {"errors": any(error for _, error in answers), "items": told}


FULL = {"type": "es_rejected_execution_exception", "reason": "rejected execution"}
BLOCKED = {
    "type": "cluster_block_exception",
    "reason": "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded]",
}
GONE = {"type": "unavailable_shards_exception", "reason": "primary shard is not active"}
BAD = {"type": "document_parsing_exception", "reason": "failed to parse"}
THERE = {"type": "version_conflict_engine_exception", "reason": "document already exists"}
STRANGE = {"type": "illegal_state_exception", "reason": "broken"}


@pytest.mark.parametrize(
    ("answers", "raised", "dead"),
    [
        ([(201, None), (400, BAD), (201, None)], None, 1),
        ([(201, None), (413, BAD), (409, THERE)], None, 1),
        ([(201, None), (429, FULL), (201, None)], StoreBusyError, 0),
        ([(201, None), (429, BLOCKED), (400, BAD)], StoreBusyError, 0),
        ([(400, BAD), (503, GONE), (201, None)], StoreDownError, 0),
        ([(201, None), (500, STRANGE), (201, None)], StoreBusyError, 0),
        ([(201, None), (404, BAD), (201, None)], StoreUnsupportedError, 0),
    ],
)
def test_each_item_of_a_bulk_request_is_judged_by_itself(
    imitation: Imitation, make: Any, answers: list[Answer], raised: type[Exception] | None, dead: int
) -> None:
    """What the data is to blame for is set aside; whatever else fails makes all of it come again."""
    store = made(imitation, make, DONE)
    store.edge.attempts = 1
    found = {"hits": {"hits": []}, "aggregations": {"highest": {"value": None}}}
    imitation.answers |= {
        "POST /team-events/_refresh": DONE, "POST /team-events/_search": (200, found),
        "PUT /team-events/_bulk": items(*answers), "PUT /team-cursors/_doc": (200, {"_seq_no": 1, "_primary_term": 1}),
    }  # fmt: skip
    batch = [delivery(event(n)) for n in (1, 2, 3)]
    if raised is None:
        (rejected,) = store.apply(batch, cursor(4))
        assert rejected.delivery is batch[1]
        assert "document_parsing_exception" in rejected.reason
        assert len(imitation.of("PUT /team-cursors/_doc/" + JOURNAL)) == 1
    else:
        with pytest.raises(raised) as caught:
            store.apply(batch, cursor(4))
        assert type(caught.value) is raised
        assert imitation.of("PUT /team-cursors/_doc/" + JOURNAL) == [], "the place stays"
    assert store.dead_count() == dead


def test_a_stream_s_names_are_of_its_url() -> None:
    made = Stream(Opening("search", "", "", "http://h/team"))
    assert (made.events, made.cursors) == ("team-events", "team-cursors")
