"""What a store is opened with, and that its secrets are never shown."""

from __future__ import annotations

import pytest

from levaithan.errors import NotConfigured
from levaithan.stores.opening import Opening, masked, parts


def test_the_parts_of_a_url() -> None:
    server = parts("ledger", "postgresql://me%40x:p%2Fw@db.example:5433/flights?sslmode=verify-full")
    assert (server.scheme, server.host, server.port, server.path) == ("postgresql", "db.example", 5433, "flights")
    assert (server.user, server.password) == ("me@x", "p/w")
    assert server.query == {"sslmode": "verify-full"}
    assert parts("counters", "redis://[::1]").host == "::1"
    assert parts("counters", "redis://h").port is None


def test_a_password_of_its_own_wins() -> None:
    assert parts("ledger", "postgresql://me:old@h/d", "new").password == "new"


@pytest.mark.parametrize("url", ["postgresql://", "redis:host", "http://h:notaport/", "http://[::1"])
def test_what_names_no_host_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(NotConfigured, match="LEVAITHAN_GRAPH_URL cannot be used") as caught:
        parts("graph", url.replace("//", "//u:hunter2@") if "//" in url else url)
    assert "hunter2" not in str(caught.value) + caught.value.fix


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@h:5432/d?sslpassword=secret", "postgresql://***@h:5432/d?***"),
        ("redis://:secret@h/0", "redis://***@h/0"),
        ("https://h:9200", "https://h:9200"),
        ("http://[::1]:7474/", "http://[::1]:7474/"),
        ("helix:///folder?graph=x", "helix:///folder?***"),
        ("http://secret@[::1", "***"),
    ],
)
def test_what_may_be_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("url", "key", "used"),
    [
        ("http://x:of-the-url@h", "of-the-setting", "of-the-url"),
        ("http://x:of-the-url@h", "", "of-the-url"),
        ("http://x@h", "of-the-setting", "of-the-setting"),
        ("http://h", "", ""),
    ],
)
def test_the_url_s_own_key_goes_before_the_setting(url: str, key: str, used: str) -> None:
    assert Opening("graph", "", "", url=url, api_key=key).key == used


def test_an_opening_shows_no_secret() -> None:
    opening = Opening(
        "ledger", "/h/ledger.sqlite3", "/h", url="postgresql://a:secret1@h/d", password="secret2", api_key="secret3"
    )
    assert "secret" not in repr(opening) + repr(opening.server) + opening.where
    assert Opening("ledger", "/h/l", "/h").where == "/h/l"
