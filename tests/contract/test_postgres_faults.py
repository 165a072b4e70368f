"""A PostgreSQL ledger whose server is killed, paused, restarted, locked out of, or shown another certificate."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import certificates, fixtures, postgres
from tests.support import postgres_place
from tests.support.ledger_records import JOURNAL, JournalFiles, cursor, delivery, event

from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower
from levaithan.stores.roles import (
    StoreAuthError,
    StoreBusyError,
    StoreDownError,
    StoreTimeoutError,
    StoreTlsError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

psycopg = fixtures.driver("postgres", "psycopg")
EVENTS = 12_000


def count(ledger: Any) -> int:
    return ledger.rows("SELECT count(*) FROM events")[0][0]


def until(true: Callable[[], bool], limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def followed(ledger: Any, directory: str, harm: Callable[[Follower], None]) -> Follower:
    """A follower along the journal to its end, in another thread; `harm` is done after its first batches.

    Here, in the thread that outlives it: the kernel ends a server with the thread that started it.
    """
    follower = Follower(ledger, Feed(directory), batch_bytes=1 << 15)
    done = threading.Event()

    def follow() -> None:
        while not (done.is_set() and follower.idle and follower.position and follower.position.seq > EVENTS):
            if not follower.ready(time.monotonic()) or not follower.step():
                time.sleep(0.01)

    other = threading.Thread(target=follow, daemon=True)
    other.start()
    until(lambda: follower.delivered > EVENTS // 20)
    harm(follower)
    done.set()
    other.join(90)
    assert not other.is_alive(), follower.error
    return follower


@pytest.mark.parametrize("harm", ["kill", "restart", "terminate"])
def test_a_server_that_goes_away_amid_batches_loses_and_doubles_nothing(
    own_server: Any, tmp_path: Path, harm: str
) -> None:
    server = own_server("postgres")
    url = postgres_place.database(server.url())
    JournalFiles(str(tmp_path)).events(EVENTS)
    ledger = postgres_place.ledger(url, timeout_s=3.0)
    seen: list[str] = []

    def hurt(follower: Follower) -> None:
        if harm == "terminate":
            for _ in range(5):
                with psycopg.connect(server.url()) as link:
                    link.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'lv%'")
                time.sleep(0.1)
            return
        server.kill() if harm == "kill" else server.shut_down()
        until(lambda: follower.error is not None)
        seen.append((follower.error or {}).get("code", ""))
        server.restart()

    follower = followed(ledger, str(tmp_path), hurt)
    assert harm == "terminate" or seen[0] in ("store_down", "store_timeout", "store_busy")
    assert follower.dead == 0
    assert ledger.rows("SELECT count(*), count(DISTINCT id), max(seq) FROM events") == [(EVENTS, EVENTS, EVENTS + 1)]
    assert ledger.rows("SELECT sum(events) FROM rollups") == [(EVENTS,)]
    assert len(ledger.fingerprints(1, EVENTS + 1)) == EVENTS + 1
    ledger.close()


def test_a_paused_server_costs_the_time_limit_and_no_more(own_server: Any) -> None:
    server = own_server("postgres")
    ledger = postgres_place.ledger(postgres_place.database(server.url()), timeout_s=1.0)
    ledger.migrate()
    assert ledger.apply([delivery(event(1))], cursor(2)) == []
    ledger.edge.attempts = 1
    server.pause()
    try:
        for ask in (lambda: ledger.apply([delivery(event(2))], cursor(3)), lambda: count(ledger)):
            begun = time.monotonic()
            with pytest.raises((StoreTimeoutError, StoreDownError)):
                ask()
            assert time.monotonic() - begun < 12
        begun = time.monotonic()
        assert ledger.health().ok is False
        assert time.monotonic() - begun < 12
    finally:
        server.resume()
    until(lambda: quiet(lambda: ledger.apply([delivery(event(2))], cursor(3))))
    until(lambda: quiet(lambda: count(ledger)))
    assert count(ledger) == 2
    ledger.close()


def quiet(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except StoreBusyError:
        time.sleep(0.3)
        return False
    return True


def test_a_password_that_was_changed_is_said_and_the_new_one_works(own_server: Any) -> None:
    server = own_server("postgres")
    url = postgres_place.database(server.url())
    ledger = postgres_place.ledger(url)
    ledger.migrate()
    ledger.apply([delivery(event(1))], cursor(2))
    with psycopg.connect(server.url()) as link:
        link.execute("ALTER ROLE postgres PASSWORD 'changed'")
        link.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'levaithan'")
    for ask in (lambda: ledger.apply([delivery(event(2))], cursor(3)), lambda: count(ledger)):
        with pytest.raises(StoreAuthError) as caught:
            ask()
        assert str(caught.value).count("authentication failed") == 1, "said once"
    ledger.close()
    again = postgres_place.ledger(url, password="changed")
    assert again.apply([delivery(event(2))], cursor(3)) == []
    assert count(again) == 2
    again.close()


def test_a_table_that_is_locked_makes_it_wait_and_nothing_is_lost(postgres_server: Any) -> None:
    url = postgres_place.made()
    ledger = postgres_place.ledger(url, timeout_s=1.0)
    ledger.apply([delivery(event(1))], cursor(2))
    with psycopg.connect(url) as held:
        held.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreBusyError):
            ledger.apply([delivery(event(2))], cursor(3))
    assert ledger.dead_letters() == []
    assert ledger.apply([delivery(event(2))], cursor(3)) == []
    ledger.close()


def test_a_database_that_may_only_be_read_makes_it_wait(postgres_server: Any) -> None:
    url = postgres_place.made()
    ledger = postgres_place.ledger(url)
    ledger.links.parameters["options"] += " -c default_transaction_read_only=on"
    with pytest.raises(StoreBusyError, match="read-only"):
        ledger.apply([delivery(event(1))], cursor(2))
    ledger.close()


def test_each_connection_says_who_it_is_and_has_its_limits(postgres_server: Any) -> None:
    ledger = postgres_place.ledger(postgres_place.made(), timeout_s=7.0)
    asked = (
        "SELECT current_setting('application_name'), current_setting('statement_timeout'), "
        "current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'), "
        "current_setting('transaction_read_only')"
    )
    assert ledger.rows(asked) == [("levaithan", "7s", "3500ms", "37s", "on")]
    with ledger.links.writer() as link:
        assert link.execute(asked).fetchone() == ("levaithan", "7s", "3500ms", "37s", "off")
    ledger.edge.attempts = 1
    ledger.links.parameters["options"] = ledger.links.parameters["options"].replace("7000", "200")
    ledger.close()
    with pytest.raises(StoreTimeoutError, match="took longer"):
        ledger.rows("SELECT pg_sleep(5)")
    ledger.close()


def test_the_certificate_is_checked(own_server: Any, tmp_path: Path) -> None:
    found = [one for one in postgres.binaries() if "site-packages" not in one.parts]
    if not found:
        fixtures.without("postgres", "no PostgreSQL with TLS is installed. next: apt install postgresql")
    server = own_server("postgres", lambda: postgres.Postgres(found[0]))
    endpoint = server.endpoint()
    assert endpoint.ca, "this build has TLS"
    url = postgres_place.database(server.url())
    ledger = postgres_place.ledger(url, ca_file=endpoint.ca)
    ledger.migrate()
    assert ledger.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(1,)]
    assert ledger.apply([delivery(event(1))], cursor(2)) == []
    ledger.close()
    stranger, _, _ = certificates.make(tmp_path)
    for authority in (str(stranger), str(tmp_path / "nothing")):
        other = postgres_place.ledger(url, ca_file=authority)
        with pytest.raises(StoreTlsError) as caught:
            other.rows("SELECT 1")
        assert "LEDGER_CA_FILE" in caught.value.fix
        other.close()


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    from tests.servers.process import free_port

    ledger = postgres_place.ledger(f"postgresql://a:secret@127.0.0.1:{free_port()}/x", JOURNAL)
    begun = time.monotonic()
    with pytest.raises(StoreDownError) as caught:
        ledger.rows("SELECT 1")
    assert time.monotonic() - begun < 5
    assert "secret" not in f"{caught.value}"
    assert "start the server" in caught.value.fix
    assert ledger.health().ok is False
    ledger.close()
