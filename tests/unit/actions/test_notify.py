"""People are told: what stands in a message, receipts, other channels, the file, nothing lost, nothing secret said."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes
from tests.unit.actions.receiver import receiving

from levaithan.actions import channels, fallback, outbox
from levaithan.actions.action import Run
from levaithan.actions.message import of_change
from levaithan.actions.notify import Notifier
from levaithan.incidents.change import Change


def notifier(place: Any, *urls: str, **settings: Any) -> Notifier:
    chosen = place.settings.model_copy(update={"notify_urls": " ".join(urls) or None, **settings})
    return Notifier(place.home, chosen, place.write, lambda: place.now)


def message(place: Any, kind: str = "opened", done: list[Run] | None = None, **more: Any) -> Any:
    return of_change(Change(kind, place.incident(**more), place.now), done or [])


def settled(made: Notifier, timeout_s: float = 20.0) -> None:
    """Wait (real time) for what is being sent."""
    end = time.monotonic() + timeout_s
    made.tick()
    while made._thread is not None and made._thread.is_alive():
        assert time.monotonic() < end
        time.sleep(0.01)
    made.tick()


def seconds(place: Any, made: Notifier, count: float, step: float = 1.0) -> None:
    """So many seconds of the monitor's time."""
    for _ in range(int(count / step)):
        place.now += step
        settled(made)


# --- what a message says ---------------------------------------------------------------------------------------------


def test_it_says_what_happened_how_bad_what_was_done_what_comes_next_and_one_command(place: Any) -> None:
    run = Run("a-1", "quarantine_session", {"session": "s1"}, phase="verified", stays=True)
    said = message(place, done=[run], severity="P1", command="levaithan session show s1", project="/srv/shop")
    for part in (
        "What happened: SomeAlert is the trouble (project /srv/shop)", "How bad: P1", "15 minutes",
        "Done: quarantine_session session s1: done and verified; undo: levaithan action undo a-1",
        "Next: acknowledge it: levaithan incident ack INC-P1-SomeAlert", "Run: levaithan session show s1",
    ):  # fmt: skip
        assert part in said.body
    assert said.title == "[P1] SomeAlert is the trouble (project /srv/shop)"


def test_nothing_done_is_said_too(place: Any) -> None:
    assert "nothing was done by itself" in message(place).body


def test_a_p0_claims_no_stop_that_there_is_not(place: Any) -> None:
    said = message(place, severity="P0", alert="", detection="found by a person", opened_by="ann", source="person")
    assert "stopped" not in said.body and "How bad: P0, critical: a person is needed now" in said.body
    assert (
        "Done: nothing was done by itself" in said.body and f"Run: levaithan incident show {said.incident}" in said.body
    )


@pytest.mark.parametrize(
    ("more", "next_"),
    [
        ({"severity": "P2"}, "nothing: it is over"),
        ({"severity": "P1"}, "a postmortem and its review are owed (P1): levaithan incident draft INC-P1-SomeAlert -o"),
        ({"severity": "P3", "data_loss": True}, "owed (data loss)"),
        (
            {"severity": "P1", "postmortem": {"author": "ann"}},
            "a review is owed (P1): levaithan incident review INC-P1",
        ),
        ({"severity": "P1", "postmortem": {"missing": ["Impact has a blank"]}}, "a postmortem and its review are owed"),
    ],
)
def test_resolved_says_what_is_owed(place: Any, more: dict[str, Any], next_: str) -> None:
    assert (
        f"Next: {next_}" in message(place, "resolved", **more).body
        or next_ in message(place, "resolved", **more).further
    )


def test_a_place_that_is_none_is_left_out(place: Any) -> None:
    said = message(place, labels={"project": "none", "store": "graph"})
    assert said.happened == "SomeAlert is the trouble (store graph)"
    assert message(place, labels={"project": "none"}).happened == "SomeAlert is the trouble"


@pytest.mark.parametrize(
    ("name", "target", "command"),
    [
        ("throttle_session", {"session": "s1"}, "throttle_session --session s1 --incident i1 --reason 'as a-1 "),
        ("emergency_stop", {"all": ""}, "emergency_stop --everything --incident i1"),
        ("block_tool", {"project": "/srv/my shop", "tool": "Bash"}, "block_tool --project '/srv/my shop' --tool Bash"),
    ],
)  # fmt: skip
def test_a_dry_run_says_what_it_would_do_and_the_command_that_does_it(
    place: Any, name: str, target: dict[str, str], command: str
) -> None:
    run = Run("a-1", name, target, phase="dry_run", incident="i1", why="it is only recorded: nothing was done")
    (said,) = message(place, done=[run]).done
    assert f"do it: levaithan action run {command}" in said and "would " in said and "only recorded" in said


