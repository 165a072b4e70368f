"""The rights that the guide names for Elasticsearch are enough, each role for its work: users of exactly these rights.
A server of files has them from the start (tests/servers/elasticsearch.py), any other is told by its API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import fixtures
from tests.servers.elasticsearch import rights
from tests.support import elastic_place
from tests.support.ledger_records import cursor, delivery, event

from levaithan.stores.roles import StoreAuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.endpoint import Endpoint

fixtures.driver("elasticsearch", "elasticsearch")
SETUP, RUN = "levaithan_setup", "levaithan_run"


@pytest.fixture
def user(elasticsearch_server: Endpoint, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """The search as that user sees it; None = the superuser."""
    server, opened, stream = elasticsearch_server, [], f"levaithan-{elastic_place.name()}"

    def give(name: str | None, query: str = "") -> Any:
        there = f"{server.user}:{server.password}@"
        by = server.url.replace(there, f"{name}:{server.password}@") if name else server.url
        assert name is None or by != server.url
        store = elastic_place.search(replace(server, url=by), tmp_path, f"{stream}?{query}")
        opened.append(store)
        return store

    _have_users(give(None), server.password)
    yield give
    for store in opened:
        store.close()


def _have_users(admin: Any, password: str) -> None:
    """On a server that has the API of users; the reduced one knows them by its files."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    plain = admin.client.options(ignore_status=(400, 404, 405, 410))
    for role, body in rights().items():
        for path, told in (
            (f"role/{role}", json.loads(body)),
            (f"user/{role}", {"password": password, "roles": [role]}),
        ):
            plain.perform_request("PUT", f"/_security/{path}", body=told, headers=headers)


def batch(first: int, last: int) -> list[Any]:
    return [delivery(event(n, id=f"k{n:031x}")) for n in range(first, last + 1)]


def test_the_guide_has_these_two_roles() -> None:
    assert list(rights()) == [SETUP, RUN]


def test_who_sets_up_and_who_works_can_do_their_part(user: Callable[..., Any]) -> None:
    setup, run = user(SETUP, "keep_days=30"), user(RUN, "keep_days=30")
    with pytest.raises(StoreAuthError, match="403"):
        run.migrate()
    setup.migrate()
    assert setup.current()
    managed = setup.stream.lifecycle
    if not managed:  # no API of data streams either: the first event makes the stream, which the daily user may not
        user(None).apply(batch(1, 1), cursor(2))
    assert run.apply(batch(1, 20), cursor(21)) == []
    assert run.cursor() == cursor(21)
    assert user(RUN).cursor() == cursor(21)
    assert [hit.seq for hit in run.find("echo", limit=3)] == [21, 20, 19]
    assert run.histogram("echo", interval_s=60)
    assert run.top("tool", "echo")
    assert run.patterns("echo") is not None
    wanted = {one.seq: run.expected(one) for one in batch(1, 20)}
    assert run.fingerprints(0, 99) == wanted
    run.rewrite_begin()
    assert run.put_again(batch(1, 10)) == []
    run.rewrite_end(11)
    assert set(run.fingerprints(0, 99)) == set(range(2, 12))
    health = run.health()
    assert (health.ok, health.rows, health.schema) == (True, 10, "1"), health
    assert health.free_bytes
    assert health.skew_ms is not None
    unlooked = [words for words in health.problems if "could not be looked after" in words]
    assert bool(unlooked) == (not managed), health.problems
    run.drop_all()
    assert run.cursor() is None
    if managed:  # else, as on the reduced server, it is tried on an imitation, in test_elastic_imitation.py
        another_keep_days(user)


def another_keep_days(user: Callable[..., Any]) -> None:
    """Who may not say so to the server works on; who may, does."""
    run, setup = user(RUN, "keep_days=9"), user(SETUP, "keep_days=9")
    run.migrate()
    assert "keep_days=9 is not in force on the server, which was told 30" in run.found[-1]
    setup.migrate()
    assert "kept 9 days" in setup.found[-1]
    policy = setup.client.ilm.get_lifecycle(name=setup.stream.events).body[setup.stream.events]["policy"]["phases"]
    assert policy["delete"]["min_age"] == "9d"
    quiet = user(RUN, "keep_days=9")
    quiet.migrate()
    assert quiet.found == []


def test_without_lifecycle_management_the_first_role_may_begin_and_drop_indices(user: Callable[..., Any]) -> None:
    import time

    user(None).apply(batch(1, 2), cursor(3))
    setup = user(SETUP, "keep_days=2")
    setup.migrate()
    setup.stream.roll(setup.client)
    assert len(setup.stream.indices(setup.client)) == 2
    setup.stream.drop_old(setup.client, time.time() + 3 * 86_400)
    assert len(setup.stream.indices(setup.client)) == 1
    assert "were dropped" in setup.found[-1]
