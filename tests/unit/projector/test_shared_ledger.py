"""The projector, a rebuild and a comparison with a ledger that machines share: PostgreSQL, on the real server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import postgres_place
from tests.support.ledger_records import JournalFiles, event

from levaithan.hot.paths import home_at
from levaithan.projector import compare, loop, rebuild, replay
from levaithan.queries import audit, journal_copy
from levaithan.queries.asking import Filters
from levaithan.stores import registry
from levaithan.stores.roles import LEDGER

psycopg = fixtures.driver("postgres", "psycopg")


def a_home(folder: Any, url: str, journal: str, machine: str) -> tuple[Any, Any]:
    home = home_at(str(folder))
    files = JournalFiles(home.journal, journal)
    for n in range(1, 40):
        files.add(event(n, id=f"{machine}{n:030x}", machine=machine, call=f"{machine}{n}", session_id=f"s-{machine}"))
    files.add(event(40, id=f"{machine}bad", machine=machine, payload={"tool_response": "a\0"}))
    settings = SimpleNamespace(
        home=home.root, ledger_url=url, ledger_max_field_bytes=1 << 20, search=False, graph=False, memory=False,
        ledger_retention_months=0, fsync="always",
    )  # fmt: skip
    return home, settings


@pytest.fixture
def url() -> str:
    fixtures.given("postgres")
    return postgres_place.made()


def test_two_machines_fill_compare_and_rebuild_one_ledger(tmp_path: Any, url: str) -> None:
    homes = [a_home(tmp_path / name, url, name * 32, name) for name in ("a", "b")]
    for home, settings in homes:
        assert not loop.is_current(home, settings)
        done = loop.catch_up(home, settings)
        assert (done.errors, done.delivered) == ({}, 41)
        assert loop.is_current(home, settings)
    (home, settings), (other, others) = homes
    ledger = registry.open_ledger(settings, home)
    assert ledger.journal == "a" * 32
    rows = audit.list_events(ledger, Filters(), 200).rows
    assert [row["machine"] for row in rows[:4]] in (["b", "a", "b", "a"], ["a", "b", "a", "b"])
    assert [row["machine"] for row in audit.latest(ledger, Filters(), 5)] == ["a"] * 5
    assert len(list(journal_copy.hashes(ledger, 1, 99))) == 40
    whole = compare.compare(home, ledger)
    assert (whole.equal, whole.stored, whole.waiting, whole.behind) == (True, 40, 1, 0)
    with psycopg.connect(url) as link:
        link.execute("UPDATE events SET decision = 'deny' WHERE seq = 9")  # of both machines
        link.execute("DELETE FROM events WHERE seq = 11 AND journal LIKE 'a%'")
        link.execute("UPDATE events SET seq = 777 WHERE seq = 12 AND journal LIKE 'a%'")
        link.execute("UPDATE tool_calls SET outcome = 'ok' WHERE tool_use_id IN ('a2', 'b2')")
    found = compare.compare(home, ledger)
    assert (found.altered, found.missing, found.extra) == ([9], [11, 12], [777])
    assert found.folds_differ == [], "the session has a record that is not of this journal's: nobody can tell"
    with psycopg.connect(url) as link:
        link.execute("DELETE FROM events WHERE seq = 777")
    assert compare.compare(home, ledger).folds_differ == ["tool_calls a2"], "and not another machine's b2"
    (made,) = rebuild.rebuild(home, settings, (LEDGER,))
    assert (made.records, made.dead_letters) == (41, 1)
    assert compare.compare(home, ledger).equal
    assert ledger.rows("SELECT sum(events) FROM rollups WHERE journal = :j", {"j": ledger.journal}) == [(39,)]
    theirs = registry.open_ledger(others, other)
    untouched = compare.compare(other, theirs)
    assert (untouched.altered, untouched.folds_differ) == ([9], ["tool_calls b2"]), "a rebuild leaves the other's rows"
    replay.replay(home, settings, LEDGER, sanitize=True)
    whole = compare.compare(home, ledger)
    assert (whole.equal, whole.stored, whole.waiting) == (True, 41, 0), "what was delivered made harmless is equal"
    for one in (ledger, theirs):
        one.close()
