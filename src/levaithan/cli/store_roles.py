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
from levaithan.stores.roles import LEDGER

if TYPE_CHECKING:
    from collections.abc import Sequence

_BYTES = 24
_LONGEST = 1024

Wanted = Annotated[
    bool,
    typer.Option(
        "--roles", help="Then make the ledger's writer, reader and owner on PostgreSQL (as who may make roles)."
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


def make(writer_file: Path | None, reader_file: Path | None, *, dry_run: bool) -> list[dict[str, Any]]:
    """Make the roles, or bring them up to date: a row each (store, done, role, password_file; none of the owner's).

    Without a file of yours a password is the setting that setup made, else in `keys/` of the home. Raises
    PasswordFileError, StoreError.
    """
    from levaithan.stores.ledger_login import OWNER, READER, WRITER
    from levaithan.stores.postgres_roles import make_roles

    settings, keys = STATE.settings(), Path(STATE.home().keys)
    asked = {
        WRITER: (writer_file, settings.ledger_writer_password),
        READER: (reader_file, settings.ledger_reader_password),
    }
    known = {role: given for role, (file, given) in asked.items() if given and file is None}
    env = Path(layers.env_file(STATE.home().root))
    files = {
        role: env if role in known else file or keys / f"{role}.password" for role, (file, _given) in asked.items()
    }
    every: dict[str, Path | None] = {**files, OWNER: None}
    if dry_run:
        return [_row(role, file, "would be made or brought up") for role, file in every.items()]
    passwords = {role: known.get(role) or password(file) for role, file in files.items()}
    store: Any = registry.open_store(LEDGER, settings, STATE.home(), owner=True)
    try:
        done = make_roles(store.opening, passwords[WRITER], passwords[READER])
    finally:
        store.close()
    return [_row(role, file, "made" if role in done.made else "brought up") for role, file in every.items()]


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
