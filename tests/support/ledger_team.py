"""Homes that share a ledger on a PostgreSQL server of the test's own, for it alone has its roles, and their setup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support import homes, postgres_place
from tests.support.ledger_records import JournalFiles

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.hot.paths import Home
from levaithan.install import checks_stores, setup_plan


class Team:
    """A database on the server, and homes that use it."""

    def __init__(self, folder: Path, server: Any) -> None:
        self.folder, self.server = folder, server
        postgres_place.database(server.url(), "levaithan")

    def url(self, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/levaithan"

    def home(self, name: str, user: str = "postgres", password: str = "") -> Home:
        secret = self.folder / f"{name}.secret"
        secret.write_text(password or self.server.password)
        root = homes.make_home(
            self.folder / name, native=False, search="off", graph="off", memory="off",
            ledger_url=self.url(user), ledger_password_file=secret,
        )  # fmt: skip
        JournalFiles(paths.home_at(root).journal).events(20)
        return paths.home_at(root)

    def execute(self, *statements: str) -> list[Any]:
        import psycopg

        with psycopg.connect(self.server.url("levaithan"), autocommit=True) as link:
            for one in statements:
                run = link.execute(one)
            return run.fetchall() if run.description else []


def apply(home: Home) -> tuple[dict[str, str], list[str]]:
    """Set the stores of a home up: (step -> what it said, what was warned of)."""
    options = setup_plan.Options()
    steps = [one for one in setup_plan.plan(home, options) if one.id in ("stores", setup_plan.ROLES)]
    return {one.id: one.apply() for one in [one for one in steps if one.needed()]}, options.warnings


def given(home: Home) -> dict[str, str]:
    lines = Path(home.root, ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def warned(home: Home) -> list[str]:
    found = checks_stores.of_store("ledger", settings_of.load(home.root), home)
    return [one.message for one in found if one.status == "warn"]