@pytest.mark.parametrize("value", ["`x`", "a\nb", "x" * 5000, "@all", "a; rm -rf /"])
def test_a_hostile_target_makes_no_command(place: Any, value: str) -> None:
    (said,) = message(place, done=[Run("a-1", "quarantine_session", {"session": value}, phase="dry_run")]).done
    assert said.endswith("see levaithan action show a-1") or f"--session '{value}' " in said


HOSTILE = (
    "<script>alert(1)</script> <!channel> @everyone [click](http://evil.test/x) `rm -rf /` *b* \x1b[31mred\x1b[0m "
    "line\nbreak\r\ttab \u202egnirts\u200b &lt;b&gt; https://evil.test " + "A" * 5000
)


@pytest.mark.parametrize("where", ["title", "project", "store", "session_id", "command"])
def test_hostile_text_is_plain_text_in_every_channel(place: Any, where: str) -> None:
    said = message(place, **{where: HOSTILE})
    text = said.body + said.title
    for part in ("<", ">", "`", "[click]", "@everyone", "://", "\x1b", "\r", "\t", "\u202e", "\u200b"):
        assert part not in text.replace("[P1]", ""), part
    assert len(said.body) <= 3000 and said.body.count("\n") == 4


def test_secrets_in_a_title_are_taken_out(place: Any) -> None:
    secret = "ghp_" + "A1b2C3d4E5" * 4
    assert secret not in message(place, title=f"leaked {secret} here").body


# --- delivery --------------------------------------------------------------------------------------------------------


def test_a_message_arrives_and_its_receipt_is_in_the_journal(place: Any) -> None:
    with receiving() as one:
        made = notifier(place, one.url)
        assert made.tell(message(place)) is True
        settled(made)
        (taken,) = one.taken
    assert taken["title"].startswith("[P1]") and "Run: " in taken["message"]
    (record,) = place.records()
    assert (record["action"], record["phase"], record["outcome"]) == ("human_alert", "done", "delivered")
    assert record["incident"] == "INC-P1-SomeAlert" and record["target"] == {"channel": "json 127.0.0.1"}
    assert made.outbox.waiting() == []


def test_an_alert_is_no_mitigation(place: Any) -> None:
    """The engine takes a verified action for one: that people were told mends nothing."""
    with receiving() as one:
        made = notifier(place, one.url)
        made.tell(message(place))
        settled(made)
    assert "verified" not in place.phases() and "failed" not in place.phases()


def test_one_page_a_fingerprint_in_a_quarter_of_an_hour(place: Any) -> None:
    with receiving() as one:
        made = notifier(place, one.url)
        for _ in range(3):
            made.tell(message(place))
        made.tell(message(place, "resolved"))
        made.tell(message(place, alert="Other"))
        settled(made)
        seconds(place, made, 5)
        assert len(one.taken) == 3
        place.now += 895
        assert made.tell(message(place)) is True


def test_each_level_of_an_escalation_is_news(place: Any) -> None:
    with receiving() as one, receiving() as two:
        made = notifier(place, one.url, notify_urls_next=two.url)
        made.tell(message(place, "escalated", page_level=1))
        made.tell(message(place, "escalated", page_level=1))
        settled(made)
        assert (len(one.taken), len(two.taken)) == (0, 1), "those who come next are told first"
        made.tell(message(place, "escalated", page_level=2))
        settled(made)
        assert len(two.taken) == 2
        assert made.urls(0) == [one.url] and made.urls(9) == [two.url, one.url]


@pytest.mark.parametrize("how", ["fails", "redirects"])
def test_what_is_not_taken_is_tried_again_with_pauses_then_elsewhere_within_a_minute(place: Any, how: str) -> None:
    with receiving() as one, receiving() as two:
        one.how, one.elsewhere = how, f"http://127.0.0.1:{two.server.server_port}/from-a-redirect"
        made = notifier(place, one.url, two.url)
        made.tell(message(place))
        seconds(place, made, 60)
        assert 2 <= one.asked <= 8 and len(two.taken) == 1
        assert "/from-a-redirect" not in two.paths, "only the URLs of the settings are spoken to"
    (record,) = place.records()
    assert record["outcome"] == "delivered" and record["took_s"] <= 60


