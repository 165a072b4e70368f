"""The stores from the command line: how they are, whether they can be used, and whether they are true."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import journals
import pytest

from levaithan.cli import store, store_roles
from levaithan.config.settings import load
from levaithan.hot.paths import ensure_private, home_at
from levaithan.stores import edge
from levaithan.stores.roles import StoreDownError, StoreUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Door:
    """A port of this machine where whoever connects is hung up on. calls: how many did."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.calls = 0

    def answer(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                called, _ = self.listening.accept()
                self.calls += 1
                called.close()


@contextlib.contextmanager
def hanging_up() -> Iterator[Door]:
    door = Door()
    threading.Thread(target=door.answer, daemon=True).start()
    with door.listening:
        yield door
        door.listening.shutdown(socket.SHUT_RDWR)


def test_each_store_says_how_it_is(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    assert len(cli.rows("audit", "list")) == 5
    rows = {row["store"]: row for row in cli.rows("store", "status")}
    assert (rows["ledger"]["state"], rows["ledger"]["rows"], rows["ledger"]["lag"]) == ("ok", 5, 0)
    assert rows["ledger"]["server"].startswith("SQLite 3")
    assert rows["ledger"]["free_bytes"] > 0
    assert [row["store"] for row in cli.rows("store", "status", "search")] == ["search"]


def test_a_store_without_its_driver_or_adapter_is_said_with_the_next_step(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1)])
    (cli.home / ".env").write_text("LEVAITHAN_LEDGER_URL=oracle://me:hunter2@db/x\n")
    done = cli("store", "status", "ledger", code=3)
    assert "no ledger adapter for oracle://" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    told = json.loads(cli("store", "check", "ledger", "--json", code=3).stdout)
    assert told["rows"][0]["status"] == "fail"
    assert told["error"]["fix"]
    told = json.loads(cli("store", "compare", "--json", code=4).stdout)
    assert [row["store"] for row in told["rows"] if row["equal"]] == ["search", "graph", "memory"], "they are compared"
    assert "LEVAITHAN_LEDGER_URL" in told["error"]["fix"]
    done = cli("journal", "dead-letters", code=4)
    assert "no dead letters" in done.stderr and "no ledger adapter" in done.stderr
    said = {"stores": {"ledger": {"seq": 2, "where": str(cli.home / "state/ledger.sqlite3"), "dead_letters": 0}}}
    ensure_private(str(cli.home / "run"))
    (cli.home / "run/projector.json").write_text(json.dumps(said))
    assert cli.rows("store", "lag", "ledger")[0]["lag"] is None, "nobody knows what is at the other address"


def test_every_store_that_is_down_is_in_the_error(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1)])
    (cli.home / ".env").write_text("LEVAITHAN_LEDGER_URL=oracle://db/x\nLEVAITHAN_GRAPH_URL=bolt://db\n")
    for command in ("status", "check"):
        told = json.loads(cli("store", command, "--json", code=3).stdout)["error"]
        assert "no ledger adapter for oracle://" in told["message"]
        assert "no graph adapter for bolt://" in told["message"]
        assert "LEVAITHAN_LEDGER_URL" in told["fix"] or told["fix"].startswith("`levaithan store check ledger graph`")


def test_lag_is_counted(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    rows = {row["store"]: row for row in cli.rows("store", "lag")}
    assert (rows["ledger"]["state"], rows["ledger"]["lag"]) == ("behind", 6)


def test_lag_is_followed_until_it_is_interrupted(
    cli: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
        if len(waited) == 2:
            raise KeyboardInterrupt

    journals.write(cli.home, [journals.event(1)])
    monkeypatch.setattr(store.STATE, "home_argument", str(cli.home))
    monkeypatch.setattr(store, "time", SimpleNamespace(sleep=sleep))
    with pytest.raises(KeyboardInterrupt):
        store.lag(["ledger"], follow=True, format="jsonl")
    assert [json.loads(line)["lag"] for line in capsys.readouterr().out.splitlines()] == [2, 6]
    assert waited == [1.0, 1.0]


def test_migrate_makes_what_is_not_there_and_then_nothing(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1)])
    assert cli.rows("store", "migrate", "ledger", "--dry-run")[0]["done"] == "would be made or brought up"
    assert not (cli.home / "state/ledger.sqlite3").exists()
    assert cli.rows("store", "migrate", "ledger")[0]["done"] == "made or brought up"
    assert cli.rows("store", "migrate", "ledger")[0]["done"] == "up to date"


