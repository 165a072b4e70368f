"""The search on Elasticsearch for tests: a stream of a test's own on the run's shared server, or on another."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.servers import sharing
from tests.support import lines
from tests.support.ledger_records import JOURNAL

from levaithan.stores.ledger_login import as_user
from levaithan.stores.opening import Opening

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.endpoint import Endpoint

    from levaithan.stores.elastic_search import ElasticSearch


def name() -> str:
    """A name that no other test has."""
    return f"lv-{secrets.token_hex(6)}"


def opening(endpoint: Endpoint, folder: Path, stream: str, **more: Any) -> Opening:
    """How a home in `folder` would open it; `stream` may have a query (`name?keep_days=1`). An `api_key` stands in the
    place of the URL's own password, which would go before it."""
    base, _, query = stream.partition("?")
    url = urlsplit(endpoint.url)._replace(path=f"/{base}", query=query).geturl()
    if "api_key" in more:
        url = as_user(url, "levaithan")
    given = {"journal": JOURNAL, "timeout_s": 60.0, "ca_file": endpoint.ca} | more
    return Opening("search", "", str(folder), url=url, **given)


def search(endpoint: Endpoint, folder: Path, stream: str, **more: Any) -> ElasticSearch:
    """The adapter on the stream `stream`."""
    from levaithan.stores.elastic_search import ElasticSearch

    return ElasticSearch(opening(endpoint, folder, stream, **more))


def place(make: Any, folder: Path) -> Any:
    """The Place of the contract suite. Raises ConnectionError where there is no server."""
    endpoint, stream = sharing.shared("elasticsearch"), name()

    def line() -> lines.Line:
        def by_it(at: list[Any]) -> ElasticSearch:
            return search(replace(endpoint, url=lines.by(at[0], endpoint.url)), folder, stream, timeout_s=20.0)

        return lines.ServerLine([lines.address_of(endpoint.url, 9200)], by_it)

    return make("elasticsearch", lambda: search(endpoint, folder, stream), line=line)
