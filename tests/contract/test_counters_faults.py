"""The live stream on a real Redis that is hurt: nothing is lost, nothing is twice, and what is wrong is said."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from tests.servers import fixtures
from tests.support.ledger_records import JOURNAL, cursor, delivery, event

from levaithan.stores.opening import Opening
from levaithan.stores.redis_coordination import RedisCoordination
from levaithan.stores.redis_counters import RedisCounters
from levaithan.stores.redis_decisions import RedisDecisions
from levaithan.stores.roles import StoreAuthError, StoreBusyError, StoreDownError, StoreTimeoutError, StoreTlsError

if TYPE_CHECKING:
    from collections.abc import Callable

    OwnServer = Callable[..., Any]


def opened(url: str, **more: Any) -> RedisCounters:
    values = {"journal": JOURNAL, "timeout_s": 1.0} | more
    return RedisCounters(Opening("counters", "", "/nowhere", url, **values))


def follow(store: RedisCounters, until: int, step: int = 20, pause_s: float = 0.0) -> None:
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
            time.sleep(pause_s)
        except StoreBusyError:
            time.sleep(0.05)
    raise AssertionError("it did not get there")


def test_a_server_that_is_killed_in_mid_run_has_every_event_once(own_server: OwnServer) -> None:
    server = own_server("redis", _always_synced)
    store = opened(server.url())
    store.migrate()
    done = threading.Thread(target=follow, args=(store, 2000, 20, 0.02))
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


def test_a_server_that_was_restored_from_an_older_copy_gets_what_came_since(own_server: OwnServer) -> None:
    store = opened(own_server("redis").url())
    store.migrate()
    follow(store, 50)
    raw = redis.Redis.from_url(store.opening.url)
    copy = {key: raw.dump(key) for key in raw.scan_iter()}
    follow(store, 100)
    raw.flushall()
    for key, value in copy.items():
        raw.restore(key, 0, value)
    raw.close()
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
    assert "in LEVAITHAN_COUNTERS_URL (which goes first)" in caught.value.fix
    assert "LEVAITHAN_COUNTERS_PASSWORD" not in caught.value.fix, "it stands in the URL"
    health = store.health()
    assert not health.ok
    assert server.password not in str(health)
    follow(opened(server.url().replace(server.password, "another-one")), 20)


def test_tls_is_checked_against_the_authority(own_server: OwnServer, tmp_path: Any) -> None:
    from tests.servers import certificates

    server = own_server("redis")
    endpoint = server.endpoint()
    if not endpoint.tls_url:
        fixtures.without("redis", "this redis-server is built without TLS. next: apt install redis-server")
    url = endpoint.tls_url.partition("?")[0]
    store = opened(url, ca_file=endpoint.ca)
    store.migrate()
    follow(store, 5)
    assert store.health().encrypted is True
    decisions = RedisDecisions(store.opening, "a", 2.0)
    decisions.start()
    assert decisions.prober.ready.wait(20), decisions.prober.why
    assert decisions.admit("e", [("w", 1)], 1_000_000) is None
    decisions.stop()
    stranger, _, _ = certificates.make(tmp_path)
    with pytest.raises(StoreTlsError, match="certificate"):
        opened(url, ca_file=str(stranger)).cursor()


def test_nobody_there_is_said_with_the_place(own_server: OwnServer) -> None:
    server = own_server("redis")
    url = server.url()
    server.kill()
    with pytest.raises(StoreDownError, match=r"redis://\*\*\*@127\.0\.0\.1:\d+/0"):
        opened(url).cursor()


def test_the_rights_that_the_guide_names_are_enough(own_server: OwnServer) -> None:
    server = own_server("redis")
    guide = (Path(__file__).parents[2] / "docs/how-to/stores.md").read_text()
    (command,) = [line for line in guide.splitlines() if line.startswith("ACL SETUSER levaithan ")]
    words = command.replace("SETUSER levaithan", "SETUSER least").replace(">PASSWORD", ">pw").split()
    opened(server.url()).ask(lambda link: link.execute_command(*words))
    url = server.url().replace(f"levaithan:{server.password}", "least:pw")
    store = opened(url)
    store.migrate()
    follow(store, 50)
    assert store.health().ok
    assert len(store.read("g", "c", block_ms=10)) == 50
    assert len(store.claim("g", "d", idle_ms=0)) == 50
    store.rewrite_begin()
    follow(store, 50)
    assert store.minutes(0, 60_000_000) == {}
    others = RedisCoordination(Opening("counters", "", "/nowhere", url, timeout_s=2.0), "a")
    assert others.listen(0.01)
    others.set_halts({"h-1": "{}"})
    others.release_halts(["h-1"])
    others.beat()
    others.settle({"day:1": 5})
    others.close()
    decisions = RedisDecisions(Opening("counters", "", "/nowhere", url), "a", 2.0)
    decisions.start()
    limit = time.monotonic() + 20
    while decisions.prober.client is None:
        assert time.monotonic() < limit, decisions.prober.why
        time.sleep(0.01)
    assert decisions.admit("e", [("w", 1)], 1_000_000) is None
    assert decisions.reserve("s", [("day:1", 1)], 1, 1_000_000) == {"day:1": (0, 0)}
    assert decisions.acquire({"session": "s"}, ["/x"], 1_000_000, 0)[0] is None
    decisions.stop()
