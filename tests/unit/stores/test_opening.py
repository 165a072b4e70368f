"""What a store is opened with, and that its secrets are never shown."""

from __future__ import annotations

import base64
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from levaithan.errors import NotConfigured
from levaithan.hot.paths import home_at
from levaithan.stores import registry
from levaithan.stores.opening import Opening, masked, parts


def test_the_parts_of_a_url() -> None:
    server = parts("ledger", "postgresql://me%40x:p%2Fw@db.example:5433/flights?sslmode=verify-full")
    assert (server.scheme, server.host, server.port, server.path) == ("postgresql", "db.example", 5433, "flights")
    assert (server.user, server.password) == ("me@x", "p/w")
    assert server.query == {"sslmode": "verify-full"}
    assert parts("counters", "redis://[::1]").host == "::1"
    assert parts("counters", "redis://h").port is None


@pytest.mark.parametrize(
    ("url", "user", "password", "key"),
    [
        ("https://me:o%2Fwn@h", "me", "o/wn", ""),
        ("https://:own@h", "", "own", ""),
        ("https://me@h", "me", "made", "key"),
        ("https://me:@h", "me", "made", "key"),
        ("https://h", "", "made", "key"),
    ],
)
def test_what_stands_in_the_url_goes_first(url: str, user: str, password: str, key: str) -> None:
    """Setup makes passwords and keys without looking at it: who pastes the URL of a hosted server is let in by it."""
    server = Opening("search", "", "", url=url, password="made", api_key="key").server
    assert (server.user, server.password, server.key) == (user, password, key)


@pytest.mark.parametrize("role", ["ledger", "search", "graph", "memory", "counters"])
def test_no_store_asks_with_what_setup_made_where_the_url_has_its_own(role: str, tmp_path: Path) -> None:
    scheme = {"ledger": "postgresql", "counters": "redis"}.get(role, "http")
    made = {f"{role}_url": f"{scheme}://me:of-the-url@127.0.0.1:1/1"}
    made |= {f"{role}_{name}": "made-by-setup" for name in ("password", "api_key")}
    settings = SimpleNamespace(stores=made, ledger_max_field_bytes=1 << 20)
    opening = registry.opening_of(role, settings, home_at(str(tmp_path)))
    sent: Any
    if role == "ledger":
        sent = importlib.import_module("levaithan.stores.postgres_link").parameters(opening)["password"]
    elif role == "counters":
        link = importlib.import_module("levaithan.stores.redis_link").client(opening, 1.0)
        sent = link.connection_pool.connection_kwargs["password"]
    elif role == "search":
        client = importlib.import_module("levaithan.stores.elastic_link").client(opening)
        sent = base64.b64decode(client._headers["authorization"].removeprefix("Basic ")).decode().partition(":")[2]
    else:
        sent = opening.key
    assert sent == "of-the-url"


@pytest.mark.parametrize("sign", ["#", "/", "?", "[", "\u2100"])
def test_a_password_that_makes_no_url_is_not_shown(sign: str) -> None:
    with pytest.raises(NotConfigured, match="LEVAITHAN_SEARCH_URL cannot be used") as caught:
        parts("search", f"https://me:zq{sign}zq@h/")
    assert "zq" not in f"{caught.value.message} {caught.value.fix}"


def test_what_is_used_is_hidden_in_what_a_server_says() -> None:
    said = "no such user: me, of-the-url, made, key"
    used = Opening("search", "", "", url="https://me:of-the-url@h", password="made", api_key="key")
    assert used.hide(said) == "no such user: me, ***, made, key", "what is not used may be a word like any other"
    used = Opening("search", "", "", url="https://me@h", password="made", api_key="key")
    assert used.hide(said) == "no such user: me, of-the-url, made, ***"
    for url in ("", "helix:///folder"):
        assert Opening("graph", "", "", url=url, password="made").hide(said) == said


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


def test_a_secret_that_lies_across_the_bound_is_hidden_whole() -> None:
    used = Opening("counters", "", "", url="redis://h", password="made-up-secret-0123")
    told = used.hide("x" * 290 + " made-up-secret-0123 and so on")
    assert told == "x" * 290 + " *** and s"


@pytest.mark.parametrize("sign", ["/", "?", "#"])
def test_digits_before_a_sign_in_a_password_are_no_port(sign: str) -> None:
    url = f"postgresql://me:1234{sign}ss@h/db"
    with pytest.raises(NotConfigured, match="in a password, write"):
        parts("ledger", url)
    assert Opening("ledger", "", "", url=url).where == "***"


def test_an_at_sign_behind_the_server_is_no_password() -> None:
    for url in ("postgresql://h/db?user=me@realm", "postgresql://me:x@h/d@b"):
        assert parts("ledger", url).host == "h"


@pytest.mark.parametrize(
    ("role", "url", "knows"),
    [
        ("counters", "redis://127.0.0.1:1/0", "prefix, ssl_ca_certs, stream"),
        ("search", "http://127.0.0.1:1", "compress, keep_days, prefix"),
        ("graph", "http://127.0.0.1:1", "graph"),
        ("graph", "helix:///nowhere", "graph"),
        ("memory", "http://127.0.0.1:1", "grpc_host, grpc_port, prefix"),
    ],
)
@pytest.mark.parametrize("tail", ["prefx=team", "nosuch", "nosuch=", "PREFIX=team"])
def test_no_store_opens_with_an_option_that_it_does_not_know(
    role: str, url: str, knows: str, tail: str, tmp_path: Path
) -> None:
    settings = SimpleNamespace(stores={f"{role}_url": f"{url}?{tail}"}, ledger_max_field_bytes=1 << 20)
    name = tail.partition("=")[0]
    with pytest.raises(
        NotConfigured, match=f"LEVAITHAN_{role.upper()}_URL cannot be used: it may not say {name}"
    ) as no:
        registry.open_store(role, settings, home_at(str(tmp_path)))
    assert f"write only {knows}, each" in no.value.fix and no.value.fix.endswith("then `levaithan restart`")


@pytest.mark.parametrize(
    ("role", "query"),
    [
        ("counters", {"prefix": "team-b", "stream": "5", "ssl_ca_certs": "/ca.pem"}),
        ("search", {"prefix": "/es", "keep_days": "90", "compress": "on"}),
        ("graph", {"graph": "team"}),
        ("memory", {"prefix": "Team", "grpc_port": "50051", "grpc_host": "g"}),
    ],
)
def test_every_option_that_is_known_is_taken(role: str, query: dict[str, str]) -> None:
    assert parts(role, f"http://h/?{urlencode(query)}").query == query


@pytest.mark.parametrize("tail", ["hunter=2@h", "hunter&a=2@h"])
def test_a_piece_of_a_password_is_no_name_of_an_option(tail: str) -> None:
    with pytest.raises(NotConfigured, match=r"what stands behind its \? is no option") as caught:
        parts("counters", f"redis://me:12?{tail}")
    assert "hunter" not in str(caught.value) + caught.value.fix
