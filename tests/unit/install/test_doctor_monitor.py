"""Doctor on who watches: a monitor that runs, hangs, is off or away; what nobody was told; the canary's way out."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from tests.support import homes

from levaithan.actions import fallback
from levaithan.actions.message import test_message as made_message
from levaithan.cli import recording
from levaithan.detectors import shown
from levaithan.hot import paths
from levaithan.hot.halts import stamp
from levaithan.hot.paths import Home
from levaithan.install import answers, canary, doctor
from levaithan.install.finding import Asked, Result
from levaithan.queries import notes
from levaithan.stores.roles import StoreDownError


def home(folder: Path, **more: object) -> Home:
    return paths.home_at(homes.make_home(folder / "home", native=False, **{"monitor": "on", **more}))


def said(home: Home, check: str = "monitor") -> Result:
    (one,) = doctor.run(Asked(home, None, prove=False), only=[check])
    return one


def told(home: Home, *, ago_s: float = 1.0, **more: object) -> None:
    Path(home.run).mkdir(exist_ok=True)
    body = {"pid": os.getpid(), "doing": "watching", "updated": stamp(int((time.time() - ago_s) * 1e6)), **more}
    Path(home.run, "monitor.json").write_text(json.dumps(body))


def test_a_monitor_that_is_away_switched_off_or_hangs_is_told_with_its_remedy(tmp_path: Path) -> None:
    made = home(tmp_path / "a")
    assert (said(made).status, "levaithan start" in said(made).remedy) == ("warn", True)
    told(made, doing="stopped")
    assert "does not run" in said(made).message
    told(made, ago_s=600)
    assert (said(made).status, said(made).remedy) == ("fail", "levaithan restart")
    Path(made.run, "monitor.json").write_text("[]")
    assert "does not run" in said(made).message
    off = said(home(tmp_path / "b", monitor="off"))
    assert off.status == "warn" and "LEVAITHAN_MONITOR=on" in off.remedy


def test_a_monitor_that_watches_says_when_it_last_looked_and_what_it_leaves_out(tmp_path: Path) -> None:
    made = home(tmp_path, alert_evaluation="off")
    told(made)
    shown.write(made, {"version": shown.VERSION, "at_s": time.time() - 3, "alerts": []})
    found = said(made)
    assert found.status == "ok" and "last looked 3 s ago" in found.message
    assert "LEVAITHAN_ALERT_EVALUATION=off" in found.message


def test_open_incidents_are_counted_and_the_most_serious_is_named_with_the_command_that_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = home(tmp_path)
    assert said(made, "incidents").status == "ok"

    def opened(severity: str, title: str) -> str:
        one = f"inc-{severity.lower()}"
        body = {"action": "open", "incident": one, "severity": severity, "title": title, "by": "ann"}
        assert recording.note(made, "incident", {**body, "at": stamp(time.time_ns() // 1000)}) is None
        return one

    opened("P3", "It smells")
    assert (said(made, "incidents").status, said(made, "incidents").data["open"]) == ("ok", {"P3": 1})
    p1 = opened("P1", "It burns")
    found = said(made, "incidents")
    assert (found.status, found.remedy) == ("warn", f"levaithan incident show {p1}")
    assert "2 are open (1 P1, 1 P3)" in found.message and "It burns" in found.message
    p0 = opened("P0", "It is ashes")
    assert (said(made, "incidents").status, said(made, "incidents").data["incident"]) == ("fail", p0)

    def down(*_: object) -> None:
        raise StoreDownError(store="ledger", role="LEDGER", where="there", reason="refused")

    monkeypatch.setattr(notes, "_of_ledger", down)
    assert said(made, "incidents").data["incident"] == p0, "what is wrong with the ledger hides none"


def test_what_nobody_was_told_is_a_finding(tmp_path: Path) -> None:
    made = home(tmp_path)
    assert said(made, "undelivered").status == "ok"
    assert fallback.keep(made, made_message("operator"), time.time())
    found = said(made, "undelivered")
    assert found.status == "warn" and found.message.startswith("1 message was") and "action seen" in found.remedy


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("The tool Bash may not be used here now. [rule restraint.block_tool]", "levaithan restraint list"),
        ("The restraints cannot be read (x: no JSON), so everything is held.", "levaithan doctor --fix, which"),
        ("The emergency stop cannot be read (x: no JSON), so everything is held.", "levaithan doctor --fix, which"),
        ("the budget is spent", "levaithan budget show"), ("no rule says so", "levaithan doctor --only gate"),
    ],
)  # fmt: skip
def test_a_harmless_call_that_is_refused_names_what_ends_it(
    monkeypatch: pytest.MonkeyPatch, reason: str, remedy: str
) -> None:
    read = answers.Read("deny", reason)
    monkeypatch.setattr(canary.hooks, "run", lambda _command, _call: None)
    monkeypatch.setattr(canary.answers, "read", lambda _event, _done: read)
    row = canary.send(canary.Registered(["x"], {}, "/", 1, "/settings.json"), "pass", "a project")
    assert row["status"] == "fail" and remedy in row["remedy"]
