"""What setting up means, as data: steps that know whether they are needed, so that a plan comes before the deeds.

The service is started by the CLI, which stands above it and puts its step between these. Imports no service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.cost import table
from levaithan.hot import prices
from levaithan.install import (
    alertmanager_token,
    demo,
    home_files,
    home_folders,
    hooks,
    ledger_roles,
    store_passwords,
    store_schemas,
)
from levaithan.stores import edge

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.install.places import Place


ROLES = "roles"
"""The step after which the service works as another user of the ledger."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. describe: in a few words, as in a list; needed: whether it is to be done, asked when the plan is
    made; apply: does it and says what it did. apply raises LevaithanError or OSError."""

    id: str
    describe: str
    needed: Callable[[], bool]
    apply: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for: the projects and whether the user's settings get the hooks, the demo, local files."""

    projects: tuple[str, ...] = ()
    user: bool = False
    local: bool = False
    demo: bool = False
    warnings: list[str] = field(default_factory=list)


def plan(home: Home, options: Options) -> list[Step]:
    """The steps of a home, in order; those that are not needed are in it too. Raises UsageProblem for a wrong place.

    What installing the hooks has to warn of, and which stores have no schema yet and why, is put into
    `options.warnings` when those steps are applied; what keeps the ledger's roles from being made, when it is asked
    whether they are needed.
    """
    todo: list[tuple[str, str, Callable[[Home], object], Callable[[Home], str]]] = [
        ("folders", f"make the home {home.root}", home_folders.folders, home_folders.make_folders),
        ("files", "put the shipped rules and hooks into it", home_files.stale_files, home_files.copy_files),
        ("env", f"write {home_files.env_path(home)} from its template", home_files.env_missing, home_files.make_env),
        (
            "passwords",
            "make passwords for the servers of docker-compose.yml",
            store_passwords.missing,
            store_passwords.make,
        ),
        (
            "token",
            "make the token that Alertmanager shows to the monitor",
            alertmanager_token.missing,
            alertmanager_token.make,
        ),
        ("client", "build the native hook client", home_files.client_stale, home_files.make_client),
        ("prices", "compile the table of prices for budgets", prices_missing, make_prices),
        ("conf", "compile the settings for the hooks", home_files.conf_differs, home_files.make_conf),
        ("key", "make the key that signs the journal's checkpoints", home_files.key_missing, home_files.make_key),
    ]
    steps = [Step(name, words, partial(_truth, look, home), partial(make, home)) for name, words, look, make in todo]
    steps += [_stores_step(home, options), _roles_step(home, options)]
    return [*steps, *(_hooks_step(home, place, options) for place in places_of(options))]


def prices_missing(home: Home) -> bool:
    """Whether budgets would go by the prices that are built in; a table that is there is kept up to date by `cost`."""
    return not Path(home.state + prices.FILE).exists()


def make_prices(home: Home) -> str:
    """Compile the table of prices. Raises LevaithanError for a prices.toml that cannot be used."""
    return table.update(home).version


def _truth(look: Callable[[Home], object], home: Home) -> bool:
    return bool(look(home))


def places_of(options: Options) -> list[Place]:
    """Where the person wants the hooks. Raises UsageProblem for a folder that is not there."""
    found = [hooks.place_of(project, local=options.local) for project in options.projects]
    return [*found, hooks.place_of(None, user=True)] if options.user else found


def _stores_step(home: Home, options: Options) -> Step:
    def make() -> str:
        said, notes = store_schemas.make(home)
        options.warnings.extend(notes)
        return said

    return Step("stores", "make the schemas in the stores' servers", partial(store_schemas.missing, home), make)


def _roles_step(home: Home, options: Options) -> Step:
    def needed() -> bool:
        with edge.once():
            todo, note = ledger_roles.look(home)
        if note and note not in options.warnings:
            options.warnings.append(note)
        return todo

    return Step(ROLES, "make PostgreSQL's roles of least privilege", needed, partial(ledger_roles.make, home))


def _hooks_step(home: Home, place: Place, options: Options) -> Step:
    def missing() -> bool:
        looks = (home_folders.folders, home_files.stale_files, home_files.conf_differs, home_files.client_stale)
        if any(look(home) for look in looks):
            return True  # the home comes first: what would be registered is not known yet
        return hooks.install(home, place, dry_run=True)[0].changed

    def put() -> str:
        change, said = hooks.install(home, place)
        options.warnings.extend(said)
        return f"{change.real}: {change.what}"

    return Step("hooks", f"register the hooks in {place.path}", missing, put)


def demo_step(home: Home, run: Callable[[], str]) -> Step:
    """The main job once, in a scratch project; `run` does it and shows the audit (the CLI prints it)."""
    return Step("demo", "run the main job once in a scratch project", lambda: not demo.was_shown(home), run)
