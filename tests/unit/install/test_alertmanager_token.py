"""The token between Alertmanager and the monitor: made once, private, the same that Alertmanager's container has."""

from __future__ import annotations

from pathlib import Path

import pytest

from levaithan.hot import paths
from levaithan.install import alertmanager_token, setup_plan, store_passwords


@pytest.fixture
def home(tmp_path: Path) -> paths.Home:
    return paths.home_at(str(tmp_path / "home"))


def dotenv(home: paths.Home, text: str) -> None:
    Path(home.root).mkdir(exist_ok=True)
    Path(home.root, ".env").write_text(text)


def test_it_is_made_once_for_its_owner_alone_and_never_said(home: paths.Home) -> None:
    assert alertmanager_token.missing(home)
    token = alertmanager_token.read(home)
    made = alertmanager_token.path_of(home)
    assert made == Path(home.keys, "alertmanager.token")
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert len(token) >= 32
    assert not alertmanager_token.missing(home)
    assert alertmanager_token.read(home) == token
    assert token not in alertmanager_token.make(home)
    assert alertmanager_token.read(home) != token


def test_what_setup_put_into_env_for_the_container_is_what_the_monitor_asks_for(home: paths.Home) -> None:
    Path(home.root).mkdir()
    Path(home.root, store_passwords.COMPOSE).write_text("name: x\n")
    store_passwords.make(home)
    told = dict(line.split("=", 1) for line in Path(home.root, ".env").read_text().splitlines() if "=" in line)[
        alertmanager_token.NAME
    ]
    assert alertmanager_token.read(home) == told
    dotenv(home, f"export {alertmanager_token.NAME}='another-token-of-24-bytes'\n")
    assert alertmanager_token.missing(home)
    assert alertmanager_token.read(home) == "another-token-of-24-bytes"


@pytest.mark.parametrize("damage", ["", "short\n", "two lines, each\nof a token's length\n", "ü" * 40, "x" * 2000])
def test_a_damaged_one_is_made_anew(home: paths.Home, damage: str) -> None:
    first = alertmanager_token.read(home)
    alertmanager_token.path_of(home).write_text(damage)
    assert alertmanager_token.missing(home)
    assert alertmanager_token.read(home) not in (first, damage.strip())


def test_one_that_others_could_read_or_that_is_no_file_is_made_anew(home: paths.Home) -> None:
    first, target = alertmanager_token.read(home), alertmanager_token.path_of(home)
    target.chmod(0o644)
    second = alertmanager_token.read(home)
    assert second != first
    target.unlink()
    target.mkdir()
    assert alertmanager_token.read(home) not in (first, second)
    assert target.is_file()


def test_a_token_in_env_that_cannot_be_used_does_not_weaken_it(home: paths.Home) -> None:
    dotenv(home, f"{alertmanager_token.NAME}=x\n")
    assert len(alertmanager_token.read(home)) >= 32


def test_setup_makes_it_after_the_passwords(home: paths.Home) -> None:
    steps = [one.id for one in setup_plan.plan(home, setup_plan.Options())]
    assert steps[steps.index("passwords") + 1] == "token"
