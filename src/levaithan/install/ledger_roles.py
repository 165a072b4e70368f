"""PostgreSQL's users of least privilege, made at setup: the service then works as the writer, dashboards as the reader,
and the tables belong to the owner, who is nothing else.

Where the URL's user may not make them that is said, with what to do, and is no error. A role that is there keeps its
password, for other machines use it. Imports stores; the driver only for a ledger on PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.config import layers, settings
from levaithan.errors import LevaithanError
from levaithan.install import home_files, store_passwords
from levaithan.stores import ledger_login, registry
from levaithan.stores.ledger_login import OWNER, READER, WRITER
from levaithan.stores.roles import LEDGER, StoreDownError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home
    from levaithan.stores.opening import Opening

_SETTINGS = {
    WRITER: ledger_login.WRITER_PASSWORD, READER: ledger_login.READER_PASSWORD, OWNER: ledger_login.OWNER_PASSWORD,
}  # fmt: skip


def passwords(home: Home, chosen: Any) -> dict[str, str]:
    """role -> its password as far as it is known here: a setting, else what `store migrate --roles` keeps in keys/."""
    found = {}
    for role, name in _SETTINGS.items():
        given = getattr(chosen, name, None) or _kept(home, role)
        if given:
            found[role] = str(given)
    return found


def look(home: Home) -> tuple[bool, str]:
    """(whether there is something to do, what a person should know besides). Raises NotConfigured."""
    chosen = settings.load(home.root)
    opening = _administrator(home, chosen)
    if opening is None:
        return False, ""
    from levaithan.stores.postgres_standing import standing  # noqa: PLC0415 - loads the driver

    known = passwords(home, chosen)
    try:
        found = standing(opening, known)
    except LevaithanError:
        return WRITER not in known, ""  # the step before has said why
    lacking = {*found.absent, *found.poorer, *found.locked}
    note = found.refused if lacking & {OWNER} else ""
    if note:
        lacking -= {OWNER}
    unsaved = [role for role in _SETTINGS if role in known and not getattr(chosen, _SETTINGS[role], None)]
    if not lacking:
        return bool(set(unsaved) - set(found.absent)), note
    if not found.may_make and WRITER in found.absent and getattr(chosen, _SETTINGS[WRITER], None):
        return False, _of_another(found.user, home)
    if not found.may_make:
        return False, _not_allowed(found.user) if found.beyond else ""
    locked = [role for role in found.locked if role in lacking]
    return (False, _locked(locked, home, known)) if locked else (True, note)


def make(home: Home) -> str:
    """Make the roles, and keep their passwords in .env; what was done, or why not yet, in words. Raises OSError,
    NotConfigured."""
    from levaithan.stores.postgres_roles import make_roles  # noqa: PLC0415 - loads the driver

    chosen = settings.load(home.root)
    opening, known = _administrator(home, chosen), passwords(home, chosen)
    if opening is None:
        return "no ledger on PostgreSQL"
    given = {role: known.get(role) or store_passwords.fresh() for role in _SETTINGS}
    try:
        done = make_roles(opening, given[WRITER], given[READER], given[OWNER], keep=True)
    except StoreDownError:
        return "PostgreSQL's roles: not yet, no server answers"
    except LevaithanError as problem:
        return f"PostgreSQL's roles: not yet ({problem.message} next: {problem.fix})"
    fresh = {
        f"{layers.PREFIX}{name.upper()}": given[role]
        for role, name in _SETTINGS.items()
        # One that was there and is not known here keeps its password: a fresh one would be a wrong one.
        if not getattr(chosen, name, None) and (role in done.made or (role in known and role in done.present))
    }
    if fresh:
        store_passwords.put(home, fresh)
    return (
        f"{', '.join([*done.made, *done.present])}: ready, their passwords in {home_files.env_path(home)}; "
        f"the service works as {WRITER}; {done.refused or f'the tables belong to {OWNER}'}"
    )


def _administrator(home: Home, chosen: Any) -> Opening | None:
    """The ledger as the URL's own user; None where it has no roles, or the URL is a role's already."""
    if not ledger_login.on_postgres(str(chosen.ledger_url or "")):
        return None
    registry.adapter(LEDGER, "postgresql")
    opening = registry.opening_of(LEDGER, chosen, home, owner=True)
    return None if opening.server.user in _SETTINGS else opening


def _kept(home: Home, role: str) -> str:
    try:
        return Path(home.keys, f"{role}.password").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _not_allowed(user: str) -> str:
    return (
        f"the ledger's user {user} may more than daily work needs, and may not make the roles {WRITER}, {READER} and "
        f"{OWNER}, which may no more than their work. next: let an administrator of the server run "
        f"`ALTER ROLE {user} CREATEROLE`, then run setup again; until then the service works with all its rights"
    )


def _of_another(user: str, home: Home) -> str:
    name = f"{layers.PREFIX}{_SETTINGS[WRITER].upper()}"
    return (
        f"daily work asks as {WRITER}, for {name} is set, but the ledger's server has no such role, and its user "
        f"{user} may not make one. next: take {name} out of {home_files.env_path(home)}; then it works as {user}"
    )


def _locked(roles: list[str], home: Home, known: Mapping[str, str]) -> str:
    has = "has another password" if all(role in known for role in roles) else "does not have the password"
    names = " and ".join(f"{layers.PREFIX}{_SETTINGS[role].upper()}" for role in roles)
    return (
        f"the server has {' and '.join(roles)} already, and {home_files.env_path(home)} {has}. "
        f"next: copy {names} from the .env of the machine that made the role, then run setup again; or, to set it anew "
        "for all machines, `levaithan store migrate ledger --roles`"
    )
