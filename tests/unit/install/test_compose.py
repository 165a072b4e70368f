"""docker-compose.yml keeps its promises; and every password that it asks for is made by setup, once."""

from __future__ import annotations

import os
import re
import subprocess
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
MINE = "LEVAITHAN_LEDGER_PASSWORD"
UNITS = {"m": 1 << 20, "g": 1 << 30}


def test_the_stores_and_what_watches_them_are_there() -> None:
    stores = {"postgres", "redis", "elasticsearch", "weaviate", "helix", "helix-gate"}
    assert stores | {"prometheus", "alertmanager", "grafana"} < set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_server_is_pinned_bounded_and_on_loopback_only(name: str) -> None:
    one = SERVICES[name]
    tag = one["image"].rpartition(":")[2]
    assert "build" in one or re.fullmatch(r"v?\d+(\.\d+)+(-\w+)?", tag), one["image"]
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))
    assert one["mem_limit"]
    check = one["healthcheck"]
    assert check == {"disable": True} if name == "helix" else check["test"][0] in ("CMD", "CMD-SHELL"), (
        "the image of HelixDB has nothing to ask with: its gate's asks it"
    )
    assert one["security_opt"] == ["no-new-privileges:true"]
    volumes = [volume.partition(":")[0] for volume in one.get("volumes", [])]
    known = ("./deploy/", "./docs", "$")
    assert all(volume.startswith(known) or volume in FILE["volumes"] for volume in volumes)
    assert all(volume.endswith(":ro") for volume in one.get("volumes", []) if volume.startswith("./"))


def test_weaviate_makes_no_collection_of_an_object_that_comes_too_late() -> None:
    assert SERVICES["weaviate"]["environment"]["AUTOSCHEMA_ENABLED"] == "false"


def test_a_laptop_of_16_gib_can_hold_it() -> None:
    limits = {name: int(one["mem_limit"][:-1]) * UNITS[one["mem_limit"][-1]] for name, one in SERVICES.items()}
    whole, service = sum(limits.values()) / (1 << 30), limits["service"] / (1 << 30)
    assert whole <= 10
    head = TEXT[: TEXT.index("name: levaithan")]
    assert f"add up to {whole - service:.1f} GiB ({whole:.1f} with the service)" in head


def test_helixdb_is_reached_through_its_gate_alone() -> None:
    """What the gate does is tests/contract/test_helix_gate.py's, with a real nginx and these very words."""
    helix, gate = SERVICES["helix"], SERVICES["helix-gate"]
    network = FILE["networks"]["graph"]
    assert (network["internal"], network["enable_ipv6"]) == (True, False)
    (mode,) = network["driver_opts"].items()
    assert mode == ("com.docker.network.bridge.gateway_mode_ipv4", "${HELIX_NETWORK:-isolated}"), "not the host"
    there = {name for name, one in SERVICES.items() if "graph" in one.get("networks", [])}
    assert there == {"objects", "helix", "helix-gate"}
    assert helix["networks"] == SERVICES["objects"]["networks"] == ["graph"], "it is in no other network"
    assert not {"ports", "expose", "network_mode"} & set(helix)
    assert gate["networks"] == ["default", "graph"], "no port is published from a network without a way out"
    assert gate["ports"] == ["127.0.0.1:7474:7474"]
    assert (gate["user"], gate["read_only"], gate["cap_drop"]) == ("101:101", True, ["ALL"])
    assert gate["tmpfs"] == ["/run/gate:mode=0700,uid=101,gid=101"]
    assert gate["depends_on"] == {"helix": {"condition": "service_started"}}
    config = (TOP / "deploy/helix/nginx.conf").read_text("utf-8")
    assert set(re.findall(r"listen (\S+);", config)) == {"7474", "127.0.0.1:7475"}
    assert set(re.findall(r"http://[\w.:]+", config)) == {"http://helix:8080"}


def test_every_volume_and_mounted_folder_is_there() -> None:
    named = {volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}
    assert set(FILE["volumes"]) <= named | {"service"}
    for folder in [volume for volume in named if volume.startswith("./")]:
        assert any((TOP / folder).iterdir()), folder


KEEPS = {
    "postgres": ("postgres", "/var/lib/postgresql/data", "POSTGRES_INITDB_ARGS: --auth-host=scram-sha-256"),
    "redis": ("redis", "/data", 'echo "requirepass $$REDIS_PASSWORD"'),
    "elasticsearch": ("elasticsearch", "/usr/share/elasticsearch/data", "xpack.security.enabled: 'true'"),
    "weaviate": ("weaviate", "/var/lib/weaviate", "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED: 'false'"),
    "objects": ("helix", "/data", '"$$S3_SECRET" > /run/s3/s3.json'),
    "prometheus": ("prometheus", "/prometheus", ""),
    "alertmanager": ("alertmanager", "/alertmanager", ""),
    "grafana": ("grafana", "/var/lib/grafana", "GF_AUTH_ANONYMOUS_ENABLED: 'false'"),
}
"""Who keeps something: in which volume, where that is mounted, and what makes it ask for its password. HelixDB keeps
what it has with `objects`, and its gate's key is tests/contract/test_helix_gate.py's."""


