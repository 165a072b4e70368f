"""How a store can fail, whatever it is made of: an adapter wraps its driver's errors in these once, and nobody else
sees a driver. Each says what happened, and how to mend it; what comes of it (nothing is lost, ask again) depends on who
asked, and is said there: see errors.LevaithanError.passes. Imports the error tree only.
"""

from __future__ import annotations

from levaithan.errors import StoreError


class StoreBusyError(StoreError):
    """The {store} store cannot do it just now: {reason}."""

    code = "store_busy"
    fix = "free disk space, or wait for the other writer"
    passes = True


class StoreDamagedError(StoreError):
    """The {store} store in {path} is damaged: {reason}."""

    code = "store_damaged"
    fix = "run `levaithan journal rebuild`: the store is made again from the journal, the damaged file is kept"


class SchemaTooNewError(StoreError):
    """The {store} store in {path} was written by a newer levaithan (schema {found}, this one knows {known})."""

    code = "store_schema_newer"
    fix = "update levaithan, or run `levaithan journal rebuild` to make the store again with this version"


class StoreDownError(StoreBusyError):
    """The {store} store at {where} does not answer: {reason}."""

    code = "store_down"
    fix = "start the server, or correct LEVAITHAN_{role}_URL; `levaithan store check {store}` tries it"


class StoreTimeoutError(StoreDownError):
    """The {store} store at {where} took longer than {seconds} s."""

    code = "store_timeout"
    fix = "see what keeps the server busy, or fills its disk; LEVAITHAN_STORE_TIMEOUT_MS is how long it may take"


_OF_KEY = "LEVAITHAN_{role}_API_KEY or the file that LEVAITHAN_{role}_API_KEY_FILE names, or the key"
_OF_PASSWORD = "LEVAITHAN_{role}_PASSWORD or the file that LEVAITHAN_{role}_PASSWORD_FILE names"  # noqa: S105 - names
LOGINS = {
    "LEDGER": f"{_OF_PASSWORD}, LEVAITHAN_LEDGER_WRITER_PASSWORD and LEVAITHAN_LEDGER_OWNER_PASSWORD where setup made "
    "users, or the user",
    "SEARCH": f"{_OF_PASSWORD}, LEVAITHAN_SEARCH_API_KEY where that is set, or the user",
    "GRAPH": _OF_KEY,
    "MEMORY": _OF_KEY,
    "COUNTERS": f"{_OF_PASSWORD}, or the user",
}
"""Where a role's login is set, to be followed by the URL's name. Only settings that are: one that is none is refused
with the whole file that it stands in (a test holds each name against the settings)."""


class StoreAuthError(StoreError):
    """The {store} store at {where} refuses the user or the password: {reason}."""

    code = "store_auth"
    fix = "correct {login} in LEVAITHAN_{role}_URL (which goes first); a running service takes it up within seconds"

    def __init__(self, message: str | None = None, /, *, fix: str | None = None, **values: object) -> None:
        """See LevaithanError; the login's settings are those of the value `role`, in capitals, and only the URL where
        `in_url` says that it was used."""
        role = str(values.get("role"))
        login = LOGINS.get(role, "the login").replace("{role}", role)
        if values.get("in_url"):
            login = "the key" if role in ("GRAPH", "MEMORY") else "the password or the user"
        super().__init__(message, fix=fix, **{"login": login, **values})


class StoreTlsError(StoreError):
    """The certificate of the {store} store at {where} is not accepted: {reason}."""

    code = "store_tls"
    fix = "name the authority's certificate in LEVAITHAN_{role}_CA_FILE, or mend the server's certificate"


class StoreUnsupportedError(StoreError):
    """The {store} store at {where} cannot be used: {reason}."""

    code = "store_unsupported"
    fix = "docs/how-to/stores.md says which versions are known to work"
