"""The figures sent to a Pushgateway, for jobs that end before anybody could scrape them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

from prometheus_client import push_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from levaithan.errors import LevaithanError
from levaithan.metrics import exposition

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.metrics.tally import Tally

JOB = "levaithan"
LIMIT_S = 10.0


class PushRefused(LevaithanError):  # noqa: N818 - named for people, as all errors are
    """The metrics were not taken by {url}: {reason}."""

    code = "push_refused"
    fix = "see that a Pushgateway listens there (http://host:9091), and that this user may write to it"


def push(tally: Tally, url: str, machine: str, *, job: str = JOB, timeout_s: float = LIMIT_S) -> str:
    """Put all figures at the Pushgateway `url` in place of those of this job, host and `machine` (its name in records,
    by which two homes of one host are two); the address it went to, as it may be shown. Raises PushRefused."""
    split = urlsplit(url)
    host = split.netloc.rpartition("@")[2]
    shown = f"{split.scheme}://{host}{split.path}"
    if split.scheme not in ("http", "https") or not split.hostname:
        raise PushRefused(url=host or "the address", reason="it is no http(s) URL with a host")
    place = {"instance": os.uname().nodename, "machine": machine}
    try:
        push_to_gateway(
            shown, job=job, registry=exposition.registry(tally), grouping_key=place,
            timeout=timeout_s, handler=_handler(split.username, split.password),
        )  # fmt: skip
    except (URLError, OSError, ValueError) as error:
        raise PushRefused(url=shown, reason=str(getattr(error, "reason", "") or error)) from None
    return shown


def _handler(user: str | None, password: str | None) -> Callable[..., Callable[[], None]]:
    """How a request is sent: with user and password where the URL has them, which then stand in no message."""
    if user is None:
        return default_handler

    def send(url: str, method: str, timeout: float | None, headers: Any, data: bytes) -> Callable[[], None]:
        return basic_auth_handler(url, method, timeout, headers, data, unquote(user), unquote(password or ""))

    return send
