"""The live stream on a real Redis that is hurt: nothing is lost, nothing is twice, and what is wrong is said."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.ledger_records import JOURNAL, cursor, delivery, event

from levaithan.stores.opening import Opening
from levaithan.stores.redis_counters import RedisCounters
from levaithan.stores.roles import StoreAuthError, StoreBusyError, StoreDownError, StoreTimeoutError, StoreTlsError

if TYPE_CHECKING:
    from collections.abc import Callable

    OwnServer = Callable[..., Any]


def opened(url: str, **more: Any) -> RedisCounters:
    values = {"journal": JOURNAL, "timeout_s": 1.0} | more
    return RedisCounters(Opening("counters", "", "/nowhere", url, **values))


def follow(store: RedisCounters, until: int, step: int = 20) -> None:
    """What the projector does: after a failure it reads the cursor again, and goes on from there."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            at = store.cursor()
            begin = at.seq if at else 0
            if begin >= until:
                return
            numbers = range(begin + 1, min(begin + step, until) + 1)
            store.apply([delivery(event(n)) for n in numbers], cursor(numbers[-1]))
        except StoreBusyError:
            time.sleep(0.05)
    raise AssertionError("it did not get there")


def test_a_server_that_is_killed_in_mid_run_has_every_event_once(own_server: OwnServer) -> None:
    server = own_server("redis", _always_synced)
    store = opened(server.url())
    store.migrate()
    done = threading.Thread(target=follow, args=(store, 2000))
    done.start()
    for _ in range(3):
        time.sleep(0.3)
        server.kill()
        time.sleep(0.2)
        server.restart()
    done.join(90)
    assert not done.is_alive()
    found = [one.seq for one in store.latest(5000)]
    assert sorted(found) == list(range(2, 2002))


def _always_synced() -> Any:
    from tests.servers.redis import Redis

    return Redis(settings=("appendfsync always",))


def test_a_server_that_was_emptied_is_filled_again(own_server: OwnServer) -> None:
    store = opened(own_server("redis").url())
    store.migrate()
    follow(store, 100)
    store.ask(lambda link: link.flushall())
    with pytest.raises(StoreBusyError, match="lost what it held"):
        store.apply([delivery(event(101))], cursor(101))
    follow(store, 120)
    assert sorted(one.seq for one in store.latest(1000)) == list(range(2, 122))


def test_a_paused_server_costs_the_time_limit_and_goes_on(own_server: OwnServer) -> None:
    server = own_server("redis")
    store = opened(server.url(), timeout_s=0.3)
    store.migrate()
    follow(store, 20)
    server.pause()
    began = time.monotonic()
    with pytest.raises(StoreDownError):
        store.apply([delivery(event(21))], cursor(21))
    assert time.monotonic() - began < 5
    assert not store.health().ok
    server.resume()
    follow(store, 40)
    assert sorted(one.seq for one in store.latest(100)) == list(range(2, 42))
    store.edge.attempts = 1
    server.pause()
    with pytest.raises(StoreTimeoutError, match=r"longer than 0\.3 s"):
        store.cursor()


def test_a_changed_password_is_said_without_it(own_server: OwnServer) -> None:
    server = own_server("redis")
    store = opened(server.url())
    store.migrate()
    follow(store, 10)
    store.ask(lambda link: link.execute_command("ACL", "SETUSER", "levaithan", "resetpass", ">another-one"))
    store.close()
    with pytest.raises(StoreAuthError) as caught:
        store.cursor()
    chain: BaseException | None = caught.value
    while chain is not None:
        assert server.password not in f"{chain} {chain!r}"
        chain = chain.__cause__ or chain.__context__
    assert "LEVAITHAN_COUNTERS_PASSWORD" in caught.value.fix
    health = store.health()
    assert not health.ok
    assert server.password not in str(health)
    follow(opened(server.url(), password="another-one"), 20)


def test_tls_is_checked_against_the_authority(own_server: OwnServer, tmp_path: Any) -> None:
    from tests.servers import certificates

    server = own_server("redis")
    endpoint = server.endpoint()
    if not endpoint.tls_url:
        pytest.skip("this redis-server is built without TLS. next: apt install redis-server")
    url = endpoint.tls_url.partition("?")[0]
    store = opened(url, ca_file=endpoint.ca)
    store.migrate()
    follow(store, 5)
    assert store.health().encrypted is True
    stranger, _, _ = certificates.make(tmp_path)
    with pytest.raises(StoreTlsError, match="certificate"):
        opened(url, ca_file=str(stranger)).cursor()


def test_nobody_there_is_said_with_the_place(own_server: OwnServer) -> None:
    server = own_server("redis")
    url = server.url()
    server.kill()
    with pytest.raises(StoreDownError, match=r"redis://\*\*\*@127\.0\.0\.1:\d+/0"):
        opened(url).cursor()
