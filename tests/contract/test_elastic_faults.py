"""The search on an Elasticsearch of its own: over TLS, killed, paused, restored from an older copy."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import certificates, elasticsearch
from tests.servers.endpoint import Endpoint
from tests.servers.process import alive
from tests.support import elastic_place
from tests.support.ledger_records import cursor, delivery, event

from levaithan.errors import StoreError
from levaithan.stores.roles import StoreDownError, StoreTimeoutError, StoreTlsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def batch(first: int, last: int) -> list[Any]:
    return [delivery(event(n)) for n in range(first, last + 1)]


def until_put(store: Any, first: int, last: int, limit_s: float = 120.0) -> None:
    """Deliver again and again, as the follower does."""
    limit = time.monotonic() + limit_s
    while True:
        try:
            store.migrate()
            store.apply(batch(first, last), cursor(last + 1))
        except StoreError:
            assert time.monotonic() < limit, "it did not come back"
            time.sleep(0.2)
        else:
            return


def held(store: Any) -> list[int]:
    return sorted(int(hit["_id"], 16) for hit in store.writer.every({"match_all": {}}))


def test_it_outlives_its_server(own_server: Callable[..., Any], tmp_path: Path) -> None:
    server = own_server("elasticsearch", lambda: elasticsearch.Elasticsearch(tls=True))
    endpoint = server.endpoint()
    store = elastic_place.search(endpoint, tmp_path, "lv", timeout_s=5.0)
    until_put(store, 1, 50)

    # TLS: the authority is asked for, and no other is believed.
    assert store.health().encrypted
    stranger, _, _ = certificates.make(tmp_path / "stranger")
    distrusting = elastic_place.search(replace(endpoint, ca=str(stranger)), tmp_path, "lv", timeout_s=5.0)
    with pytest.raises(StoreTlsError, match=r"(?i)certificate"):
        distrusting.migrate()
    plain = replace(endpoint, url=endpoint.url.replace("https:", "http:"), ca="")
    with pytest.raises(StoreError):
        elastic_place.search(plain, tmp_path, "lv", timeout_s=5.0).migrate()

    # Killed in the midst of bulk requests, started again: nothing is lost and nothing is twice.
    processes, killer = server.pids(), threading.Timer(0.5, server.kill)
    killer.start()
    done, failed = 50, None
    while failed is None:
        try:
            store.apply(batch(done + 1, done + 100), cursor(done + 101))
            done += 100
        except StoreDownError as error:
            failed = error
    killer.join()
    assert processes and not any(map(alive, processes)), processes
    assert not store.health().ok
    copy = tmp_path / "copy"
    shutil.copytree(server.data / "data", copy)
    server.restart()
    copied = store.cursor(), held(store)
    until_put(store, done + 1, done + 100)
    assert held(store) == list(range(1, done + 101))
    store.stream.roll(store.client)

    # Paused: it takes the connection and never answers.
    server.pause()
    begun = time.monotonic()
    with pytest.raises(StoreTimeoutError):
        store.apply(batch(done + 101, done + 200), cursor(done + 201))
    assert time.monotonic() - begun < 30
    server.resume()
    until_put(store, done + 101, done + 200)
    assert held(store) == list(range(1, done + 201)), "what was sent before the pause ended is there once"

    # Restored from an older copy, what the kill left: cursor and events go back together, what is missing comes again.
    server.shut_down()
    shutil.rmtree(server.data / "data")
    shutil.copytree(copy, server.data / "data")
    server.own()
    server.restart()
    assert (store.cursor(), held(store)) == copied
    last = done + 200
    until_put(store, len(copied[1]) + 1, last + 300)
    assert held(store) == list(range(1, last + 301))
    assert set(store.fingerprints(0, 1 << 62)) == set(range(2, last + 302))
    store.close()


@pytest.mark.parametrize("abrupt", [False, True])
def test_a_server_that_hangs_up_amid_the_handshake_is_down_and_shows_no_wrong_certificate(
    tmp_path: Path, abrupt: bool
) -> None:
    """One that ends or begins does, and the projector must come back to it as to any that is down."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    called, _ = listening.accept()
                    called.recv(1 if abrupt else 1 << 16)  # what is not read resets the connection
                    called.close()

        threading.Thread(target=hang_up, daemon=True).start()
        endpoint = Endpoint("elasticsearch", f"https://127.0.0.1:{listening.getsockname()[1]}", "local")
        with pytest.raises(StoreDownError):
            elastic_place.search(endpoint, tmp_path, "lv", timeout_s=2.0).migrate()
        listening.shutdown(socket.SHUT_RDWR)
