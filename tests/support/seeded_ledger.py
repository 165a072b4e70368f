"""A PostgreSQL ledger with some hours of made-up history, read by a user that may only read, as Grafana does."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support import postgres_place
from tests.support.ledger_records import cursor, delivery, event

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOKS = [{"hook": "policy_check", "ms": 3.5, "decision": "deny"}, {"hook": "audit_record", "ms": 0.25}]


@contextmanager
def made(now_s: float) -> Iterator[str]:
    """The reader's URL. The database and its roles are gone after it."""
    import psycopg

    from levaithan.stores.postgres_roles import Names, make_roles

    url = postgres_place.made()
    mark = url.rpartition("_")[2]
    names = Names(f"gw_{mark}", f"gr_{mark}", f"go_{mark}")
    ledger = postgres_place.ledger(url)
    records = _records(now_s)
    rejected = ledger.apply([delivery(one) for one in records], cursor(len(records) + 1))
    ledger.close()
    assert not rejected, [str(one) for one in rejected]
    make_roles(postgres_place.opening(url), "w", "r", "o", names=names)
    with psycopg.connect(url, autocommit=True) as link:
        link.execute(
            'INSERT INTO dead_letters (store, journal, segment, "offset", seq, reason, attempts, first_us, last_us) '
            "VALUES ('ledger', 'j', 's', 1, 2, 'not a record', 3, %s, %s)",
            (round(now_s * 1e6) - 5_000_000,) * 2,
        )
        link.execute("VACUUM ANALYZE")
    told = urlsplit(url)
    yield told._replace(netloc=f"{names.reader}:r@{told.hostname}:{told.port}").geturl()
    with psycopg.connect(told._replace(path="/postgres").geturl(), autocommit=True) as link:
        link.execute(f'DROP DATABASE "{told.path.strip("/")}" WITH (FORCE)')
        for name in (names.writer, names.reader, names.owner):
            link.execute(f"DROP ROLE {name}")


def _records(now_s: float) -> list[dict[str, Any]]:
    """In the order of a journal: a day and a half of a session with a subagent, refusals, decisions of people."""
    said: list[dict[str, Any]] = []

    def at(back_s: float) -> str:
        return datetime.fromtimestamp(now_s - back_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def call(name: str, back_s: float, **more: Any) -> None:
        said.append(event(len(said) + 1, name, at=at(back_s), **more))

    def note(kind: str, back_s: float, **more: Any) -> None:
        said.append({"seq": len(said) + 2, "v": 1, "kind": kind, "at": at(back_s), "by": "a person", **more})

    call("SessionStart", 130_000, call=None, tool_name=None, payload={"model": "claude-opus-5-5", "source": "startup"})
    call("SubagentStart", 129_990, call=None, tool_name=None, agent_id="a1", agent_type="explorer")
    for number in range(40):
        back, tool = 120_000 - 2000 * number, f"t{number}"
        who = {"agent_id": "a1", "agent_type": "explorer"} if number % 2 else {}
        call("PreToolUse", back, call=tool, hooks=HOOKS, duration_ms=4 + number, **who)
        end = "PostToolUse" if number % 4 else "PostToolUseFailure"
        call(end, back - 5, call=tool, payload={"duration_ms": 900 + number}, **who)
    refused = {"decision": "deny", "rule": "git.force-push", "reason": "history would be lost", "hook": "policy_check"}
    call("PreToolUse", 3000, call="t-denied", hooks=HOOKS, agent_id="a1", agent_type="explorer", **refused)
    call("PreToolUse", 2000, call="t-asked", **{**refused, "decision": "ask"})
    call("PreToolUse", 1500, call="t-runs")
    call("UserPromptSubmit", 1400, call=None, tool_name=None, payload={"prompt": "go on"}, session_id="s2")
    note("approval", 1900, action="approve", ticket="T1")
    note("approval", 1800, action="deny", ticket="T2")
    note("budget", 1700, action="set", budget="all")
    note("note", 1650, text="half a character, \ud800, which PostgreSQL's jsonb refuses")
    _incidents(note)
    return said


def _incidents(note: Any) -> None:
    for name, severity in {"open": "P1", "acked": "P2", "again": "P1", "over": "P0", "wrong": "P3"}.items():
        more = {"severity": severity, "detection": "performance", "project": "/p/one"}
        note("incident", 300, action="open", incident=f"INC-{name}", title=f"{name} it is", **more)
    note("incident", 250, action="ack", incident="INC-acked")
    for step, back in (("ack", 250), ("resolve", 200), ("reopen", 150)):
        note("incident", back, action=step, incident="INC-again")
    for step, back in (("ack", 250), ("resolve", 200), ("close", 150)):
        note("incident", back, action=step, incident="INC-over")
    note("incident", 150, action="false_positive", incident="INC-wrong", why="a drill")
