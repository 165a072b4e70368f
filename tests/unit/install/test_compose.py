"""docker-compose.yml keeps its promises; and every password that it asks for is made by setup, once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from levaithan.hot import paths
from levaithan.install import store_passwords

TOP = Path(__file__).resolve().parents[3]
TEXT = (TOP / store_passwords.COMPOSE).read_text("utf-8")
FILE: Any = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = FILE["services"]
UNITS = {"m": 1 << 20, "g": 1 << 30}


def test_the_stores_and_what_watches_them_are_there() -> None:
    assert {"postgres", "redis", "elasticsearch", "weaviate", "helix", "prometheus", "alertmanager", "grafana"} < set(
        SERVICES
    )


@pytest.mark.parametrize("name", SERVICES)
def test_a_server_is_pinned_bounded_and_on_loopback_only(name: str) -> None:
    one = SERVICES[name]
    tag = one["image"].rpartition(":")[2]
    assert "build" in one or re.fullmatch(r"v?\d+(\.\d+)+(-\w+)?", tag), one["image"]
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))
    assert one["mem_limit"]
    assert "healthcheck" in one
    assert one["security_opt"] == ["no-new-privileges:true"]
    volumes = [volume.partition(":")[0] for volume in one.get("volumes", [])]
    assert all(volume.startswith(("./deploy/", "$")) or volume in FILE["volumes"] for volume in volumes)


def test_a_laptop_of_16_gib_can_hold_it() -> None:
    total = sum(int(one["mem_limit"][:-1]) * UNITS[one["mem_limit"][-1]] for one in SERVICES.values())
    assert total <= 10 << 30


def test_every_volume_and_mounted_folder_is_there() -> None:
    named = {volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}
    assert set(FILE["volumes"]) <= named | {"service"}
    for folder in [volume for volume in named if volume.startswith("./")]:
        assert any((TOP / folder).iterdir()), folder


def test_the_service_runs_without_root_on_a_file_system_it_cannot_write() -> None:
    service = SERVICES["service"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    recipe = (TOP / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER levaithan$", recipe, re.MULTILINE)
    assert recipe.rindex("USER levaithan") > recipe.rindex("useradd")
    assert not re.search(r"^FROM \S+:latest|^FROM [^:\s]+\s", recipe, re.MULTILINE)


def test_setup_makes_every_password_that_is_asked_for() -> None:
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) == set(store_passwords.NAMES)
    for one in SERVICES.values():
        settings = one.get("environment", {})
        given = {name: value for name, value in settings.items() if re.search("PASS|SECRET|KEYS", name)}
        assert all(value.startswith("${") for value in given.values()), given


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> paths.Home:
    for name in store_passwords.NAMES:
        monkeypatch.delenv(name, raising=False)
    made = paths.home_at(str(tmp_path))
    (tmp_path / store_passwords.COMPOSE).write_text(TEXT)
    return made


def test_they_are_made_once_each_another_and_what_is_there_stays(home: paths.Home) -> None:
    env = Path(home.root, ".env")
    env.write_text("LEVAITHAN_LEDGER_PASSWORD=mine\n# GRAFANA_PASSWORD=no\nLEVAITHAN_FSYNC=never")
    others = [name for name in store_passwords.NAMES if name != "LEVAITHAN_LEDGER_PASSWORD"]
    assert store_passwords.missing(home) == others
    said = store_passwords.make(home)
    assert said.startswith("6 passwords in ")
    text = env.read_text()
    assert text.startswith("LEVAITHAN_LEDGER_PASSWORD=mine\n# GRAFANA_PASSWORD=no\nLEVAITHAN_FSYNC=never\n")
    made = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    fresh = [made[name] for name in others]
    assert len(set(fresh)) == 6
    assert all(len(one) >= 32 and one not in said for one in fresh)
    assert env.stat().st_mode & 0o777 == 0o600
    assert store_passwords.missing(home) == []


def test_one_given_another_way_is_not_made(home: paths.Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("LEVAITHAN_COUNTERS_PASSWORD_FILE", str(tmp_path / "secret"))
    assert "LEVAITHAN_COUNTERS_PASSWORD" not in store_passwords.missing(home)


def test_without_a_compose_file_there_is_nothing_to_make(tmp_path: Path) -> None:
    assert store_passwords.missing(paths.home_at(str(tmp_path))) == []
