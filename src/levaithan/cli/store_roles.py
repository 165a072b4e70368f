"""`levaithan store migrate --roles`: the ledger's roles of least privilege on PostgreSQL, with passwords in files.

Run once with an administrator's URL; again, it brings rights up to date and sets the passwords that the files hold.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli.state import STATE
from levaithan.config import layers
from levaithan.errors import LevaithanError, UsageProblem
from levaithan.stores import registry
from levaithan.stores.roles import LEDGER, StoreUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BYTES = 24
_LONGEST = 1024

Wanted = Annotated[
    bool,
    typer.Option(
        "--roles",
        help="Then make the ledger's writer, reader and owner on PostgreSQL (the URL is an administrator's).",
    ),
]
WriterFile = Annotated[
    Path | None,
    typer.Option("--writer-password-file", metavar="FILE", help="Password of the writer; made when it is not there."),
]
ReaderFile = Annotated[
    Path | None,
    typer.Option("--reader-password-file", metavar="FILE", help="Password of the reader; made when it is not there."),
]
OwnerFile = Annotated[
    Path | None,
    typer.Option("--owner-password-file", metavar="FILE", help="Password of the owner; made when it is not there."),
]


class PasswordFileError(LevaithanError):
    """The password file {path} cannot be used: {reason}."""

    code = "password_file"
    fix = "name a file with one line that you may read and nobody else, or a path where one may be made"


def check(wanted: bool, names: Sequence[str], files: Sequence[Path | None]) -> None:
    """Raises UsageProblem for options that do not go together, before anything is done."""
    if not wanted:
        if any(files):
            raise UsageProblem("A password file is for --roles.", fix="add --roles, or leave the file out")
        return
    url = registry.places(STATE.settings()).get(LEDGER, "")
    if LEDGER not in names or url.partition("://")[0] not in ("postgresql", "postgres"):
        raise UsageProblem(
            "--roles makes users of a ledger on PostgreSQL, and that is not what is migrated here.",
            fix="set LEVAITHAN_LEDGER_URL to an administrator's URL, then `levaithan store migrate ledger --roles`",
        )


def check_usable(name: str, store: Any) -> None:
    """Raises StoreUnsupportedError for a ledger whose schema is not there yet and that daily work asks as the writer:
    in a database that is new to it, the writer has rights by --roles only, and could not read what was made."""
    if name != LEDGER or store.version():
        return
    settings, home = STATE.settings(), STATE.home()
    own, daily = (registry.opening_of(LEDGER, settings, home, owner=owner) for owner in (True, False))
    if own.url != daily.url:
        words = f"its schema is not there, and {daily.server.user}, who does daily work, could not use it as made so"
        raise StoreUnsupportedError(
            store=LEDGER, role=LEDGER.upper(), where=own.where, reason=words,
            fix="run `levaithan store migrate ledger --roles`, or ./setup.sh (where the URL is no administrator's, "
            "take LEVAITHAN_LEDGER_WRITER_PASSWORD out: its own user does daily work then)",
        )  # fmt: skip


def make(files: Sequence[Path | None], *, dry_run: bool) -> list[dict[str, Any]]:
    """Make the roles, or bring them up to date: a row each (store, done, role, password_file). `files`: of the writer,
    the reader and the owner.

    Without a file of yours a password is the setting that setup made, else in `keys/` of the home. An owner that cannot
    be made is said in its row, and the others are made. Raises PasswordFileError, StoreError.
    """
    from levaithan.stores.ledger_login import OWNER
    from levaithan.stores.postgres_roles import make_roles, refusal

    known, places = _passwords(files)
    if dry_run:
        return [_row(role, file, "would be made or brought up") for role, file in places.items()]
    opening = registry.opening_of(LEDGER, STATE.settings(), STATE.home(), owner=True)
    refused = refusal(opening)
    given = {
        role: "" if role == OWNER and refused else known.get(role) or password(file) for role, file in places.items()
    }
    done = make_roles(opening, *given.values())
    done.refused = done.refused or refused
    rows = [_row(role, file, "made" if role in done.made else "brought up") for role, file in places.items()]
    if refused:
        rows[-1] |= {"done": "not made", "password_file": None}
    rows[-1]["found"] = [done.refused] if done.refused else []
    return rows


def _passwords(files: Sequence[Path | None]) -> tuple[dict[str, str], dict[str, Path]]:
    """(role -> its password where a setting says it, role -> the file where its password is or will be)."""
    from levaithan.stores.ledger_login import OWNER, READER, WRITER

    settings, home = STATE.settings(), STATE.home()
    settled = (settings.ledger_writer_password, settings.ledger_reader_password, settings.ledger_owner_password)
    known: dict[str, str] = {}
    places: dict[str, Path] = {}
    for role, file, given in zip((WRITER, READER, OWNER), files, settled, strict=True):
        if given and file is None:
            known[role], places[role] = given, Path(layers.env_file(home.root))
        else:
            places[role] = file or Path(home.keys) / f"{role}.password"
    return known, places


def _row(role: str, file: Path | None, done: str) -> dict[str, Any]:
    return {"store": LEDGER, "done": done, "role": role, "password_file": str(file) if file else None, "found": []}


def password(file: Path) -> str:
    """What the file holds, or a new password that is written there first, for this user only. Raises
    PasswordFileError."""
    try:
        told = file.read_bytes()[: _LONGEST + 1] if _is_there(file) else None
        if told is None:
            made = secrets.token_urlsafe(_BYTES)
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as new:
                new.write(made.encode() + b"\n")
                new.flush()
                os.fsync(new.fileno())
            return made
        words = told.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8"
        raise PasswordFileError(path=file, reason=reason) from None
    if not words or len(told) > _LONGEST or not words.isprintable():
        raise PasswordFileError(path=file, reason="it holds no password, or more than one line")
    return words


def _is_there(file: Path) -> bool:
    """Whether the file is there. A dangling link is, and is not written through."""
    return file.exists() or file.is_symlink()
