"""A remedy that names a setting names one that there is: a name that is none is refused with all that stands in `.env`,
so that who follows such a remedy has a home where no command works any more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.fixtures import driver

from levaithan.config import layers, settings
from levaithan.errors import LevaithanError, NotConfigured, StoreError
from levaithan.projector import rebuild, scratch
from levaithan.stores import migrate, roles
from levaithan.stores.opening import Opening

SOURCE = Path(settings.__file__).parents[1]
ONES = {name.upper() for name in settings.names()}
KNOWN = ONES | {f"{name.upper()}_FILE" for name in layers.SECRETS}
SWITCHES = {*(name.upper() for name in layers.NOT_SETTINGS), "CLAUDE"}
"""What is set for a single process and stands in no file: LEVAITHAN_CLAUDE is where doctor finds the client."""
_NAME = re.compile(r"LEVAITHAN_((?:[A-Z]|_(?=[A-Z{])|\{[a-z.()]+\})+)")
_BY_ROLE = re.compile(r"\{(?:role|name)\.upper\(\)\}(?=_)")
FAILURES = SOURCE / "stores" / "roles" / "failures.py"
"""Its templates are filled in below, each by the role that it is for."""


def named(text: str) -> set[str]:
    """The settings that `text` names, without the prefix."""
    return set(_NAME.findall(text))


def kinds(kind: type[LevaithanError]) -> Iterator[type[LevaithanError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from kinds(one)


@pytest.mark.parametrize("role", layers.STORES)
def test_every_error_of_a_store_names_settings_of_its_role(role: str) -> None:
    found = set(kinds(StoreError))
    assert {rebuild.RebuildBusyError, scratch.ScratchError, migrate.MigrationLostRowsError} < found, "all are loaded"
    told = {one: one(store=role, role=role.upper(), where="there", reason="no").fix for one in found}
    assert {one: sorted(named(fix) - KNOWN) for one, fix in told.items() if named(fix) - KNOWN} == {}
    logins = named(told[roles.StoreAuthError])
    assert logins == {name for name in logins if name.startswith(f"{role.upper()}_")}
    keys = {f"{role.upper()}_{part}" for part in ("PASSWORD", "API_KEY")} & ONES
    assert keys | {f"{key}_FILE" for key in keys if key != "SEARCH_API_KEY"} <= logins, "each way to log in is named"


def test_every_setting_that_the_source_names_is_one() -> None:
    """Texts that are put together by role (`LEVAITHAN_{name.upper()}_URL`) must be right for each of them."""
    wrong = {}
    for file in SOURCE.rglob("*.py"):
        for name in named(file.read_text(encoding="utf-8")) if file != FAILURES else ():
            ways = {_BY_ROLE.sub(role.upper(), name) for role in layers.STORES}
            wrong[f"{file.relative_to(SOURCE)}: {name}"] = sorted(ways - KNOWN - SWITCHES)
    assert len(wrong) > 50
    assert {name: ones for name, ones in wrong.items() if ones and "}" not in ones[0]} == {}


@pytest.mark.parametrize("role", layers.STORES)
def test_what_the_remedy_of_a_login_names_is_taken(role: str, tmp_path: Path) -> None:
    """The remedy followed to the letter, each setting in turn."""
    (tmp_path / "secret").write_text("made-up\n", encoding="utf-8")
    fix = roles.StoreAuthError(store=role, role=role.upper(), where="there", reason="no").fix
    for name in named(fix) - {f"{role.upper()}_URL"}:
        value = tmp_path / "secret" if name.endswith("_FILE") else "made-up"
        (tmp_path / ".env").write_text(f"LEVAITHAN_{name}={value}\n", encoding="utf-8")
        given = settings.load(str(tmp_path), environ={})
        assert getattr(given, name.removesuffix("_FILE").lower()) == "made-up"
    other = {"graph": "PASSWORD", "memory": "PASSWORD", "ledger": "API_KEY", "counters": "API_KEY"}.get(role)
    if other:
        (tmp_path / ".env").write_text(f"LEVAITHAN_{role.upper()}_{other}=made-up\n", encoding="utf-8")
        with pytest.raises(NotConfigured, match="which is no setting"):
            settings.load(str(tmp_path), environ={})


@pytest.mark.parametrize("role", layers.STORES)
def test_only_the_url_is_named_where_the_refused_password_stood_in_it(role: str) -> None:
    """A password in the URL goes first: who corrects a setting beside it changes nothing."""
    for url, known in (("x://:no@h/d", True), ("x://me:no@h/d", True), ("x://me@h/d", False), ("x://[:no@h", False)):
        opening = Opening(role, "", "", url=url, password="beside")
        fix = roles.StoreAuthError(store=role, role=role.upper(), where="there", in_url=opening.in_url).fix
        assert (named(fix) == {f"{role.upper()}_URL"}) is known, (url, fix)


def test_a_password_in_the_url_that_redis_refuses_is_to_be_corrected_there() -> None:
    failures = driver("redis", "redis").exceptions
    from levaithan.stores.redis_link import translator

    told = translator(Opening("counters", "", "", url="redis://:zq@h", password="made"), "counters", 1.0)
    fix = told(failures.AuthenticationError("WRONGPASS no")).fix
    assert fix.startswith("correct the password or the user in LEVAITHAN_COUNTERS_URL (")


@pytest.mark.parametrize(
    ("url", "setting"),
    [("postgresql://levaithan_writer@h/db", "LEDGER_WRITER_PASSWORD"), ("postgresql://me@h/db", "LEDGER_PASSWORD"),
     ("postgresql://levaithan_writer:zq@h/db", "LEDGER_URL")],
)  # fmt: skip
def test_who_is_refused_at_postgresql_is_told_of_the_login_that_was_used(url: str, setting: str) -> None:
    """As the writer, nothing of the URL but the server is used: another login in it changes nothing."""
    errors = driver("postgres", "psycopg").errors
    from levaithan.stores.postgres_errors import translator

    told = translator(Opening("ledger", "", "", url=url, password="made"))(errors.InvalidPassword("no"))
    assert isinstance(told, roles.StoreAuthError)
    assert setting in named(told.fix)
    assert ("writer" in told.fix) is ("WRITER" in setting)
    assert ("levaithan store migrate ledger --roles" in told.fix) is ("WRITER" in setting)
    assert (named(told.fix) == {"LEDGER_URL"}) is (setting == "LEDGER_URL")
