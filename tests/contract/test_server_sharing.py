"""How the servers of tests are chosen, shared and ended: one a run, gone with it however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
import yaml
from tests.contract.conftest import offered
from tests.servers import catalogue, containers, fixtures, installed, keeper, sharing
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import SCRATCH, alive, family, sweep

from levaithan.stores import embedding

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
_RUN = """
import sys, time
from tests.servers import sharing
print(sharing.shared("redis").url, flush=True)
sys.stdin.read()
sharing.end_all()
"""


def run(**more: str) -> tuple[subprocess.Popen[str], str]:
    """A process that is a test run of its own with a Redis; it and the Redis' URL."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"} | more
    started = subprocess.Popen(
        [sys.executable, "-c", _RUN],
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert started.stdout
    return started, started.stdout.readline().strip()


def left_by(pid: int) -> list[Path]:
    return [*Path("/tmp").glob(f"{SCRATCH}{pid}-*")]


def gone(what: Callable[[], bool], limit_s: float = 15.0) -> bool:
    limit = time.monotonic() + limit_s
    while what():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def redis_is_local(redis_server: Endpoint) -> None:
    if redis_server.source != "local":
        pytest.skip("the runs of these tests start a process of this machine, and the shared Redis is none")


def keeper_of(pid: int) -> int:
    return int((left_by(pid)[0] / "redis.pid").read_text())


@pytest.mark.usefixtures("redis_is_local")
@pytest.mark.parametrize("how", ["ended", "killed"])
def test_a_run_that_has_ended_leaves_no_server_and_no_folder(how: str) -> None:
    started, url = run()
    assert url.startswith("redis://")
    keeper = keeper_of(started.pid)
    processes, folders = family(keeper), [*left_by(started.pid), *left_by(keeper)]
    assert len(processes) == 2
    assert all(map(alive, processes))
    if how == "ended":
        started.communicate(timeout=60)
    else:
        started.send_signal(signal.SIGKILL)
        started.wait()
    assert gone(lambda: any(map(alive, processes))), processes
    sweep()  # what a killed run cannot remove itself, the next one does
    assert not [one for one in folders if one.exists()]


@pytest.mark.usefixtures("redis_is_local")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
def test_a_keeper_that_is_killed_takes_its_server_along() -> None:
    started, _ = run()
    keeper = keeper_of(started.pid)
    _, server = family(keeper)
    os.kill(keeper, signal.SIGKILL)
    assert gone(lambda: alive(server))
    started.communicate(timeout=60)


@pytest.mark.usefixtures("redis_is_local")
def test_workers_of_one_run_get_one_server() -> None:
    ask = "from tests.servers import sharing; print(sharing.shared('redis').url)"
    command = f"""
import os, subprocess, sys
from tests.servers import sharing
environment = os.environ | {{"PYTEST_XDIST_WORKER": "gw0"}}
asked = [subprocess.Popen([sys.executable, "-c", {ask!r}], env=environment, stdout=subprocess.PIPE) for _ in range(3)]
print(*(one.communicate()[0].decode().strip() for one in asked))
sharing.end_all()
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    urls = done.stdout.split()
    assert len(urls) == 3
    assert len(set(urls)) == 1


def test_a_url_of_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVAITHAN_TEST_REDIS_URL", "rediss://me:secret@db.test:7000/1")
    monkeypatch.setenv("LEVAITHAN_TEST_REDIS_CA", "/ca.pem")
    given = sharing.from_environment("redis")
    assert given is not None
    assert (given.source, given.user, given.password, given.ca) == ("environment", "me", "secret", "/ca.pem")
    assert given.tls_url == given.url
    assert "secret" not in repr(given)
    monkeypatch.setattr(sharing, "_kept", lambda *_: pytest.fail("a server is started beside the one that is named"))
    assert sharing.shared.__wrapped__("redis") == given
    monkeypatch.delenv("LEVAITHAN_TEST_REDIS_URL")
    assert sharing.from_environment("redis") is None


@pytest.mark.parametrize(
    ("docker", "pulled", "expected"),
    [("", True, "a container"), ("", False, "a process"), ("no Docker engine answers", True, "a process")],
)
def test_a_container_comes_before_a_process_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, docker: str, pulled: bool, expected: str
) -> None:
    contained = Mock(start=Mock(return_value="a container", side_effect=None if pulled else containers.NotPulledError))
    here = Mock(start=Mock(return_value="a process"))
    monkeypatch.setattr(containers, "unavailable", lambda: docker)
    monkeypatch.setitem(containers.MADE, "redis", lambda: contained)
    monkeypatch.setattr(keeper, "local", lambda _store: here)
    assert keeper._started("redis") == (contained if expected == "a container" else here, expected)


@pytest.mark.parametrize(
    ("named", "fails"), [("postgres,redis", True), ("all", True), ("postgres", False), ("", False)]
)
def test_a_store_that_is_required_fails_instead_of_being_skipped(
    monkeypatch: pytest.MonkeyPatch, named: str, fails: bool
) -> None:
    monkeypatch.setenv("LEVAITHAN_REQUIRE_STORES", named)
    expected = pytest.fail.Exception if fails else pytest.skip.Exception
    with pytest.raises(expected, match=r"redis.*no server\. next: install it"):
        fixtures.without("redis", "no server. next: install it")


@pytest.mark.parametrize(
    ("name", "named", "fails"),
    [
        ("helix-engine", "helix", True), ("helix-engine", "helix-engine", True), ("helix", "helix-engine", False),
        ("weaviate imitation", "postgres, weaviate", True), ("weaviate imitation", "all", True),
        ("postgres", "redis", False), ("postgres", "", False),
    ],
)  # fmt: skip
def test_an_adapter_of_the_contract_suites_that_is_required_is_not_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, named: str, fails: bool
) -> None:
    def missing(_folder: Path) -> Any:
        raise ServerMissingError("it is not here. next: install it")

    monkeypatch.setenv("LEVAITHAN_REQUIRE_STORES", named)
    with pytest.raises(pytest.fail.Exception if fails else pytest.skip.Exception, match="next: install it"):
        offered(missing, name, tmp_path)


@pytest.mark.parametrize(("named", "expected"), [("redis", ModuleNotFoundError), ("", pytest.skip.Exception)])
def test_a_driver_that_is_not_installed_is_no_way_around_that(
    monkeypatch: pytest.MonkeyPatch, named: str, expected: type[BaseException]
) -> None:
    monkeypatch.setenv("LEVAITHAN_REQUIRE_STORES", named)
    assert fixtures.driver("redis", "json").loads("1") == 1
    with pytest.raises(expected):
        fixtures.driver("redis", "a_driver_that_nobody_made")


def test_an_endpoint_is_written_for_its_user_only_and_read_again(tmp_path: Path) -> None:
    endpoint = Endpoint("redis", "redis://u:p@h/0", "local", "8.2", "u", "p", more={"bin": "/x"})
    endpoint.save(tmp_path / "redis.json")
    assert Endpoint.load(tmp_path / "redis.json") == endpoint
    assert (tmp_path / "redis.json").stat().st_mode & 0o077 == 0


def test_an_api_key_is_the_password_of_the_url_and_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVAITHAN_TEST_WEAVIATE_URL", "http://:key@127.0.0.1:8080")
    monkeypatch.setenv("LEVAITHAN_TEST_WEAVIATE_GRPC", "127.0.0.1:50051")
    given = sharing.from_environment("weaviate")
    assert given is not None
    assert (given.url, given.password, given.more["grpc"]) == ("http://127.0.0.1:8080", "key", "127.0.0.1:50051")


@pytest.mark.parametrize("store", containers.MADE)
def test_a_container_is_the_compose_file_s_image_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.delenv(f"LEVAITHAN_TEST_{store.upper()}_IMAGE", raising=False)
    described = containers.MADE[store]()
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"][store]
    assert described.image == composed["image"]
    words = {"user": "u", "password": "p", "host": "127.0.0.1", "port": 1}
    assert described.url.format(**words).startswith(("http://", "postgresql://u:p@", "redis://u:p@"))
    monkeypatch.setenv(f"LEVAITHAN_TEST_{store.upper()}_IMAGE", "other:1")
    assert described.image == "other:1"


@pytest.mark.parametrize(("named", "fails"), [("redis,language-model", True), ("all", True), ("redis", False)])
def test_the_language_model_can_be_required_too(monkeypatch: pytest.MonkeyPatch, named: str, fails: bool) -> None:
    monkeypatch.setenv("LEVAITHAN_REQUIRE_STORES", named)
    fixtures.with_language_model()
    monkeypatch.setattr(embedding, "missing", lambda: ["onnx"])
    with pytest.raises(pytest.fail.Exception if fails else pytest.skip.Exception, match=r"onnx.* next: "):
        fixtures.with_language_model()


def test_what_is_installed_whole_is_named_and_the_rest_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What .ci/run requires where it can install nothing. `redis` has no TLS here, and PostgreSQL is the wheel's."""
    wheel = tmp_path / "site-packages" / "bin"
    wheel.mkdir(parents=True)
    for name in ("initdb", "postgres", "redis-server"):
        (wheel / name).write_text("#!/bin/sh\n")
        (wheel / name).chmod(0o755)
    monkeypatch.setenv("LEVAITHAN_TEST_POSTGRES_BIN", str(wheel))
    monkeypatch.setenv("LEVAITHAN_TEST_REDIS_BIN", str(wheel / "redis-server"))
    monkeypatch.setenv("LEVAITHAN_TEST_WEAVIATE_BIN", "none")
    monkeypatch.setenv("LEVAITHAN_TEST_NGINX_BIN", str(wheel / "none"))
    monkeypatch.setattr(installed.prometheus, "promtool", Mock())
    monkeypatch.setattr(installed.alertmanager, "amtool", Mock())
    monkeypatch.setattr(embedding, "missing", list)
    monkeypatch.setattr(installed, "local", lambda name: Mock() if name != "weaviate" else catalogue.local(name))
    installed.main()
    said = capsys.readouterr()
    assert said.out == "elasticsearch,helix,prometheus,alertmanager,language-model\n"
    left_out = [line.split(": ")[1] for line in said.err.splitlines()]
    assert left_out == ["postgres", "redis", "weaviate", "nginx"] and said.err.count(" next: ") == 4
    monkeypatch.setattr(installed.postgres, "binaries", lambda: [Path("/a"), Path("/b")])
    monkeypatch.setattr(installed.redis, "has_tls", lambda _binary: True)
    assert [installed.lacking(name) for name in ("postgres", "redis")] == ["", ""]
    monkeypatch.setattr(installed.postgres, "binaries", lambda: [Path("/a")])
    assert "one version" in installed.lacking("postgres")


def test_every_store_says_what_to_do_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "LEVAITHAN_TEST_POSTGRES_BIN": str(tmp_path),
        "LEVAITHAN_TEST_REDIS_BIN": str(tmp_path / "none"),
        "LEVAITHAN_TEST_ELASTICSEARCH_HOME": str(tmp_path),
        "LEVAITHAN_TEST_PROMETHEUS_BIN": str(tmp_path / "none"),
        "LEVAITHAN_TEST_ALERTMANAGER_BIN": str(tmp_path / "none"),
        "LEVAITHAN_TEST_WEAVIATE_BIN": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    for store in ("postgres", "redis", "elasticsearch", "weaviate", "prometheus", "alertmanager"):
        with pytest.raises(ServerMissingError, match=f"next: .*LEVAITHAN_TEST_{store.upper()}_URL"):
            catalogue.local(store)
