"""What `doctor` and `store check` find of each store on its server: version, login, schema, clock, space, TLS."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.servers import fixtures
from tests.support import elastic_place, helix_place, homes, postgres_place, weaviate_place
from tests.support.ledger_records import JournalFiles

from levaithan.config import layers
from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.hot.paths import Home
from levaithan.install import checks_stores
from levaithan.install.finding import Asked, Result
from levaithan.projector.loop import catch_up
from levaithan.stores import registry
from levaithan.stores.roles import Health

STRANGE = "0ne-that-is-wrong"
NAMES = {name.upper() for name in settings_of.names()}
SETTINGS = NAMES | {f"{name.upper()}_FILE" for name in layers.SECRETS}


@dataclass
class Used:
    """A home that uses one server. server: what it is called there; wrong: settings with another login."""

    home: Home
    role: str
    server: str
    wrong: dict[str, str]
    bytes_free: bool = False
    tells_time: bool = False

    def found(self) -> list[Result]:
        return list(checks_stores.of_store(self.role, settings_of.load(self.home.root, environ={}), self.home))

    def words(self, status: str) -> list[str]:
        return [one.message for one in self.found() if one.status == status]

    def put(self, **settings: str) -> None:
        with Path(self.home.root, ".env").open("a") as file:
            file.writelines(f"LEVAITHAN_{name.upper()}={value}\n" for name, value in settings.items())


def used(folder: Path, role: str, server: str, settings: dict[str, str], wrong: dict[str, str], **more: bool) -> Used:
    off = {name: "off" for name in ("search", "graph", "memory") if name != role}
    home = paths.home_at(homes.make_home(folder / "home", native=False, **off, **settings))
    JournalFiles(home.journal).events(5)
    assert catch_up(home, settings_of.load(home.root, environ={}), stores=(role,)).errors == {}
    return Used(home, role, server, wrong, **more)


def on_postgres(folder: Path) -> Used:
    endpoint = fixtures.given("postgres")
    url = postgres_place.made()
    return used(folder, "ledger", "PostgreSQL", {"ledger_url": url},
                {"ledger_url": url.replace(endpoint.password, STRANGE)}, tells_time=True)  # fmt: skip


def on_redis(folder: Path) -> Used:
    endpoint = fixtures.given("redis")
    url = f"{endpoint.url}?prefix={secrets.token_hex(6)}"
    return used(folder, "counters", "Redis", {"counters_url": url},
                {"counters_url": url.replace(endpoint.password, STRANGE)}, tells_time=True)  # fmt: skip


def on_elasticsearch(folder: Path) -> Used:
    endpoint = fixtures.given("elasticsearch")
    url = elastic_place.opening(endpoint, folder, elastic_place.name()).url
    return used(folder, "search", "Elasticsearch", {"search_url": url, "search_ca_file": endpoint.ca},
                {"search_url": url.replace(endpoint.password, STRANGE)},
                bytes_free=True, tells_time=True)  # fmt: skip


def on_helix(folder: Path) -> Used:
    endpoint = fixtures.given("helix")
    settings = {"graph_url": helix_place.named(endpoint.url), "graph_api_key": endpoint.password}
    return used(folder, "graph", "HelixDB", settings, {"graph_api_key": STRANGE}, tells_time=True)


def on_weaviate_imitation(folder: Path) -> Used:
    from tests.servers.weaviate_imitation import Imitation

    server = Imitation(key="imitated-key")
    server.start()
    _RUNNING.append(server.stop)
    settings = {"memory_url": server.url, "memory_api_key": server.key}
    return used(folder, "memory", "Weaviate", settings, {"memory_api_key": STRANGE}, tells_time=True)


def on_weaviate(folder: Path) -> Used:
    endpoint = fixtures.given("weaviate")
    url = f"{weaviate_place.of(endpoint, folder).opening.url}"
    settings = {"memory_url": url, "memory_api_key": endpoint.password}
    return used(folder, "memory", "Weaviate", settings, {"memory_api_key": STRANGE}, tells_time=True)


_RUNNING: list[Callable[[], None]] = []
SERVERS: dict[str, Callable[[Path], Used]] = {
    "postgres": on_postgres, "redis": on_redis, "elasticsearch": on_elasticsearch, "helix": on_helix,
    "weaviate": on_weaviate, "weaviate imitation": on_weaviate_imitation,
}  # fmt: skip


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Used]:
    yield SERVERS[request.param](tmp_path)
    while _RUNNING:
        _RUNNING.pop()()


def test_a_sound_one_is_said_to_be_and_what_it_is(place: Used) -> None:
    (one, *others) = [one for one in place.found() if "is a superuser" not in one.message]
    assert (one.status, one.message.partition(" (")[0]) == ("ok", "up to date"), one
    assert place.server in one.data["server"]
    assert one.data["capabilities"]
    assert [other.message for other in others if other.status == "fail"] == []
    whole = checks_stores.stores(Asked(place.home))
    assert one in [result for result in whole if result.id == place.role], "doctor looks at the same"


def test_another_login_is_refused_and_the_setting_named(place: Used) -> None:
    place.put(**place.wrong)
    (one,) = place.found()
    assert one.status == "fail"
    assert "refuses the user or the password" in one.message
    (changed,) = place.wrong
    assert f"LEVAITHAN_{changed.upper()}" in one.remedy, "what goes first is what is to be corrected"
    assert set(re.findall(r"LEVAITHAN_([A-Z_]*[A-Z])", one.remedy)) <= SETTINGS, "a name that is none is refused"
    assert STRANGE not in f"{one.as_row()}"


def test_a_schema_of_a_newer_version_is_said(place: Used, monkeypatch: pytest.MonkeyPatch) -> None:
    if place.role == "memory":
        return  # another version has collections of its own there
    store: Any = registry.open_store(place.role, settings_of.load(place.home.root, environ={}), place.home)
    store.close()
    monkeypatch.setattr(type(store), "check_version", lambda _self: _too_new())
    (one,) = place.found()
    assert (one.status, "newer levaithan" in one.message, "update" in one.remedy) == ("fail", True, True)


@pytest.mark.parametrize(("present", "words"), [("0", "of an older version (0)"), ("none", "is not there")])
def test_a_schema_that_is_older_or_gone_is_said(
    place: Used, monkeypatch: pytest.MonkeyPatch, present: str, words: str
) -> None:
    """What makes it so on each server is the business of its own tests: tests/faults/test_store_faults.py, `aged`."""
    assert not any("schema" in one.message for one in place.found())
    store: Any = registry.open_store(place.role, settings_of.load(place.home.root, environ={}), place.home)
    store.close()
    health = type(store).health

    def other(self: Any) -> Health:
        told: Health = health(self)
        told.schema = present
        return told

    monkeypatch.setattr(type(store), "health", other)
    monkeypatch.setattr(type(store), "current", lambda _self: False)
    (said,) = [one for one in place.found() if "schema" in one.message]
    assert (said.status, words in said.message) == ("warn", True), said
    assert said.remedy.endswith(f"levaithan store migrate {place.role}")


def test_a_connection_on_this_machine_needs_no_tls(place: Used) -> None:
    assert not any("not encrypted" in one.message for one in place.found())


def test_nobody_there_is_said_with_what_to_do(place: Used) -> None:
    known = urlsplit(str(getattr(settings_of.load(place.home.root, environ={}), f"{place.role}_url")))
    away = known._replace(netloc=f"{known.netloc.rpartition('@')[0]}@127.0.0.1:1".lstrip("@"), query="").geturl()
    place.put(**{f"{place.role}_url": away}, store_timeout_ms="1000")
    (one,) = place.found()
    assert one.status == "fail"
    assert f"LEVAITHAN_{place.role.upper()}_URL" in one.remedy
    assert not known.password or known.password not in f"{one.as_row()}"


def _too_new() -> None:
    from levaithan.stores.roles import SchemaTooNewError

    raise SchemaTooNewError(store="x", path="there", found="9999", known="1")


def test_a_version_that_is_too_old_is_said(place: Used, monkeypatch: pytest.MonkeyPatch) -> None:
    if place.role == "graph":
        assert all("older" not in words for words in place.words("warn")), "HelixDB tells no version"
        return
    oldest = {"ledger": "postgres_health.OLDEST", "counters": "redis_link.OLDEST",
              "search": "elastic_health.OLDEST_SERVER", "memory": "weaviate_health.OLDEST"}  # fmt: skip
    monkeypatch.setattr(f"levaithan.stores.{oldest[place.role]}", (99, 1))
    said = [one for one in place.found() if "is older than 99.1" in one.message]
    assert [one.status for one in said] == ["warn"]
    assert place.server in said[0].message
    assert "stores.md" in said[0].remedy


def test_a_clock_that_differs_is_said_where_the_server_tells_the_time(
    place: Used, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = {
        "ledger": "postgres_health", "counters": "redis_server", "search": "elastic_health", "graph": "helix_link",
        "memory": "weaviate_health",
    }.get(place.role)  # fmt: skip
    assert bool(module) == place.tells_time
    assert not any("clock" in words for words in place.words("warn"))
    if not module:
        return

    ahead = SimpleNamespace(**vars(time))
    ahead.time, ahead.time_ns = lambda: time.time() + 90, lambda: time.time_ns() + 90 * 10**9
    monkeypatch.setattr(f"levaithan.stores.{module}.time", ahead)
    (said,) = [words for words in place.words("warn") if "clock" in words]
    assert said.startswith(("its clock is 90.", "its clock is 89.")), said
    assert said.endswith("behind this machine's")


def test_a_disk_that_fills_is_said_where_the_server_tells_its_room(
    place: Used, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any("MiB left" in words for words in place.words("warn"))
    monkeypatch.setattr(checks_stores, "_ROOM", 1 << 62)
    said = [words for words in place.words("warn") if "MiB left" in words]
    assert len(said) == int(place.bytes_free), said


def test_the_room_of_redis_is_its_memory_and_of_the_engine_here_its_folder_s(
    own_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.servers.redis import Redis

    server = own_server("redis", lambda: Redis(settings=("maxmemory 64mb", "maxmemory-policy allkeys-lru")))
    place = used(tmp_path / "redis", "counters", "Redis", {"counters_url": server.url()}, {})
    words = place.words("warn")
    assert any("MiB left" in one and 0 < int(one.split()[3]) < 64 for one in words), words
    assert any("may drop keys" in one for one in words), words
    here = used(tmp_path / "engine", "graph", "HelixDB", {"graph_url": f"helix://{tmp_path}/folder"}, {})
    assert not any("MiB left" in one for one in here.words("warn"))
    monkeypatch.setattr(checks_stores, "_ROOM", 1 << 62)
    assert any("MiB left" in one for one in here.words("warn"))


@pytest.mark.parametrize("server", [on_weaviate, on_weaviate_imitation])
def test_a_weaviate_that_takes_no_writes_is_said(server: Callable[[Path], Used], tmp_path: Path) -> None:
    """As when its disk is nearly full, of which it tells no figure."""
    place = server(tmp_path)
    assert [one.status for one in place.found()] == ["ok", "ok"]
    store: Any = registry.open_store("memory", settings_of.load(place.home.root, environ={}), place.home)
    name = min(store.names.every)
    store.ask(lambda client: client.collections.use(name).config.update_shards("READONLY"))
    (one,) = place.found()
    assert (one.status, "1 of its 6 collections take no writes" in one.message) == ("fail", True), one
    assert "free disk space on the server and restart it" in one.remedy
    store.ask(lambda client: client.collections.use(name).config.update_shards("READY"))
    assert [one.status for one in place.found()] == ["ok", "ok"]
    store.close()
    while _RUNNING:
        _RUNNING.pop()()


UNTOLD = {"ledger": ["space"], "counters": ["space"], "search": [], "graph": ["version", "space"], "memory": ["space"]}


def test_what_a_server_does_not_tell_is_said_and_not_left_out(place: Used) -> None:
    (one,) = [found for found in place.found() if found.message.startswith("version: ")]
    parts = dict(part.split(": ") for part in one.message.split("; "))
    untold = [what for what, said in parts.items() if said == "not told by the server"]
    assert (one.status, list(parts), untold) == ("ok", ["version", "clock", "space"], UNTOLD[place.role]), one
    row = one.as_row()
    assert row["not_told"] == untold
    assert [what for what, name in (("version", "version"), ("clock", "skew_ms"), ("space", "free_bytes"))
            if row[name] is None] == untold  # fmt: skip
    assert untold.count("version") or row["version"] in place.found()[0].data["server"]
    about = place.role in ("graph", "memory")
    assert abs(row["skew_ms"]) < row["skew_error_ms"] + 200, "it is this machine's clock"
    assert (500 <= row["skew_error_ms"] < 1000) == about, "the date of an HTTP answer has no parts of a second"
    assert ("give or take 0.5 s" in parts["clock"]) == about


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"encrypted": False}, "not encrypted"),
        ({"encrypted": None}, None),
        ({"encrypted": True}, None),
        ({"skew_ms": -1500.0}, "its clock is 1.5 s behind"),
        ({"skew_ms": 2500.0}, "its clock is 2.5 s ahead of"),
        ({"skew_ms": 900.0}, None),
        ({"skew_ms": 1400.0, "skew_error_ms": 510.0}, None),
        ({"skew_ms": -1600.0, "skew_error_ms": 510.0}, "its clock is 1.6 s behind"),
        ({"free_bytes": 5 << 20}, "its disk has 5 MiB left"),
        ({"free_bytes": 2 << 30}, None),
    ],
)
def test_what_is_said_of_figures(told: dict[str, Any], said: str | None) -> None:
    results = list(checks_stores._server("graph", Health("graph", True, "x", "1", 0, 0, 0, **told)))
    assert [one.status for one in results] == ["warn"] * (said is not None)
    assert all(said in one.message and one.remedy for one in results if said)