def test_a_receiver_that_hangs_holds_nobody_up(place: Any) -> None:
    with receiving() as one:
        one.how = "hangs"
        made = notifier(place, one.url + "?rto=1&cto=1")
        made.tell(message(place))
        began = time.monotonic()
        for _ in range(50):
            made.tick()
        assert time.monotonic() - began < 1.0
        settled(made)
        assert len(made.outbox.waiting()) == 1, "it is not lost"
        one.how = "takes"
        seconds(place, made, 10)
        assert len(one.taken) == 1


@pytest.mark.parametrize("url", ["json://no-such-host.invalid/x", "json://127.0.0.1:9/x", "nonsense://x", "json://"])
def test_where_nobody_listens_it_goes_into_the_file_and_the_status(place: Any, url: str) -> None:
    made = notifier(place, url)
    made.tell(message(place))
    seconds(place, made, 75)
    (kept,) = fallback.last(place.home)
    assert kept["title"].startswith("[P1]") and kept["command"]
    assert [one["outcome"] for one in place.records()] == ["file"]
    assert len(made.outbox.waiting()) == 1, "the trying goes on"
    status = json.loads(homes.cli(place.home.root, "status", "--json", check=False).stdout)["rows"]
    row = next(one for one in status if one["item"] == "notifications")
    assert row["status"] == "fail" and row["remedy"] == "levaithan action seen"
    assert len(homes.rows(place.home.root, "action", "seen")) == 1
    assert homes.rows(place.home.root, "action", "seen") == []


def test_with_no_channel_at_all_it_is_the_file_at_once(place: Any) -> None:
    made = notifier(place)
    made.tell(message(place))
    assert len(fallback.last(place.home)) == 1 and made.outbox.waiting() == []


def test_who_has_no_channel_is_not_alarmed_by_what_can_wait(place: Any) -> None:
    made = notifier(place)
    assert made.tell(message(place, severity="P3")) is False
    assert fallback.last(place.home) == [] and made.outbox.waiting() == []


def test_where_nobody_is_set_for_a_level_whoever_there_is_is_told(place: Any) -> None:
    made = notifier(place, notify_urls_last="json://127.0.0.1/x")
    assert made.urls(0) == made.urls(1) == made.urls(2) == ["json://127.0.0.1/x"]


def test_what_fell_is_told_when_the_receiver_is_back_and_once(place: Any) -> None:
    with receiving() as one:
        one.how = "fails"
        made = notifier(place, one.url)
        made.tell(message(place))
        seconds(place, made, 120, step=5)
        assert len(fallback.last(place.home)) == 1
        one.how = "takes"
        seconds(place, made, 400, step=10)
        assert len(one.taken) == 1 and made.outbox.waiting() == []
    assert [record["outcome"] for record in place.records()] == ["file", "delivered"]


def test_a_restart_goes_on_with_what_waits(place: Any) -> None:
    with receiving() as one:
        one.how = "fails"
        made = notifier(place, one.url)
        made.tell(message(place))
        settled(made)
        one.how = "takes"
        again = notifier(place, one.url)
        place.now += 10
        settled(again)
        assert len(one.taken) == 1
        assert again.tell(message(place)) is False, "it was paged within a quarter of an hour"


def test_ten_thousand_alerts_and_a_receiver_that_fails(place: Any) -> None:
    """Bounded, counted, and no loop: what cannot be told makes no further messages."""
    with receiving() as one:
        one.how = "fails"
        made = notifier(place, one.url)
        began = time.monotonic()
        for number in range(10_000):
            made.tell(message(place, id=f"i{number}", severity="P2"))
        made.tell(message(place, id="worst", severity="P0"))
        assert time.monotonic() - began < 60, "it takes seconds, not minutes"
        waiting = made.outbox.waiting()
        assert len(waiting) == outbox.MOST and made.outbox.lost == 10_001 - outbox.MOST
        assert "worst" in {entry["message"]["incident"] for entry in waiting}, "the worst is kept"
        settled(made)
        asked = one.asked
        for _ in range(100):
            made.tick()
        settled(made)
        assert one.asked <= asked + 101 and len(made.outbox.waiting()) == outbox.MOST
        one.how = "takes"
        place.now += 10
        settled(made)
        settled(made)
        assert "[P0]" in " ".join(taken["title"] for taken in one.taken[:2]), "one may be under way; then the worst"