def test_migrate_tells_a_server_that_is_up_to_date_what_changed_since(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the days that Elasticsearch keeps events, which no schema tells of."""
    told: list[str] = []
    server = SimpleNamespace(name="search", remote=True, current=lambda: True, close=lambda: told.append("closed"),
                             migrate=lambda: told.append("told"), found=["kept 30 days"])  # fmt: skip
    home = home_at(str(tmp_path))
    ensure_private(home.state)
    monkeypatch.setattr(store, "STATE", SimpleNamespace(settings=lambda: None, home=lambda: home))
    monkeypatch.setattr(store.registry, "open_store", lambda *_args, **_more: server)
    assert store._migrated("search", True)["done"] == "up to date"
    assert told == ["closed"], "a dry run tells it nothing"
    assert store._migrated("search", False) == {"store": "search", "done": "up to date", "found": ["kept 30 days"]}
    assert told == ["closed", "told", "closed"]


def test_migrate_makes_no_ledger_that_the_writer_could_not_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a database where the writer has no rights yet; those who are not split into roles are their own writers."""
    made: list[str] = []
    server = SimpleNamespace(name="ledger", remote=True, current=lambda: False, version=str, found=[],
                             migrate=lambda: made.append(user), close=lambda: None)  # fmt: skip
    home = home_at(str(tmp_path))
    ensure_private(home.state)
    state = SimpleNamespace(settings=lambda: load(str(tmp_path), environ={}), home=lambda: home)
    monkeypatch.setattr(store, "STATE", state)
    monkeypatch.setattr(store_roles, "STATE", state)
    monkeypatch.setattr(store.registry, "open_store", lambda *_args, **_more: server)
    secret = "LEVAITHAN_LEDGER_WRITER_PASSWORD=made\n"
    for user, more in (("whole", ""), ("levaithan_writer", secret), ("admin", secret)):
        server.version = (lambda: "0003") if user == "admin" else str
        (tmp_path / ".env").write_text(f"LEVAITHAN_LEDGER_URL=postgresql://{user}@127.0.0.1:1/x\n{more}")
        store._migrated("ledger", False)
    assert made == ["whole", "levaithan_writer", "admin"]
    server.version = str
    for dry_run in (True, False):
        with pytest.raises(StoreUnsupportedError, match="levaithan_writer") as caught:
            store._migrated("ledger", dry_run)
        assert "`levaithan store migrate ledger --roles`" in caught.value.fix
    assert len(made) == 3, "nothing is made"
    store._migrated("ledger", False, True)
    assert len(made) == 4


def test_compare_finds_an_altered_row_and_rebuild_puts_it_right(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    assert all(row["equal"] for row in cli.rows("store", "compare"))
    with sqlite3.connect(cli.home / "state/ledger.sqlite3") as link:
        link.execute("UPDATE events SET body = '{}' WHERE seq = 3")
    done = cli("store", "compare", "ledger", code=5)
    assert "1 altered" in done.stderr
    assert "levaithan store rebuild ledger" in done.stderr
    assert json.loads(cli("store", "compare", "ledger", "--json", code=5).stdout)["rows"][0]["altered"] == [3]
    assert cli.rows("store", "rebuild", "ledger")[0]["records"] == 6
    assert all(row["equal"] for row in cli.rows("store", "compare"))


def test_compare_names_every_store_that_differs_and_goes_on_past_one_that_is_down(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    cli("store", "compare")
    with sqlite3.connect(cli.home / "state/ledger.sqlite3") as link:
        link.execute("DELETE FROM events WHERE seq = 3")
    with sqlite3.connect(cli.home / "state/graph.sqlite3") as link:
        link.execute("UPDATE edges SET at_us = at_us + 1 WHERE seq = 4")
    done = cli("store", "compare", code=5)
    assert "The ledger store is not" in done.stderr and "The graph store is not" in done.stderr
    assert "then levaithan store rebuild ledger graph" in done.stderr
    (cli.home / ".env").write_text("LEVAITHAN_MEMORY_URL=http://127.0.0.1:1\nLEVAITHAN_STORE_TIMEOUT_MS=500\n")
    done = cli("store", "compare", code=5)
    assert (
        "not compared: The memory store" in done.stderr and "then levaithan store rebuild ledger graph" in done.stderr
    )
    cli("store", "rebuild", "ledger", "graph")
    told = json.loads(cli("store", "compare", "--json", code=1).stdout)
    assert [row["store"] for row in told["rows"] if row["equal"]] == ["ledger", "search", "graph"]
    assert "The memory store" in told["error"]["message"] and "tried again" not in told["error"]["message"]
    assert told["error"]["fix"].endswith("`levaithan store check memory` tries it; then run the command again")


def test_compare_names_every_store_that_is_down(monkeypatch: pytest.MonkeyPatch, cli: Any) -> None:
    """They are looked at side by side: who is waited for is the slowest, and one that is down is not waited for
    again."""
    urls = "LEVAITHAN_COUNTERS_URL=redis://127.0.0.1:1\nLEVAITHAN_GRAPH_URL=http://127.0.0.1:1\n"
    (cli.home / ".env").write_text(urls)
    journals.write(cli.home, [journals.event(number) for number in range(1, 4)])
    monkeypatch.setattr(store.STATE, "home_argument", str(cli.home))
    monkeypatch.setattr(store, "chosen", lambda _roles: ["graph", "ledger", "counters"])
    asked = list[str]()
    monkeypatch.setattr(edge.Edge, "_once", lambda one, ask: asked.append(one.store) or one._translated(ask))
    with pytest.raises(StoreDownError) as said:
        store.compare()
    assert "The graph store at" in str(said.value) and "The counters store at" in str(said.value)
    assert "`levaithan store check graph counters`" in said.value.fix
    assert sorted(asked) == ["counters", "graph"]


def test_a_remedy_is_one_that_helps(cli: Any) -> None:
    journals.write(cli.home, [journals.event(1)])
    assert "set LEVAITHAN_COUNTERS_URL, then" in cli("store", "compare", "counters", code=4).stderr
    (cli.home / ".env").write_text("LEVAITHAN_GRAPH_URL=http://127.0.0.1:1\nLEVAITHAN_STORE_TIMEOUT_MS=500\n")
    said = cli("store", "rebuild", "graph", code=1).stderr
    assert "then run `levaithan store rebuild graph` again" in said
    assert "room for" not in said and "untouched" not in said and ".." not in said


def test_what_is_no_store_is_a_usage_problem(cli: Any) -> None:
    journals.write(cli.home, [])
    for command in ("status", "check", "migrate", "rebuild", "lag", "compare"):
        assert "no store 'nosuch'" in cli("store", command, "nosuch", code=2).stderr


def test_roles_are_for_a_ledger_on_a_server(cli: Any) -> None:
    journals.write(cli.home, [])
    done = cli("store", "migrate", "--roles", code=2)
    assert "PostgreSQL" in done.stderr
    assert "LEVAITHAN_LEDGER_URL" in done.stderr
    assert not (cli.home / "state/ledger.sqlite3").exists(), "nothing is done before that is known"
    assert "--roles" in cli("store", "migrate", "--reader-password-file", "x", code=2).stderr
    (cli.home / ".env").write_text("LEVAITHAN_LEDGER_URL=postgresql://owner@127.0.0.1:1/x\n")
    assert "PostgreSQL" in cli("store", "migrate", "search", "--roles", code=2).stderr


def test_a_password_is_made_once_or_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "one"
    made = store_roles.password(file)
    assert len(made) >= 32
    assert store_roles.password(file) == made == file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    bad = tmp_path / "bad"
    for content in (b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * 2000, b"a\0b"):
        bad.write_bytes(content)
        with pytest.raises(store_roles.PasswordFileError) as caught:
            store_roles.password(bad)
        assert str(bad) in str(caught.value)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "elsewhere")
    for one in (dangling, tmp_path, bad / "below"):
        with pytest.raises(store_roles.PasswordFileError):
            store_roles.password(one)
    assert not (tmp_path / "elsewhere").exists()


def test_the_lag_of_a_store_that_is_down_is_what_was_last_known(cli: Any) -> None:
    journals.write(cli.home, [journals.event(number) for number in range(1, 6)])
    (cli.home / ".env").write_text("LEVAITHAN_LEDGER_URL=postgresql://me:hunter2@127.0.0.1:1/x\n")
    (row,) = cli.rows("store", "lag", "ledger")
    assert (row["state"], row["lag"], row["dead_letters"]) == ("down", None, None)
    home = home_at(str(cli.home))
    ensure_private(home.run)
    Path(home.run, "projector.json").write_text(json.dumps({"stores": {"ledger": {"seq": 2, "dead_letters": 1}}}))
    (row,) = cli.rows("store", "lag", "ledger")
    assert (row["state"], row["lag"], row["dead_letters"]) == ("down", 4, 1)
    assert json.loads(cli("store", "status", "ledger", "--json", code=3).stdout)["rows"][0]["lag"] == 4
    here = {"seq": 2, "dead_letters": 1, "where": "postgresql://127.0.0.1:1/x"}
    for where, lag in ((here["where"], 4), (str(cli.home / "state" / "ledger.sqlite"), None)):
        Path(home.run, "projector.json").write_text(json.dumps({"stores": {"ledger": {**here, "where": where}}}))
        (row,) = cli.rows("store", "lag", "ledger")
        assert row["lag"] == lag, "of the store that was there before its server nothing is told of the server"


def test_all_stores_that_are_down_are_told_in_order_each_tried_once(cli: Any) -> None:
    """Servers that hang up at once: how often each is called is how often somebody at a terminal waits for it."""
    with contextlib.ExitStack() as stack:
        doors = {name: stack.enter_context(hanging_up()) for name in ("graph", "counters", "search")}
        (cli.home / ".env").write_text(
            f"LEVAITHAN_GRAPH_URL=http://127.0.0.1:{doors['graph'].port}\n"
            f"LEVAITHAN_COUNTERS_URL=redis://127.0.0.1:{doors['counters'].port}\n"
            f"LEVAITHAN_SEARCH_URL=http://127.0.0.1:{doors['search'].port}\n"
        )
        told = json.loads(cli("store", "status", "search", "graph", "counters", "--json", code=3).stdout)
    assert [(row["store"], row["state"]) for row in told["rows"]] == [
        ("search", "down"), ("graph", "down"), ("counters", "down"),
    ]  # fmt: skip
    assert {name: door.calls for name, door in doors.items()} == dict.fromkeys(doors, 1)
