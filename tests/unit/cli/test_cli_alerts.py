"""`levaithan alerts`: the rules with how they stand now, whether the tuning is good, the same for Prometheus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import homes

from levaithan.detectors import prometheus_rules, shown, tuning
from levaithan.detectors import rules as rules_of
from levaithan.detectors.evaluator import Evaluator
from levaithan.detectors.signal import Signal
from levaithan.hot.paths import home_at
from levaithan.monitor import status

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> str:
    return homes.make_home(tmp_path / "home", native=False)


def looked(root: str, at_s: float, *, evaluated: bool = True) -> None:
    """The monitor's last look: a store is down, a session hit the guard."""
    evaluator = Evaluator(rules_of.default())
    for number in range(50):
        evaluator.observe(at_s - 735 + number * 15, [("levaithan_store_up", (("store", "graph"),), 0.0)])
        evaluator.evaluate(at_s - 735 + number * 15)
    hit = Signal(
        "f", "SelfProtectionHit", "security", "P1", True, at_s - 5, at_s, {"project": "/p"}, 1.0, session_id="s1"
    )
    rules = tuning.load(home_at(root).context)
    if not evaluated:
        evaluator = Evaluator(rules_of.default())
    told = shown.snapshot(evaluator, [hit] if evaluated else [], at_s, rules, evaluated=evaluated)
    shown.write(home_at(root), told)
    status.path_of(home_at(root)).write_text(json.dumps({"pid": os.getpid(), "doing": "watching", "every_s": 5}))


def rows(root: str, *words: str) -> dict[str, dict[str, Any]]:
    return {row["alert"]: row for row in homes.rows(root, "alerts", "list", *words)}


def test_without_a_look_nothing_is_known_and_it_says_so(root: str) -> None:
    done = homes.cli(root, "alerts", "list", "--json")
    told = json.loads(done.stdout)["rows"]
    assert {row["state"] for row in told} == {"unknown"}
    assert len(told) == len(rules_of.default().all)
    assert "no monitor has looked yet" in done.stderr


def test_what_fires_is_shown_with_its_place_and_its_session(root: str) -> None:
    looked(root, time.time())
    told = rows(root)
    assert (told["StoreDown"]["state"], told["StoreDown"]["labels"]) == ("firing", {"store": "graph"})
    assert told["SelfProtectionHit"]["session_id"] == "s1"
    assert told["StoreDown"]["since"].endswith("Z")
    assert told["DiskFull"]["state"] == "quiet"
    assert told["ScrapeDown"]["state"] == "unknown", "only Prometheus can see it"
    assert {name for name, row in rows(root, "--firing").items() if row} >= {
        "StoreDown",
        "SelfProtectionHit",
        "Watchdog",
    }
    assert "HookErrors" not in rows(root, "--firing")


def test_a_table_shows_the_place_in_words(root: str) -> None:
    looked(root, time.time())
    said = homes.cli(root, "alerts", "list").stdout
    assert "store=graph" in said and "{" not in said


def test_rules_that_are_left_to_prometheus_are_not_quiet(root: str) -> None:
    looked(root, time.time(), evaluated=False)
    told = rows(root)
    assert told["DiskFull"]["state"] == "unknown"
    assert told["DenialBurst"]["state"] == "quiet", "a detector looks all the same"
    done = homes.cli(root, "alerts", "list", "--firing")
    assert "LEVAITHAN_ALERT_EVALUATION=off" in done.stderr


def test_nothing_fires_is_said_only_where_somebody_looked(root: str) -> None:
    done = homes.cli(root, "alerts", "list", "--firing")
    assert done.stdout == ""
    assert "nobody has looked" in done.stderr
    assert "LEVAITHAN_MONITOR=on" in done.stderr, "the next step goes by what keeps it from looking"
    looked(root, time.time() - 600)
    assert "nothing fires" not in homes.cli(root, "alerts", "list", "--firing").stderr


def test_an_old_look_is_not_passed_off_as_now(root: str) -> None:
    looked(root, time.time() - 600)
    done = homes.cli(root, "alerts", "list", "--json")
    assert {row["state"] for row in json.loads(done.stdout)["rows"]} == {"unknown"}
    assert "s old" in done.stderr
    shown.path_of(home_at(root)).write_text("not ours", encoding="utf-8")
    assert shown.read(home_at(root)) is None


def test_what_a_monitor_saw_that_has_ended_is_not_how_it_is_now(root: str) -> None:
    looked(root, time.time())
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    for told in ({"pid": os.getpid(), "doing": "stopped"}, {"pid": int(ended.stdout), "doing": "watching"}):
        status.path_of(home_at(root)).write_text(json.dumps(told))
        done = homes.cli(root, "alerts", "list", "--json")
        assert {row["state"] for row in json.loads(done.stdout)["rows"]} == {"unknown"}
        assert "no monitor runs" in done.stderr


