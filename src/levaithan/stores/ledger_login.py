"""As whom PostgreSQL is asked: LEVAITHAN_LEDGER_URL may be an administrator's, daily work is the writer's, dashboards
read, and the owner, to whom the tables belong, changes the schema.

Setup makes the roles and their passwords (`postgres_roles`); from then on only setup asks as the URL's own user.
Standard library only: a read opens no driver for it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

WRITER = "levaithan_writer"
READER = "levaithan_reader"
OWNER = "levaithan_owner"
WRITER_PASSWORD = "ledger_writer_password"  # noqa: S105 - the names of settings
READER_PASSWORD = "ledger_reader_password"  # noqa: S105
OWNER_PASSWORD = "ledger_owner_password"  # noqa: S105
_SCHEMES = ("postgresql", "postgres")


def on_postgres(url: str) -> bool:
    """Whether the ledger's URL is of PostgreSQL, which alone has roles."""
    return url.partition("://")[0].partition("+")[0] in _SCHEMES


def daily(url: str, password: str, writer_password: str) -> tuple[str, str]:
    """(URL, password) for daily work: the writer's once its password is known, else what is set."""
    if not writer_password or not on_postgres(url):
        return url, password
    try:
        split = urlsplit(url)
    except ValueError:  # said when it is opened
        return url, password
    if split.username in (WRITER, READER):
        return url, password
    return as_user(url, WRITER), writer_password


def as_user(url: str, user: str) -> str:
    """`url` for this user, whose password is given beside it. Raises ValueError for what is no URL."""
    split = urlsplit(url)
    return split._replace(netloc=f"{user}@{split.netloc.rpartition('@')[2]}").geturl()
