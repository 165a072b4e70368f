"""What only a ledger on PostgreSQL must do: months, retention, many journals, rewriting, roles, older schemas."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import postgres_place
from tests.support.ledger_records import JOURNAL, START_US, cursor, delivery, event

from levaithan.errors import NotConfigured
from levaithan.queries import audit, machines
from levaithan.queries.asking import Filters
from levaithan.stores import postgres_months, rollups
from levaithan.stores.postgres_sql import spelled
from levaithan.stores.roles import (
    Cursor,
    SchemaTooNewError,
    StoreAuthError,
    StoreBusyError,
    StoreUnsupportedError,
)

psycopg = fixtures.driver("postgres", "psycopg")
OTHER = "k" * 32
NOON = "2026-11-23T12:00:00.000000Z"


def months(ledger: Any) -> list[str]:
    with ledger.links.reader() as link:
        return postgres_months.parts(link)


def count(ledger: Any, table: str = "events") -> int:
    return ledger.rows(f"SELECT count(*) FROM {table}")[0][0]


def of(journal: str, record: dict[str, Any]) -> Any:
    return delivery(record, journal=journal)


def place(journal: str, seq: int) -> Cursor:
    return Cursor(journal, "journal-00000000000000000001.log", (seq + 1) * 1000, seq, f"{seq:064x}")


def execute(url: str, sql: str) -> None:
    with psycopg.connect(url) as link:
        link.execute(sql)


# Months


def test_a_month_is_made_for_late_and_for_early_records_and_some_ahead(ledger: Any) -> None:
    times = ["2019-02-28T23:59:59.999999Z", "2019-03-01T00:00:00.000000Z", NOON]
    ledger.apply([delivery(event(n, at=at)) for n, at in enumerate(times, 1)], cursor(4))
    assert {"events_2019_02", "events_2019_03", "events_2026_11", postgres_months.OTHER} <= set(months(ledger))
    year, month = postgres_months.month_of(time.time_ns() // 1000)
    ahead = postgres_months.month_of(postgres_months.start_us(year, month + postgres_months.AHEAD))
    assert "events_{:04d}_{:02d}".format(*ahead) in months(ledger)
    assert count(ledger, "events_2019_02") == count(ledger, "events_2019_03") == 1
    assert count(ledger, postgres_months.OTHER) == 0


def test_a_time_that_no_clock_shows_is_kept_and_said(ledger: Any) -> None:
    strange = ((1, "1969-01-01T00:00:00Z"), (2, "9999-12-31T00:00:00Z"))
    ledger.apply([delivery(event(n, at=at)) for n, at in strange], cursor(3))
    assert count(ledger) == count(ledger, postgres_months.OTHER) == 2
    assert any("2 events are dated" in one for one in ledger.health().problems)
    assert [row["seq"] for row in audit.list_events(ledger, Filters()).rows] == [3, 2]


def test_what_waited_in_the_other_partition_moves_into_its_month(ledger: Any, url: str) -> None:
    for n in (8, 9):
        ledger.apply([delivery(event(n))], cursor(2))
    execute(url, "DROP TABLE events_2026_11")
    ledger.apply([delivery(event(2))], cursor(3))  # this object still believes in the month
    assert count(ledger, postgres_months.OTHER) == 1
    other = postgres_place.ledger(url)
    other.apply([delivery(event(3, at="2020-01-01T00:00:00.000000Z"))], cursor(4))
    assert (count(ledger, postgres_months.OTHER), count(ledger, "events_2026_11")) == (0, 1)
    other.close()


def test_two_that_need_the_same_month_at_once_get_it(url: str) -> None:
    def write(journal: str) -> int:
        mine = postgres_place.ledger(url, journal)
        for n in range(1, 15):
            record = event(n, id=journal[:4] + str(n), at=f"2021-{n % 12 + 1:02d}-05T00:00:00.000000Z")
            mine.apply([of(journal, record)], place(journal, n + 1))
        mine.close()
        return count(mine, "events_2021_03")

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, [JOURNAL, OTHER, "x" * 32, "y" * 32]))


def test_retention_drops_whole_months_and_what_came_from_them(url: str) -> None:
    ledger = postgres_place.ledger(url, options={"ledger_retention_months": "2"})
    year, month = postgres_months.month_of(time.time_ns() // 1000)
    moments = [postgres_months.start_us(year, month - back) + 1_000_000 for back in (5, 3, 2, 0)]
    ledger.months.keep = 0
    stamps = [time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(one / 1e6)) for one in moments]
    records = [
        event(n, "UserPromptSubmit", at=at, session_id=f"s{n}", payload={"prompt": "p"})
        for n, at in enumerate(stamps, 1)
    ]
    ledger.apply([delivery(one) for one in records], cursor(5))
    ledger.months.keep = 2
    ledger.months.forget()
    ledger.apply([delivery(event(9))], cursor(10))
    kept = {row[0] for row in ledger.rows("SELECT session_id FROM events")}
    assert kept == {"s3", "s4", "s1"}, "s1 is of the last record; the first two sessions' months are gone"
    assert {row[0] for row in ledger.rows("SELECT session_id FROM prompts")} == {"s3", "s4"}
    assert "s2" not in {row[0] for row in ledger.rows("SELECT session_id FROM sessions")}
    assert ledger.rows("SELECT sum(events) FROM rollups") == [(5,)], "sums stay"
    assert "past the retention" in ledger.found[-1]
    ledger.months.forget()
    ledger.rewrite_begin()
    for n, record in [*enumerate(records, 1), (9, event(9))]:
        ledger.apply([delivery(record)], cursor(n + 1))
    ledger.rewrite_end(10)
    assert ledger.rows("SELECT sum(events) FROM rollups") == [(5,)], "what comes back for a rewrite is not summed twice"
    ledger.apply([delivery(event(10))], cursor(11))
    assert "s2" not in {row[0] for row in ledger.rows("SELECT session_id FROM events")}
    assert ledger.rows("SELECT sum(events) FROM rollups") == [(6,)]
    ledger.close()


def test_a_month_that_a_machine_is_still_delivering_is_not_dropped(url: str) -> None:
    ledger = postgres_place.ledger(url, options={"ledger_retention_months": 1})
    ledger.apply([delivery(event(1, at="2020-05-05T00:00:00.000000Z"))], cursor(2))
    assert count(ledger, "events_2020_05") == 1
    ledger.months.forget()
    ledger.apply([delivery(event(2, at="2020-06-05T00:00:00.000000Z"))], cursor(3))
    assert count(ledger) == 1, "May is dropped when the machine is in June, June is not"
    execute(url, "UPDATE machines SET last_us = 1")
    ledger.months.forget()
    ledger.apply([], cursor(5))
    assert count(ledger) == count(ledger, postgres_months.OTHER) == 0, (
        "one that was not heard for a month holds nobody up"
    )
    ledger.close()


def test_a_window_of_time_reads_its_months_alone_and_may_go_by_their_brin(ledger: Any, url: str) -> None:
    times = [f"2026-{month:02d}-{day:02d}T00:00:00.000000Z" for month in (2, 3, 4) for day in range(1, 28)]
    ledger.apply([delivery(event(n, at=at)) for n, at in enumerate(times, 1)], cursor(99))
    brin = dict(ledger.rows(
        "SELECT t.relname, x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON "
        "t.oid = i.indrelid JOIN pg_am a ON a.oid = x.relam WHERE a.amname = 'brin' AND t.relkind = 'r'"
    ))  # fmt: skip
    assert sorted(brin) == months(ledger), "each month has one, those that are made later too"
    low, high = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) * 1_000_000 for month in (3, 4))
    asked = f"EXPLAIN SELECT sum(duration_us) FROM events WHERE at_us >= {low} AND at_us < {high}"
    with psycopg.connect(url) as link:
        link.execute("SET enable_seqscan = off")
        told = " ".join(row[0] for row in link.execute(asked).fetchall())
        assert "events_2026_03" in told
        assert not any(name in told for name in months(ledger) if name != "events_2026_03"), told
        others = link.execute(
            "SELECT string_agg(indexname, ', ') FROM pg_indexes WHERE tablename = 'events' AND indexdef NOT LIKE "
            "'%USING brin%' AND indexname LIKE 'ix%'"
        ).fetchone()[0]
        link.execute(f"DROP INDEX {others}")  # with so few rows the planner takes any of them
        link.execute("ALTER TABLE events DROP CONSTRAINT events_pkey")
        told = " ".join(row[0] for row in link.execute(asked).fetchall())
        assert f"Bitmap Index Scan on {brin['events_2026_03']}" in told, told
        link.rollback()


def test_the_months_functions_drop_nothing_else(url: str, ledger: Any) -> None:
    ledger.apply([delivery(event(1))], cursor(2))
    this = "events_{:04d}_{:02d}".format(*postgres_months.month_of(time.time_ns() // 1000))
    for name in ("events", "sessions", "events_other", this, "events_9999_01"):
        with pytest.raises(psycopg.errors.RaiseException, match="no month of the past"):
            execute(url, f"SELECT levaithan_drop_month('{name}')")
    execute(url, "CREATE TABLE events_2001_01 (a int)")
    execute(url, "SELECT levaithan_drop_month('events_2001_01')")
    assert count(ledger, "events_2001_01") == 0, "not one of ours: still there"


# Many journals


def test_two_journals_merge_in_order_of_time_and_keep_their_places_apart(url: str) -> None:
    one, two = postgres_place.ledger(url), postgres_place.ledger(url, OTHER)
    one.apply([delivery(event(n, machine="a")) for n in (1, 3, 5)], cursor(6))
    bad = of(OTHER, event(6, machine="b", id="bad", payload={"x": "\0"}))
    mine = [of(OTHER, event(n, machine="b", id=f"o{n}", session_id="s2", call=f"d{n}")) for n in (2, 4)]
    two.apply([*mine, bad], place(OTHER, 7))
    assert [row["machine"] for row in audit.list_events(one, Filters()).rows] == ["a", "b", "a", "b", "a"]
    assert (one.cursor(), two.cursor()) == (cursor(6), place(OTHER, 7))
    assert (one.dead_count(), two.dead_count()) == (0, 1)
    assert [row["seq"] for row in audit.latest(two, Filters())] == [3, 5]
    assert (audit.last_seq(one), audit.last_seq(two)) == (6, 7)
    assert set(one.fingerprints(1, 99)) == {2, 4, 6}
    two.drop_all()
    assert (count(one), two.cursor(), one.cursor()) == (3, None, cursor(6))
    assert {row[0] for row in one.rows("SELECT session_id FROM sessions")} == {"s1"}
    one.close()
    two.close()


def test_each_machine_is_known_with_its_clock(url: str, monkeypatch: Any) -> None:
    one, two = postgres_place.ledger(url), postgres_place.ledger(url, OTHER)
    one.apply([delivery(event(1, machine="a"))], cursor(2))
    real = time.time_ns
    monkeypatch.setattr("levaithan.stores.postgres_writer.time.time_ns", lambda: real() + 90_000_000_000)
    two.apply([of(OTHER, event(1, machine="b", id="b1"))], place(OTHER, 2))
    monkeypatch.undo()
    known = {row["machine"]: row for row in machines.list_machines(one)}
    assert abs(known["a"]["skew_ms"]) < 2_000
    assert abs(known["b"]["skew_ms"] - 90_000) < 2_000
    assert known["b"]["newest_event"] == "2026-11-23T09:00:01.000000Z"
    assert abs(machines.widest_skew_ms(one) - 90_000) < 4_000
    one.close()
    two.close()


def test_writers_of_two_journals_that_share_sessions_and_calls_lose_nothing(url: str) -> None:
    def write(journal: str) -> None:
        mine, chance = postgres_place.ledger(url, journal), random.Random(journal)
        for start in range(0, 300, 30):
            numbers = list(range(start + 1, start + 31))
            chance.shuffle(numbers)
            mine.apply(
                [
                    of(journal, event(n, id=f"{journal[0]}{n}", session_id=f"s{n % 7}", agent_id=f"a{n % 5}"))
                    for n in numbers
                ],
                place(journal, start + 31),
            )
        mine.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, [JOURNAL, OTHER, "x" * 32]))
    ledger = postgres_place.ledger(url)
    assert count(ledger) == 900
    assert (count(ledger, "sessions"), count(ledger, "tool_calls")) == (7, 300)
    assert ledger.rows("SELECT sum(events), sum(calls) FROM rollups") == [(900, 900)]
    ledger.close()


def test_a_second_service_of_the_same_journal_waits_its_turn(url: str, ledger: Any) -> None:
    ledger.apply([delivery(event(1))], cursor(2))
    with psycopg.connect(url) as held:
        held.execute("SELECT 1 FROM cursors FOR UPDATE")
        with pytest.raises(StoreBusyError, match="another service"):
            ledger.apply([delivery(event(2))], cursor(3))
    assert ledger.apply([delivery(event(2))], cursor(3)) == []


def test_a_database_restored_under_the_service_is_noticed_and_nothing_is_skipped(url: str, ledger: Any) -> None:
    for n in (1, 2, 3):
        ledger.apply([delivery(event(n))], cursor(n + 1))
    older = cursor(2)
    execute(url, f"UPDATE cursors SET seq = 2, \"offset\" = {older.offset}, hash = '{older.hash}'")
    execute(url, "DELETE FROM events WHERE seq > 2")
    ours = "application_name = 'levaithan' AND datname = current_database()"  # the server is everybody's
    execute(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
    with pytest.raises(StoreBusyError, match="not where it was left"):
        ledger.apply([delivery(event(4))], cursor(5))
    assert ledger.cursor() == older, "the follower goes on from here"
    assert ledger.apply([delivery(event(n)) for n in (2, 3, 4)], cursor(5)) == []
    assert count(ledger) == 4


def sums(ledger: Any) -> list[Any]:
    columns = ", ".join(("hour_us", *rollups.NAMES, *rollups.MEASURES))
    return sorted(ledger.rows(f"SELECT {columns} FROM rollups"))


# Rewriting in place


def rewritten(ledger: Any, records: list[dict[str, Any]], step: int = 4) -> None:
    ledger.rewrite_begin()
    assert ledger.cursor() is None
    for start in range(0, len(records), step):
        some = records[start : start + step]
        ledger.apply([delivery(one) for one in some], cursor(some[-1]["seq"]))
    ledger.rewrite_end(records[-1]["seq"])


def content(ledger: Any) -> dict[str, list[Any]]:
    tables = ("events", "sessions", "agents", "tool_calls", "decisions", "prompts", "journal_notes", "checkpoints")
    return {name: sorted(ledger.rows(f"SELECT * FROM {name}"), key=repr) for name in tables} | {"rollups": sums(ledger)}


FORGERIES = [
    "UPDATE events SET decision = 'allow', rule = NULL WHERE seq = 4",
    "UPDATE events SET path = 'forged', client_version = '0', agent_type = 'a', prompt_id = 'p' WHERE seq = 4",
    "UPDATE events SET sanitized = 1 WHERE seq = 4",
    "UPDATE events SET body = '{}' WHERE seq = 5",
    "UPDATE events SET at_us = at_us + 40000000000000 WHERE seq = 6",
    "UPDATE events SET journal = 'somebody', seq = 7777 WHERE seq = 7",
    "UPDATE events SET seq = 999 WHERE seq = 8",
    "UPDATE events SET id = 'forged' WHERE seq = 9",
    "DELETE FROM events WHERE seq = 10",
    "INSERT INTO events (id, seq, journal, hash, at_us, event, body) "
    "SELECT 'stray', 11, journal, hash, at_us, event, body FROM events WHERE seq = 5",
    "INSERT INTO events (id, seq, journal, hash, at_us, event, body) "
    "SELECT 'beyond', 5000, journal, hash, at_us, event, body FROM events WHERE seq = 5",
    "UPDATE decisions SET reason = 'forged'",
    "DELETE FROM tool_calls WHERE tool_use_id = 'toolu_0003'",
    "UPDATE tool_calls SET outcome = 'ok', pre_us = 1",
    "UPDATE sessions SET first_us = 5, model = 'forged'",
    "UPDATE journal_notes SET body = '{}'",
    "UPDATE rollups SET events = 77, denials = 0",
]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_rewrite_puts_right_what_was_altered(ledger: Any, url: str, forgery: str) -> None:
    records = [event(n, decision="deny" if n == 3 else "allow", rule="r" if n == 3 else None) for n in range(1, 14)]
    records.append({"seq": 15, "kind": "halt", "at": records[0]["at"], "by": "me"})
    ledger.apply([delivery(one) for one in records], cursor(15))
    other = postgres_place.ledger(url, OTHER)
    other.apply([of(OTHER, event(1, id="theirs", session_id="t", call="theirs"))], place(OTHER, 2))
    wanted, before = content(ledger), ledger.fingerprints(1, 10_000)
    assert before == {one["seq"]: ledger.expected(delivery(one)) for one in records}
    execute(url, "SELECT levaithan_make_month(1835400000000000)")
    execute(url, forgery)
    if any(f" {table} " in forgery.partition("SET")[0] for table in ("events", "decisions", "journal_notes")):
        assert ledger.fingerprints(1, 10_000) != before
    rewritten(ledger, records)
    theirs = {name: [row for row in rows if "theirs" not in row and "t" not in row and OTHER not in row]
              for name, rows in content(ledger).items()}  # fmt: skip
    assert theirs == {name: [row for row in rows if "theirs" not in row and "t" not in row and OTHER not in row]
                      for name, rows in wanted.items()}  # fmt: skip
    assert ledger.cursor() == cursor(15)
    if "rollups" not in forgery and "sessions" not in forgery and "decisions" not in forgery:
        assert other.cursor() == place(OTHER, 2)
        assert count(ledger) == 14
    other.close()


def test_a_rewrite_of_a_sound_ledger_changes_no_row(ledger: Any) -> None:
    records = [event(n) for n in range(1, 30)]
    ledger.apply([delivery(one) for one in records], cursor(30))
    rows = "SELECT id, xmin::text FROM events ORDER BY id"
    before = ledger.rows(rows)
    rewritten(ledger, records, 7)
    assert ledger.rows(rows) == before


def test_a_rewrite_keeps_what_a_person_had_made_harmless_and_what_was_pruned(ledger: Any) -> None:
    bad = event(4, payload={"tool_response": "a\0b"})
    records = [event(1), event(2), event(3), bad, event(5)]
    ledger.apply([delivery(one) for one in records], cursor(6))
    harmless = event(4, payload={"tool_response": "a\u2400b"})
    assert ledger.put_again([delivery(harmless, offset=5000, sanitized=True, hash=delivery(bad).hash)]) == []
    assert (count(ledger), ledger.dead_count()) == (5, 0)
    rewritten(ledger, records[2:])  # the first two were pruned
    assert (count(ledger), ledger.dead_count()) == (5, 0)
    assert ledger.rows("SELECT seq FROM events WHERE sanitized = 1") == [(5,)]
    assert ledger.rows("SELECT first_us FROM sessions") == [(START_US + 1_000_000,)], "the pruned ones began it"


# Schema, roles, addresses


@pytest.mark.parametrize("version", ["0001", "0002"])
def test_an_older_schema_with_rows_is_brought_up_in_one_transaction(postgres_server: Any, version: str) -> None:
    url = postgres_place.database(postgres_server.url)
    postgres_place.older(url, version)
    execute(
        url,
        "INSERT INTO events (id, seq, journal, hash, at_us, event, decision, body) SELECT 'e' || n, n, 'j', 'h', "
        "1700000000000000 + n * 86400000000, 'Stop', 'deny', '{}' FROM generate_series(1, 90) n",
    )
    execute(url, "INSERT INTO cursors VALUES ('ledger', 'j', 's', 1, 90, 'h', 1)")
    one, two = postgres_place.ledger(url, "j"), postgres_place.ledger(url, "j")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda some: some.migrate(), (one, two)))
    assert one.current()
    assert (count(one), one.cursor()) == (90, Cursor("j", "s", 1, 90, "h"))
    assert {"events_2023_11", "events_2024_01"} <= set(months(one))
    assert count(one, postgres_months.OTHER) == 0
    assert one.rows("SELECT sum(events), sum(denials) FROM rollups") == [(90, 90)]
    (said,) = one.found + two.found
    assert "rows kept" in said
    assert "pg_dump" in said
    one.close()
    two.close()


def test_a_newer_schema_and_a_foreign_database_are_left_alone(postgres_server: Any, url: str) -> None:
    execute(url, "UPDATE schema_version SET version_num = '9999'")
    newer = postgres_place.ledger(url)
    with pytest.raises(SchemaTooNewError, match="9999"):
        newer.migrate()
    assert any("9999" in one for one in newer.health().problems)
    newer.close()
    foreign = postgres_place.database(postgres_server.url)
    execute(foreign, "CREATE TABLE events (a int)")
    ledger = postgres_place.ledger(foreign)
    with pytest.raises(StoreUnsupportedError, match="not levaithan's"):
        ledger.migrate()
    assert count(ledger) == 0
    ledger.close()


def test_every_text_compares_by_code_point_whatever_the_databases_language(ledger: Any) -> None:
    found = ledger.rows(
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation o ON "
        "o.oid = a.attcollation WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace "
        "AND a.attnum > 0 AND o.collname != 'C' AND c.relname != 'schema_version'"
    )
    assert found == []


def test_columns_are_those_of_the_schema(ledger: Any) -> None:
    from levaithan.stores.schema import METADATA

    for name, table in METADATA.tables.items():
        found = ledger.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0 ORDER BY attnum",
            {"name": name},
        )
        names, wanted = [row[0] for row in found], [one.name for one in table.columns]
        if name in ("dead_letters", "cursors"):  # the others are copied into: there the order counts too
            names, wanted = sorted(names), sorted(wanted)
        assert names == wanted, name


def test_roles_have_the_rights_they_need_and_no_more(postgres_server: Any, url: str) -> None:
    from urllib.parse import urlsplit

    from levaithan.stores.postgres_roles import Names, make_roles

    mark = url.rpartition("_")[2]
    names = Names(f"w_{mark}", f"r_{mark}", f"o_{mark}")
    assert sorted(make_roles(postgres_place.opening(url), "w pass", "r'pass", names=names).made) == [
        f"r_{mark}",
        f"w_{mark}",
    ]
    assert make_roles(postgres_place.opening(url), "w pass", "r'pass", names=names).made == []

    def as_role(name: str, password: str) -> Any:
        told = urlsplit(url)
        return postgres_place.ledger(
            told._replace(netloc=f"{name}@{told.hostname}:{told.port}").geturl(), password=password
        )

    writer, reader = as_role(f"w_{mark}", "w pass"), as_role(f"r_{mark}", "r'pass")
    assert writer.apply([delivery(event(1)), delivery(event(2, at="2018-01-01T00:00:00.000000Z"))], cursor(3)) == []
    assert (count(reader), count(reader, "events_2018_01")) == (2, 1), "also in months made by the writer"
    assert count(reader, "clock_skews") == 1
    writer.rewrite_begin()
    writer.apply([delivery(event(1))], cursor(2))
    writer.rewrite_end(2)
    with pytest.raises(StoreUnsupportedError, match="permission denied"):
        reader.links.parameters["options"] += " -c default_transaction_read_only=off"
        reader.apply([delivery(event(3))], cursor(4))
    assert reader.health().ok
    for words in ("DROP TABLE events", "ALTER TABLE events ADD x int", "CREATE TABLE mine (a int)", "TRUNCATE events",
                  "UPDATE schema_version SET version_num = '0000'"):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege), writer.links.writer() as link:
            link.execute(words)
    with pytest.raises(StoreUnsupportedError, match="may not create roles") as caught:
        make_roles(writer.opening, "a", "b", names=names)
    assert "CREATEROLE" in caught.value.fix
    writer.close()
    reader.close()


def test_who_may_not_make_the_schema_is_told_so(postgres_server: Any) -> None:
    url = postgres_place.database(postgres_server.url)
    mark = url.rpartition("_")[2]
    execute(url, f"CREATE ROLE n_{mark} LOGIN PASSWORD 'x'")
    execute(url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    ledger = postgres_place.ledger(
        url.replace("postgres:", f"n_{mark}:", 1).replace("postgresql:", "postgresql:"), password="x"
    )
    assert ledger.opening.server.user == f"n_{mark}", ledger.opening.server
    with pytest.raises(StoreUnsupportedError, match="may not change it") as caught:
        ledger.migrate()
    assert "owner" in caught.value.fix
    ledger.close()


def test_the_pool_is_told_for_the_metrics(ledger: Any) -> None:
    ledger.close()
    assert ledger.pool() is None
    ledger.rows("SELECT 1")
    used, most = ledger.pool()
    assert used == 0
    with ledger.links.reader():
        assert ledger.pool() == (1, most)
    assert most > 1


def test_a_wrong_password_is_said_without_showing_it(url: str) -> None:
    password = "sword" + "fish"
    ledger = postgres_place.ledger(url, password=password)
    with pytest.raises(StoreAuthError) as caught:
        ledger.rows("SELECT 1")
    with pytest.raises(StoreAuthError):
        ledger.apply([], cursor(1))
    shown = f"{caught.value} {caught.value.fix} {ledger!r} {ledger.opening!r} {caught.getrepr(chain=True)}"
    assert password not in shown
    assert "LEDGER_PASSWORD" in caught.value.fix
    assert not ledger.health().ok
    ledger.close()


@pytest.mark.parametrize(("tail", "why"), [("", "names no database"), ("/x?options=-c", "may not say options")])
def test_an_address_that_cannot_be_used_is_said(tail: str, why: str) -> None:
    with pytest.raises(NotConfigured, match=why):
        postgres_place.ledger(f"postgresql://a:secret@h{tail}")


@pytest.mark.parametrize(("address", "mode"), [
    ("postgresql://a@db.example/x", "verify-full"), ("postgresql://a@127.0.0.1/x", "prefer"),
    ("postgresql://a@db.example/x?sslmode=require", "require"),
])  # fmt: skip
def test_another_machine_is_not_believed_without_a_certificate(address: str, mode: str) -> None:
    assert postgres_place.ledger(address).links.parameters["sslmode"] == mode
    assert postgres_place.ledger(address, ca_file="/ca").links.parameters["sslrootcert"] == "/ca"


def test_a_database_that_is_not_there_is_said(postgres_server: Any) -> None:
    ledger = postgres_place.ledger(fixtures.database_url(postgres_server.url, "nobody_made_it"))
    with pytest.raises(StoreUnsupportedError, match="does not exist") as caught:
        ledger.migrate()
    assert "create the database" in caught.value.fix
    ledger.close()


@pytest.mark.parametrize(("ours", "theirs"), [
    ("SELECT :a, ':b', \"c:d\", x::text, '%' FROM t WHERE y LIKE '%:z' AND 5 % 2 = :a_1",
     "SELECT %(a)s, ':b', \"c:d\", x::text, '%%' FROM t WHERE y LIKE '%%:z' AND 5 %% 2 = %(a_1)s"),
    ("SELECT 'it''s :no', :yes", "SELECT 'it''s :no', %(yes)s"),
])  # fmt: skip
def test_parameters_are_spelled_as_the_driver_wants_them(ours: str, theirs: str) -> None:
    assert spelled(ours) == theirs


def test_numbers_and_flags_come_as_sqlite_gives_them(ledger: Any) -> None:
    ((total, mean, flag, text),) = ledger.rows("SELECT sum(n), avg(n), 2 > 1, '%' FROM (SELECT 3::bigint AS n) t")
    assert (total, mean, flag, text) == (3, 3.0, 1, "%")
    assert [type(one) for one in (total, mean, flag)] == [int, float, int]
