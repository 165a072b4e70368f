"""Has a draft written: by the Claude API where a key is set and the money allows, else by this machine alone.

Keeps the spending limits. For the command line only: it imports the module that speaks to the API.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.incidents import claude, draft, offline, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.paths import Home
    from levaithan.hot.prices import Prices
    from levaithan.incidents.book import Book
    from levaithan.incidents.evidence import Evidence
    from levaithan.incidents.incident import Incident

_DAY_S = 86_400


@dataclass
class Drafted:
    """draft; origin: who wrote it, in words; why: what kept the Claude API from it, "" where it did not; dropped_refs,
    dropped_claims: what cited records that were not shown; usd: what it cost."""

    draft: draft.Draft
    origin: str
    why: str = ""
    dropped_refs: int = 0
    dropped_claims: int = 0
    usd: float = 0.0


@dataclass
class Desk:
    """What drafting works with. read: gives the incidents as the journal has them now; record: appends one record of
    an incident, "" or why it could not."""

    home: Home
    settings: Any
    prices: Prices
    by: str
    read: Callable[[], Book]
    record: Callable[[dict[str, Any]], str]


def written(incident: Incident, evidence: Evidence, desk: Desk | None) -> Drafted:
    """The draft of `incident`; desk None = ask nobody. Raises nothing for an API that fails: that is in `why`."""
    alone = Drafted(offline.write(incident, evidence), offline.ORIGIN)
    if desk is None:
        alone.why = "it was asked for offline"
    elif not desk.settings.claude_api_key:
        alone.why = "no key of the Claude API is set (LEVAITHAN_CLAUDE_API_KEY_FILE)"
    else:
        try:
            return _asked(incident, evidence, desk)
        except claude.DraftFailed as problem:
            alone.why = str(problem.values.get("reason", problem.message))
    return alone


def _asked(incident: Incident, evidence: Evidence, desk: Desk) -> Drafted:
    """The API's draft. Raises DraftFailed."""
    body, run = request.body(incident, evidence, desk.settings.claude_model), secrets.token_hex(8)
    size = len(json.dumps(body))
    most = claude.estimate(body, size, desk.prices)
    if most is None:
        why = f"the model {body['model']} has no price, so what it costs cannot be bounded (`levaithan cost prices`)"
        raise claude.DraftFailed(reason=why)
    with _alone(desk.home):
        _affordable(desk, incident.id, most / 1e9)
        _note(desk, incident, "asked", run, most / 1e9, model=body["model"], bytes=size)
        try:
            reply = claude.ask(
                body, desk.settings.claude_api_key, url=desk.settings.claude_url or "",
                timeout_s=float(desk.settings.claude_timeout_s), prices=desk.prices,
            )  # fmt: skip
        except claude.DraftFailed as problem:
            cost = most / 1e9 if problem.charged else 0.0
            _note(desk, incident, "failed", run, cost, why=str(problem.values.get("reason", "")))
            raise
        good, refs, claims = draft.checked(reply.draft, request.cited(body))
        usd = (most if reply.nano_usd is None else reply.nano_usd) / 1e9
        sha = hashlib.sha256(good.model_dump_json().encode()).hexdigest()
        tokens = {"input": reply.usage.input, "output": reply.usage.output, "cache_read": reply.usage.cache_read,
                  "cache_write": reply.usage.cache_write_5m}  # fmt: skip
        _note(desk, incident, "draft", run, usd, sha256=sha, model=reply.model, tokens=tokens, dropped_refs=refs,
              dropped_claims=claims)  # fmt: skip
    return Drafted(good, f"written by {reply.model} through the Claude API", "", refs, claims, usd)


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One draft at a time: two would each see the money that the other is about to spend."""
    path = f"{home.state}/incident-draft.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise claude.DraftFailed(reason="another draft is being written just now") from None
        yield
    finally:
        os.close(descriptor)


def _affordable(desk: Desk, one: str, usd: float) -> None:
    """Raise DraftFailed where the incident's or the day's limit would be passed. By what the journal says was spent."""
    spent = desk.read().spend.values()
    today = int(time.time() // _DAY_S)
    for what, cents, used in (
        ("incident", desk.settings.claude_incident_cents, sum(s["usd"] for s in spent if s["incident"] == one)),
        ("day", desk.settings.claude_day_cents, sum(s["usd"] for s in spent if int(s["at_s"] // _DAY_S) == today)),
    ):  # fmt: skip
        if used + usd > cents / 100:
            why = f"it may cost {usd:.2f} USD, and of the {what}'s {cents / 100:.2f} USD {used:.2f} are spent"
            raise claude.DraftFailed(reason=f"{why} (LEVAITHAN_CLAUDE_{what.upper()}_CENTS)")


def _note(desk: Desk, incident: Incident, what: str, run: str, usd: float, **more: Any) -> None:
    """Write down what is about to be spent, or what it came to. What cannot be written down is not spent."""
    body = {
        "action": "draft", "incident": incident.id, "by": desk.by, "what": what, "origin": "claude",
        "spend": {"run": run, "usd": round(usd, 6)}, **more,
    }  # fmt: skip
    problem = desk.record(body)
    if problem and what == "asked":
        raise claude.DraftFailed(reason=f"what it costs cannot be recorded in the journal: {problem}")