def test_tuning_that_the_monitor_has_not_taken_up_is_not_shown_as_in_force(root: str, tmp_path: Path) -> None:
    looked(root, time.time())
    file = tmp_path / "home" / "context" / "alerts.toml"
    file.write_text("[alerts.DiskFull]\noff = true\n[alerts.StoreDown]\nfor = '3m'\n", encoding="utf-8")
    done = homes.cli(root, "alerts", "list", "--json")
    told = {row["alert"]: row["state"] for row in json.loads(done.stdout)["rows"]}
    assert (told["DiskFull"], told["StoreDown"], told["HookErrors"]) == ("unknown", "unknown", "quiet")
    assert "DiskFull, StoreDown" in done.stderr
    looked(root, time.time())
    done = homes.cli(root, "alerts", "list", "--json")
    told = {row["alert"]: row["state"] for row in json.loads(done.stdout)["rows"]}
    assert (told["DiskFull"], told["StoreDown"]) == ("off", "firing")
    assert "taken up" not in done.stderr
    file.unlink()
    assert rows(root)["DiskFull"]["state"] == "unknown", "the monitor still has it off"


def test_without_a_home_it_says_so(tmp_path: Path) -> None:
    setting = ("mode", "set", "normal", "--reason", "x")
    for words in (("alerts", "list"), ("alerts", "check"), ("mode", "show"), setting):
        done = homes.cli(str(tmp_path / "none"), *words, check=False)
        assert done.returncode == 4, words
        assert "There is no home" in done.stderr
    assert not (tmp_path / "none").exists()


def test_tuning_is_followed_shown_and_checked(root: str, tmp_path: Path) -> None:
    file = tmp_path / "home" / "context" / "alerts.toml"
    file.write_text("[alerts.HookErrors]\noff = true\n[alerts.StoreDown]\nfor = '3m'\n", encoding="utf-8")
    told = rows(root)
    assert told["HookErrors"]["state"] == "off"
    assert (told["StoreDown"]["for_s"], told["StoreDown"]["tuned"]) == (180, ["for"])
    assert homes.cli(root, "alerts", "check").returncode == 0
    file.write_text("[alerts.HookErrors]\nthreshold = 7\n", encoding="utf-8")
    done = homes.cli(root, "alerts", "check", "--json", check=False)
    assert done.returncode == 5
    (told,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told["ok"], told["error"]["code"]) == (False, "findings")
    assert "a share between 0 and 1" in told["rows"][0]["problem"]
    assert str(file) not in told["rows"][0]["problem"], "the path is a column"
    done = homes.cli(root, "alerts", "check", check=False)
    assert (done.stdout + done.stderr).count("HookErrors") == 1
    assert "is not followed" in homes.cli(root, "alerts", "list").stderr


def test_the_rules_for_prometheus_on_stdout_and_into_a_folder(root: str, tmp_path: Path) -> None:
    assert homes.cli(root, "alerts", "compile").stdout == prometheus_rules.compiled(rules_of.default())
    homes.cli(root, "alerts", "compile", "--to", str(tmp_path / "rules"))
    written = (tmp_path / "rules" / prometheus_rules.NAME).read_text(encoding="utf-8")
    assert written == prometheus_rules.compiled(rules_of.default())
    done = homes.cli(root, "alerts", "compile", "--to", str(tmp_path / "rules" / prometheus_rules.NAME), check=False)
    assert done.returncode == 2
    assert "is no folder" in done.stderr


def test_rules_are_written_without_what_is_not_good_and_it_is_said(root: str, tmp_path: Path) -> None:
    file = tmp_path / "home" / "context" / "alerts.toml"
    file.write_text("[alerts.HookErrors]\nthreshold = 7\n[alerts.StoreDown]\nfor = '3m'\n", encoding="utf-8")
    done = homes.cli(root, "alerts", "compile", "--to", str(tmp_path / "rules"), check=False)
    assert done.returncode == 5
    assert done.stderr.count("[alerts.HookErrors] is not followed") == 1
    written = (tmp_path / "rules" / prometheus_rules.NAME).read_text(encoding="utf-8")
    assert written == prometheus_rules.compiled(tuning.load(str(file.parent)))


def test_reading_the_alerts_loads_nothing_heavy(root: str) -> None:
    code = (
        "import sys\nfrom levaithan.cli.main import run\n"
        f"try: run(['--home', {root!r}, 'alerts', 'list'])\nexcept SystemExit: pass\n"
        "heavy = 'psutil prometheus_client drain3 apprise anthropic opentelemetry sqlalchemy uvicorn'.split()\n"
        "print('loaded:', [one for one in heavy if one in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "loaded: []" in done.stdout
