"""A user or password that is changed in the settings is taken up by what runs, and nothing else of them is."""

from __future__ import annotations

import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import calls, homes

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.hot.paths import Home
from levaithan.projector.loop import catch_up
from levaithan.service.pruning import Pruner
from levaithan.stores import registry, relogin

URL = "redis://levaithan@127.0.0.1:{}/0"


def home_of(folder: Path, port: int, **more: object) -> Home:
    root = homes.make_home(
        folder, native=False, search="off", graph="off", memory="off", counters_url=URL.format(port), **more
    )
    return paths.home_at(root)


def put(home: Home, **more: str) -> None:
    """Write settings over those that .env has."""
    env = Path(home.root, ".env")
    lines = [line for line in env.read_text().splitlines() if line.partition("=")[0] not in more]
    env.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in more.items())]) + "\n")


def change(server: Any, new: str) -> None:
    """The server has another password, and lets go of whoever is logged in."""
    import redis

    link = redis.Redis.from_url(server.endpoint().url)
    link.execute_command("ACL", "SETUSER", "levaithan", "resetpass", f">{new}")
    link.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    link.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    link.close()
    server.password = new


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("LEVAITHAN_COUNTERS_PASSWORD", "new", True),
        ("LEVAITHAN_COUNTERS_URL", "redis://somebody@127.0.0.1:1/0", True),
        ("LEVAITHAN_COUNTERS_CA_FILE", "/ca.pem", True),
        ("LEVAITHAN_COUNTERS_URL", "redis://levaithan@127.0.0.1:2/0", False),
        ("LEVAITHAN_COUNTERS_URL", "", False),
        ("LEVAITHAN_COUNTERS_TIMEOUT_MS", "70", False),
        ("LEVAITHAN_COUNTERS_TIMEOUT_MS", "of no sense", False),
        ("half a line", "", False),
    ],
)
def test_only_another_login_to_the_same_server_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, taken: bool
) -> None:
    monkeypatch.delenv("LEVAITHAN_COUNTERS_PASSWORD", raising=False)
    home = home_of(tmp_path, 1, counters_password="old")
    known = registry.opening_of("counters", settings_of.load(home.root), home)
    assert relogin.settings_of_now(known, home) is None
    put(home, **{name: value})
    assert (relogin.settings_of_now(known, home) is not None) is taken


def test_decisions_are_shared_again_and_pruning_asks_by_the_password_in_env(own_server: Any, tmp_path: Path) -> None:
    server = own_server("redis")
    home = home_of(tmp_path / "home", server.port, counters_password=server.password)
    before = settings_of.load(home.root)
    with homes.serving(home.root) as service:

        def shares() -> bool:
            told = (homes.control(home.root, "status") or {})["sharing"]
            return bool(told["answering"]) and not told["error"]

        homes.until(shares, 20)
        change(server, secrets.token_hex(12))
        homes.until(lambda: not shares(), 20)
        put(home, LEVAITHAN_COUNTERS_PASSWORD=server.password)
        homes.until(shares, 20)
        assert service.poll() is None, "the same process"
        assert calls.call(home.root, "python").code == 0
        homes.sync(home.root)
    assert catch_up(home, settings_of.load(home.root), stores=("counters",)).errors == {}
    app: Any = SimpleNamespace(settings=before, home=home)
    assert Pruner(app).delivered()["counters"] is not None, "though the service began with the old one"