def test_an_outbox_that_cannot_be_written_is_the_file(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from levaithan.hot import kept

    monkeypatch.setattr(kept, "write", lambda *_: False)
    made = notifier(place, "json://127.0.0.1:9/")
    assert made.tell(message(place)) is True
    assert len(fallback.last(place.home)) == 1 and "outbox" in made.trouble


def test_a_journal_that_cannot_be_written_keeps_no_page_back(place: Any) -> None:
    with receiving() as one:
        made = notifier(place, one.url)
        place.full = True
        made.tell(message(place))
        settled(made)
        assert len(one.taken) == 1
        place.full = False
        settled(made)
    assert place.phases() == ["done"]


def test_p3_waits_for_the_daily_digest(place: Any) -> None:
    with receiving() as one:
        made = notifier(place, one.url, notify_digest_hour=8)
        place.now = 1_790_035_200.0 + 3600  # 2026-09-22 01:00 UTC
        for number in range(3):
            assert made.tell(message(place, id=f"i{number}", severity="P3", title=f"small {number}")) is False
        settled(made)
        assert one.taken == []
        place.now += 3600 * 8
        settled(made)
        settled(made)
        (digest,) = one.taken
        assert "3 minor troubles" in digest["title"] and "small 2" in digest["message"]
        seconds(place, made, 20, step=5)
        assert len(one.taken) == 1
        made.tell(message(place, id="i9", severity="P3", page_level=1, kind="escalated"))
        settled(made)
        assert len(one.taken) == 2, "one that nobody acknowledged in a day is told"


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_url_is_a_secret(place: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with receiving() as one:
        made = notifier(place, one.url, "nonsense://hunter2hunter2@x")
        for how in ("takes", "fails", "hangs"):
            one.how = how
            made.tell(message(place, id=how))
            seconds(place, made, 3)
            one.over.set()
        seconds(place, made, 90, step=5)
    said = capfd.readouterr()
    files = [path for path in Path(place.home.root).rglob("*") if path.is_file() and path.name != ".env"]
    for secret in ("hunter2hunter2", "secret-path-4711"):
        assert secret not in said.out + said.err + made.trouble
        assert [str(path) for path in files if secret.encode() in path.read_bytes()] == []


def test_a_url_may_come_from_a_file_and_is_masked_where_settings_are_shown(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    file = tmp_path / "urls"
    file.write_text("json://u:hunter2hunter2@127.0.0.1/x\nmailto://v:hunter3hunter3@example.test\n")
    with (Path(root) / ".env").open("a") as env:
        env.write(f"LEVAITHAN_NOTIFY_URLS_FILE={file}\n")
    shown = homes.cli(root, "config", "show", "--origin").stdout
    assert "hunter" not in shown and "notify_urls" in shown.lower()
    rows = homes.rows(root, "action", "alert", "--dry-run")
    assert [one["channel"] for one in rows] == ["json 127.0.0.1", "mailto example.test"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("json://u:p@h.test:8/secret?x=y", "json h.test"), ("slack://TokenA/TokenB/TokenC/#c", "slack"),
        ("discord://id/token", "discord"), ("tgram://token/chat", "tgram"), ("mailtos://u:p@h.test", "mailtos h.test"),
    ],
)  # fmt: skip
def test_a_channel_is_named_without_its_secrets(url: str, name: str) -> None:
    assert channels.name_of(url) == name


def test_the_command_tries_every_channel_and_says_which_failed(tmp_path: Path) -> None:
    with receiving() as one:
        root = homes.make_home(
            tmp_path / "home", native=False, notify_urls=one.url, notify_urls_last="json://127.0.0.1:9/x"
        )
        done = homes.cli(root, "action", "alert", "--json", check=False)
        told = json.loads(done.stdout)
        assert done.returncode == 1 and [row["status"] for row in told["rows"]] == ["failed", "taken"]
        assert len(one.taken) == 1 and "a test message" in one.taken[0]["title"]


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_test_message_with_no_url_set_says_what_to_set(tmp_path: Path, more: tuple[str, ...]) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    done = homes.cli(root, "action", "alert", *more, check=False)
    assert done.returncode == 4 and "LEVAITHAN_NOTIFY_URLS_FILE" in done.stderr


def test_a_digest_counts_as_people_do() -> None:
    from levaithan.actions.notify import digest

    assert digest(["a"], 0, "2026-01-01").happened.startswith("1 minor trouble since")
    assert digest(["a"], 1, "2026-01-01").happened.startswith("2 minor troubles since")


def test_reading_commands_load_no_sender(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    code = (
        "import sys; sys.argv = ['levaithan', '--home', %r, *%r]\n"
        "from levaithan.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('apprise', 'psutil', 'pydantic', 'sqlalchemy', 'anthropic') if name in sys.modules])"
    )
    import subprocess
    import sys

    for words in (["mode", "show"], ["restraint", "list"], ["action", "list", "--known"], ["--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code % (root, words)], capture_output=True, text=True, check=False,
            env=homes.plain_environment(),
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "[]", (words, done.stdout[-500:], done.stderr[-500:])
