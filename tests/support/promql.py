"""Asks a Prometheus of the tests in its own language."""

from __future__ import annotations

import json
import time
import urllib.error
from typing import Any
from urllib.parse import urlencode

from tests.servers import asking

Sample = tuple[dict[str, str], float]


def instant(url: str, expression: str, at_s: float | None = None) -> list[Sample]:
    """What an expression is at a time (default: now): labels and value a series. Raises AssertionError, with
    Prometheus' words, for one that it does not take."""
    found = ask(url, "query", query=expression, **({} if at_s is None else {"time": f"{at_s:.3f}"}))
    if found["resultType"] == "scalar":
        return [({}, float(found["result"][1]))]
    return [(one["metric"], float(one["value"][1])) for one in found["result"]]


def over(url: str, expression: str, start_s: float, end_s: float, step_s: float) -> list[tuple[dict[str, str], int]]:
    """What an expression is over a time: labels and number of points a series."""
    times = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
    found = ask(url, "query_range", query=expression, **times)
    return [(one["metric"], len(one["values"])) for one in found["result"]]


def awaited(url: str, expression: str, limit_s: float = 15.0) -> list[Sample]:
    """What an expression gives, once it gives something. Raises AssertionError when that takes too long."""
    limit = time.monotonic() + limit_s
    while not (found := instant(url, expression)):
        assert time.monotonic() < limit, f"{expression}: nothing in {limit_s} s"
        time.sleep(0.05)
    return found


def ask(url: str, what: str, **parameters: Any) -> Any:
    """The `data` of an answer of its HTTP API."""
    try:
        answer = json.loads(asking.fetched(f"{url}/api/v1/{what}?{urlencode(parameters, doseq=True)}", limit_s=20))
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{parameters}: {error.read().decode(errors='replace')}") from error
    assert answer["status"] == "success", answer
    return answer["data"]