@pytest.mark.parametrize("name", KEEPS)
def test_what_is_kept_outlives_its_container_and_wants_a_password(name: str) -> None:
    volume, place, asks = KEEPS[name]
    assert f"{volume}:{place}" in SERVICES[name]["volumes"]
    assert volume in FILE["volumes"]
    parts = [SERVICES[name].get(part, []) for part in ("command", "entrypoint")]
    words = "\n".join(
        [*(one for part in parts for one in part), yaml.safe_dump(SERVICES[name].get("environment", {}), width=1000)]
    )
    assert asks in words


LISTENS = {
    "prometheus": ("command", "--web.listen-address=127.0.0.1:9090"),
    "alertmanager": ("command", "--web.listen-address=127.0.0.1:9093"),
    "grafana": ("environment", "GF_SERVER_HTTP_ADDR"),
}


def test_what_shares_the_host_s_network_listens_on_loopback_and_is_asked_where_it_listens() -> None:
    on_host = {name for name, one in SERVICES.items() if one.get("network_mode") == "host"}
    assert on_host == {*LISTENS, "service"}
    for name, (part, said) in LISTENS.items():
        assert said in SERVICES[name][part], name
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert "--cluster.listen-address=" in SERVICES["alertmanager"]["command"]
    for name, port in {"prometheus": "9090", "alertmanager": "9093", "grafana": "3001"}.items():
        assert f"http://127.0.0.1:{port}/" in SERVICES[name]["healthcheck"]["test"][-1]
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_PORT"] == "3001"


def test_alertmanager_s_secrets_become_private_files_and_leave_its_environment(tmp_path: Path) -> None:
    """The entrypoint's own words, run by this machine's shell with other places."""
    shell, option, words, name = SERVICES["alertmanager"]["entrypoint"]
    into, program = tmp_path / "secrets", tmp_path / "program"
    into.mkdir()
    program.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\necho "$@"\n')
    program.chmod(0o755)
    for old, new in {"$$": "$", "/etc/levaithan": str(into), "/bin/alertmanager": str(program)}.items():
        assert old in words
        words = words.replace(old, new)
    secret = 'it\'s "$HOME" %s\\n'
    given = {"PATH": os.environ["PATH"], "ALERTMANAGER_TOKEN": secret, "ALERTMANAGER_SLACK_URL": "https://s.test/x"}
    done = subprocess.run(
        [shell, option, words, name, "--a", "b c"], env=given, capture_output=True, text=True, check=True
    )
    assert done.stdout == "--a b c\n"
    assert {path.name: path.read_text() for path in into.iterdir()} == {
        "alertmanager.token": secret,
        "slack.url": "https://s.test/x",
    }
    assert {path.stat().st_mode & 0o777 for path in into.iterdir()} == {0o600}
    assert "ALERTMANAGER" not in (tmp_path / "env").read_text()
    assert SERVICES["alertmanager"]["tmpfs"] == ["/etc/levaithan:mode=0700,uid=65534,gid=65534"]


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
    assert store_passwords.missing(home) == [name for name in store_passwords.NAMES if name != MINE]
    said = store_passwords.make(home)
    assert said.startswith(f"{len(store_passwords.NAMES) - 1} passwords in ")
    text = env.read_text()
    assert text.startswith("LEVAITHAN_LEDGER_PASSWORD=mine\n# GRAFANA_PASSWORD=no\nLEVAITHAN_FSYNC=never\n")
    made = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    fresh = [made[name] for name in store_passwords.NAMES if name != MINE]
    assert len(set(fresh)) == len(store_passwords.NAMES) - 1
    assert all(len(one) >= 32 and one not in said for one in fresh)
    assert env.stat().st_mode & 0o777 == 0o600
    assert store_passwords.missing(home) == []


def test_one_given_another_way_is_not_made(home: paths.Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("LEVAITHAN_COUNTERS_PASSWORD_FILE", str(tmp_path / "secret"))
    assert "LEVAITHAN_COUNTERS_PASSWORD" not in store_passwords.missing(home)


def test_without_a_compose_file_there_is_nothing_to_make(tmp_path: Path) -> None:
    assert store_passwords.missing(paths.home_at(str(tmp_path))) == []
