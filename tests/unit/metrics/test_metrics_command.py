"""`levaithan metrics` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support import homes
from tests.support.ledger_records import JournalFiles
from tests.support.loopback import Receiver

from levaithan.hot.paths import home_at
from levaithan.metrics import kept_state
from levaithan.stores import address


def run(root: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("levaithan")), "--home", root, "metrics", *arguments],
        env=homes.plain_environment(HOME=root, **more), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> str:
    made = homes.make_home(tmp_path / "home", native=False)
    JournalFiles(home_at(made).journal).events(20)
    return made


def test_the_figures_as_rows(root: str) -> None:
    done = run(root, "show", "hook_events", "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["rows"] == [
        {"name": "levaithan_hook_events_total", "labels": {"event": "PreToolUse", "decision": "allow"}, "value": 20.0}
    ]
    table = run(root, "show", "hook_events").stdout
    assert "decision=allow event=PreToolUse" in table
    assert "ask" in run(root, "show", "hook_events", "--zeros").stdout
    assert not kept_state.path_of(home_at(root)).exists()  # only the monitor keeps it
    again = run(root, "show", "journal_records", "--format", "csv")
    assert again.stdout.splitlines()[1].endswith(",21.0")


def test_a_gauge_that_was_looked_at_is_shown_at_0_too(root: str) -> None:
    url = "redis://127.0.0.1:1"
    done = run(root, "show", "store_", "--json", LEVAITHAN_COUNTERS_URL=url)
    assert done.returncode == 0, done.stderr
    rows = {(one["name"], one["labels"]["store"]): one for one in json.loads(done.stdout)["rows"]}
    down = rows["levaithan_store_up", "counters"]
    assert (down["value"], down["labels"]["address"]) == (0.0, address.mark(url))
    assert rows["levaithan_store_up", "ledger"]["value"] == 1
    assert {value["value"] for (name, _), value in rows.items() if name.endswith("_total")} == {1.0}  # no counter at 0
    assert run(root, "show", "incidents_open").stdout == "", "a 0 that stands from the start"


def test_a_state_that_is_damaged_stays_for_the_monitor(root: str) -> None:
    path = kept_state.path_of(home_at(root))
    path.write_bytes(b"{")
    done = run(root, "show", "journal_records", "--format", "csv")
    assert done.stdout.splitlines()[1].endswith(",21.0")
    assert "cannot be used" in done.stderr
    assert path.read_bytes() == b"{"


def test_a_name_that_no_figure_has_is_told_from_one_at_zero(root: str) -> None:
    done = run(root, "show", "nosuch")
    assert done.returncode == 1
    assert "No figure has that in its name" in done.stderr
    assert run(root, "show", "leases").returncode == 0
    assert run(root, "show", "hook_duration_seconds_bucket").returncode == 0


def test_the_figures_as_a_scrape_would_have_them(root: str) -> None:
    done = run(root, "show", "--text")
    assert done.returncode == 0, done.stderr
    families = {family.name: family for family in text_string_to_metric_families(done.stdout)}
    assert families["levaithan_journal_records"].samples[0].value == 21
    refused = run(root, "show", "--text", "--json")
    assert refused.returncode == 2


def test_the_figures_as_a_file(root: str, tmp_path: Path) -> None:
    done = run(root, "textfile", str(tmp_path / "x.prom"))
    assert done.returncode == 0, done.stderr
    assert "levaithan_journal_records_total 21.0" in (tmp_path / "x.prom").read_text()
    done = run(root, "textfile", LEVAITHAN_METRICS_TEXTFILE=str(tmp_path / "y.prom"))
    assert (tmp_path / "y.prom").exists(), done.stderr
    for arguments, code in ((("textfile",), 4), (("textfile", str(tmp_path / "x.txt")), 1), (("push",), 4)):
        done = run(root, *arguments)
        assert done.returncode == code, done.stderr
        assert "next:" in done.stderr
    done = run(root, "push", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "Pushgateway" in done.stderr


def test_a_short_job_sends_the_figures_to_its_gateway(root: str) -> None:
    with Receiver() as gateway:
        done = run(root, "push", gateway.url.replace("//", "//job:hunter2hunter2@"), "--job", "night")
        assert done.returncode == 0, done.stderr
        done = run(root, "push", LEVAITHAN_METRICS_PUSH_URL=gateway.url)
        assert done.returncode == 0, done.stderr
        first, second = gateway.calls
    assert "hunter2" not in done.stderr
    assert (first.path.split("/")[3], second.path.split("/")[3]) == ("night", "levaithan")
    for one in (first, second):
        families = {family.name: family for family in text_string_to_metric_families(one.body.decode())}
        assert families["levaithan_journal_records"].samples[0].value == 21


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    done = run(str(tmp_path / "none"), "show")
    assert done.returncode == 4
    assert not (tmp_path / "none").exists()


def test_a_setting_that_would_open_it_to_others_is_refused(root: str) -> None:
    for wrong in ("0.0.0.0:9465", "10.0.0.1:9465", "127.0.0.1", "example.org:80", "127.0.0.1:99999"):
        done = run(root, "textfile", LEVAITHAN_METRICS_LISTEN=wrong)
        assert done.returncode == 4, wrong
        assert "127.0.0.1:PORT" in done.stderr
    for right in ("off", "127.0.0.1:0", "[::1]:9465", "localhost:9465"):
        done = run(root, "push", LEVAITHAN_METRICS_LISTEN=right)
        assert "No Pushgateway is named" in done.stderr, done.stderr


def test_a_verification_by_hand_counts(root: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("levaithan")), "--home", root, "journal", "verify"],
        env=homes.plain_environment(HOME=root), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "levaithan_journal_verified_timestamp_seconds" in run(root, "show", "verified").stdout
