"""Which value wins, where it is said to come from, and what a person is told about a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from levaithan.config import layers, lean
from levaithan.config.settings import Settings, load, names
from levaithan.errors import NotConfigured, SettingsUnreadable


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "context").mkdir()
    return tmp_path


def write(home: Path, *, env: str = "", toml: str = "") -> None:
    (home / ".env").write_text(env)
    (home / "context/settings.toml").write_text(toml)


def test_defaults_without_any_file(home: Path) -> None:
    settings = load(str(home), environ={})
    assert (settings.fsync, settings.search, settings.wait_ms, settings.ledger_url) == ("always", True, 2000, None)
    assert settings.home == str(home) and settings.signing_key_path == str(home / "keys/journal.key")
    assert settings.origins.pop("home") == "flag --home"
    assert set(settings.origins.values()) == {"default"} and set(settings.origins) == set(names()) - {"home"}


def test_flags_beat_the_environment_beats_dotenv_beats_toml_beats_defaults(home: Path) -> None:
    write(
        home,
        env="LEVAITHAN_WAIT_MS=30\nLEVAITHAN_DEADLINE_MS=30\nLEVAITHAN_FSYNC_INTERVAL_MS=30\n",
        toml="wait_ms = 40\ndeadline_ms = 40\nfsync_interval_ms = 40\nlog_backups = 40\n",
    )
    settings = load(str(home), environ={"LEVAITHAN_WAIT_MS": "20", "LEVAITHAN_DEADLINE_MS": "20"}, wait_ms=10)
    assert (settings.wait_ms, settings.deadline_ms, settings.fsync_interval_ms) == (10, 20, 30)
    assert (settings.log_backups, settings.checkpoint_interval_s) == (40, 60)
    assert settings.origins["wait_ms"] == "flag --wait-ms"
    assert settings.origins["deadline_ms"] == "environment (LEVAITHAN_DEADLINE_MS)"
    assert settings.origins["fsync_interval_ms"] == f"{home}/.env line 3"
    assert settings.origins["log_backups"] == f"{home}/context/settings.toml"
    assert settings.origins["checkpoint_interval_s"] == "default"


def test_an_empty_value_means_not_set(home: Path) -> None:
    write(home, env="LEVAITHAN_WAIT_MS=\nLEVAITHAN_LEDGER_URL=''\n", toml="wait_ms = 40\n")
    settings = load(str(home), environ={"LEVAITHAN_FSYNC": ""}, wait_ms=None)
    assert (settings.wait_ms, settings.ledger_url, settings.fsync) == (40, None, "always")


def test_the_forms_of_dotenv(home: Path) -> None:
    write(
        home,
        env="\ufeff# a comment\n\nexport LEVAITHAN_FSYNC=never # why\nLEVAITHAN_SEARCH='off'\nOTHER=1\n"
        'LEVAITHAN_LEDGER_URL="postgresql://u:p#q@h/db"\nLEVAITHAN_SEGMENT_BYTES = 64MiB\nLEVAITHAN_LOG_LEVEL=#no\n',
    )
    settings = load(str(home), environ={})
    assert (settings.fsync, settings.search, settings.segment_bytes) == ("never", False, 64 << 20)
    assert settings.ledger_url == "postgresql://u:p#q@h/db" and settings.log_level == "info"


@pytest.mark.parametrize(
    ("env", "toml", "told"),
    [
        ("LEVAITHAN_FSYNC=sometimes", "", ["fsync", "sometimes", ".env line 1", "always, interval, never"]),
        ("", "wait_ms = 99999", ["wait_ms", "99999", "settings.toml", "from 1 to 5000"]),
        ("", 'search = "perhaps"', ["search", "perhaps", "on, off"]),
        ("", "fsnyc = 'always'", ["fsnyc", "settings.toml"]),
        ("LEVAITHAN_FSNYC=always", "", ["fsnyc", ".env line 1"]),
        ("LEVAITHAN_HOME=/elsewhere", "", ["home", ".env line 1"]),
    ],
)
def test_a_bad_value_names_the_place_the_key_and_what_is_allowed(
    home: Path, env: str, toml: str, told: list[str]
) -> None:
    write(home, env=env, toml=toml)
    with pytest.raises(NotConfigured) as caught:
        load(str(home), environ={})
    assert [word for word in told if word not in caught.value.message] == []
    assert caught.value.exit_code == 4 and caught.value.fix


def test_a_misspelt_name_gets_the_right_one_proposed(home: Path) -> None:
    write(home, toml="fsnyc = 'always'")
    with pytest.raises(NotConfigured) as caught:
        load(str(home), environ={})
    assert "did you mean fsync?" in caught.value.fix


def test_a_bad_secret_is_not_told(home: Path) -> None:
    write(home, toml="ledger_url = ['s3cret']")
    with pytest.raises(NotConfigured) as caught:
        load(str(home), environ={})
    assert "s3cret" not in caught.value.message + caught.value.fix


@pytest.mark.parametrize(
    ("env", "toml", "told"), [("no equals sign", "", "line 1"), ("", "a = = 1", "line 1"), ("", "fsync\n", "line 1")]
)
def test_a_file_that_is_no_settings_is_named_with_its_line(home: Path, env: str, toml: str, told: str) -> None:
    write(home, env=env, toml=toml)
    with pytest.raises(SettingsUnreadable) as caught:
        load(str(home), environ={})
    assert told in caught.value.message and str(home) in caught.value.message


def test_a_file_that_is_not_text_is_named(home: Path) -> None:
    (home / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsUnreadable, match="UTF-8"):
        load(str(home), environ={})


def test_a_secret_may_come_from_a_file_and_the_plain_form_wins(home: Path) -> None:
    secret = home / "url"
    secret.write_text("postgresql://u:p@h/db\n")
    settings = load(str(home), environ={"LEVAITHAN_LEDGER_URL_FILE": str(secret)})
    assert settings.ledger_url == "postgresql://u:p@h/db"
    assert settings.origins["ledger_url"] == f"file {secret} (LEVAITHAN_LEDGER_URL_FILE)"
    both = {"LEVAITHAN_LEDGER_URL_FILE": str(secret), "LEVAITHAN_LEDGER_URL": "sqlite://"}
    assert load(str(home), environ=both).ledger_url == "sqlite://"


def test_a_secret_file_that_is_missing_is_an_error_with_a_fix(home: Path) -> None:
    with pytest.raises(SettingsUnreadable) as caught:
        load(str(home), environ={"LEVAITHAN_LEDGER_URL_FILE": str(home / "nowhere")})
    assert "LEVAITHAN_LEDGER_URL_FILE" in caught.value.fix


def test_a_foreign_variable_of_the_environment_is_left_alone(home: Path) -> None:
    assert load(str(home), environ={"LEVAITHAN_REQUIRE_STORES": "x", "LEVAITHAN_NEWER": "1"}).fsync == "always"


def test_the_dotenv_of_a_checkouts_own_home_lies_beside_setup(tmp_path: Path) -> None:
    (tmp_path / "src/levaithan").mkdir(parents=True)
    (tmp_path / ".claude/context").mkdir(parents=True)
    assert layers.env_file(str(tmp_path / ".claude")) == str(tmp_path / ".env")
    assert layers.env_file(str(tmp_path / "home")) == str(tmp_path / "home/.env")


def test_settings_do_not_change_under_the_feet(home: Path) -> None:
    settings = load(str(home), environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.fsync = "never"
    assert type(settings) is Settings and settings.model_dump() == load(str(home), environ={}).model_dump()


@pytest.mark.parametrize(
    ("environ", "env", "toml"),
    [
        ({}, "", ""),
        ({"LEVAITHAN_LEDGER_URL": "a"}, "LEVAITHAN_LEDGER_URL=b", "ledger_url = 'c'"),
        ({}, "LEVAITHAN_LEDGER_URL=b\nLEVAITHAN_SEARCH=off", "ledger_url = 'c'\nsearch = true"),
        ({}, "", "search = false"),
        ({"LEVAITHAN_SEARCH": "NO"}, "", ""),
        ({"LEVAITHAN_SEARCH": "1"}, "", "search = false"),
    ],
)
def test_the_lean_reader_agrees_with_the_full_one(home: Path, environ: dict[str, str], env: str, toml: str) -> None:
    write(home, env=env, toml=toml)
    quick, full = lean.load(str(home), environ), load(str(home), environ=environ)
    for name in ("home", "ledger_url", "search", "ledger_max_field_bytes"):
        assert getattr(quick, name) == getattr(full, name)


def test_the_lean_reader_refuses_what_the_full_one_refuses(home: Path) -> None:
    write(home, env="LEVAITHAN_SEARCH=perhaps")
    for reader in (lambda: lean.load(str(home), {}), lambda: load(str(home), environ={})):
        with pytest.raises(NotConfigured, match="search = 'perhaps' is not allowed"):
            reader()
