"""Two homes' gates on one real Redis: quotas, budgets and leases hold over both; what holds while it is out of reach is
what docs/how-to/stores.md says."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_shared_decisions import ready
from tests.support import homes
from tests.support.transcripts import Transcript

from levaithan.hot import charter, hotconf, leases, paths
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate
from levaithan.hot.workflow import Outcome
from levaithan.service.shared_state import SharedLeases, SharedSums
from levaithan.stores.opening import Opening
from levaithan.stores.redis_coordination import RedisCoordination
from levaithan.stores.redis_decisions import RedisDecisions

QUIET = "repeats_warn = 0\nrepeats_deny = 0\npingpong_deny = 0\n"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charter, "FRESH_US", -1)
    monkeypatch.setitem(hotconf._NUMBER, "deadline_ms", (20_000, 10, 20_000))


class Machine:
    """A home with its gate, which shares by `decisions`."""

    def __init__(self, folder: Path, name: str, url: str, text: str, partition: str = "local") -> None:
        self.name = name
        self.home = paths.home_at(homes.make_home(folder / name, native=False))
        Path(self.home.context, "charter.toml").write_text(text)
        self.gate = Gate(self.home, hotconf.HotConf(), json.loads)
        self.opening = Opening("counters", "", "/nowhere", url, timeout_s=2.0)
        self.decisions = RedisDecisions(self.opening, name, 2.0, lease_partition=partition)
        self.decisions.start()
        ready(self.decisions)
        self.gate.share(self.decisions)
        self.others = RedisCoordination(self.opening, name)

    def ask(self, session: str, tool: str = "Bash", name: str = "PreToolUse", **given: Any) -> Outcome:
        more = given.pop("more", {})
        payload = {"session_id": session, "hook_event_name": name, "cwd": "/srv/p", "tool_use_id": "t"}
        payload |= {"tool_name": tool, "tool_input": given or {"command": "echo hi"}} | more
        header = {"event": name, "path": "native", "project": "/srv/p", "attended": "1"}
        return self.gate.decide(parse(header, json.dumps(payload).encode()))[0]

    def leave(self) -> None:
        """The server is out of reach from here, and the prober will not bring it back."""
        self.decisions.prober.stop()
        self.decisions.prober.client = None

    def close(self) -> None:
        self.decisions.stop()
        self.others.close()


@pytest.fixture
def pair(redis_server: Any, tmp_path: Path) -> Iterator[Callable[..., tuple[Machine, Machine]]]:
    url = f"{redis_server.url}?prefix={secrets.token_hex(6)}"
    made: list[Machine] = []

    def make(text: str, partition: str = "local") -> tuple[Machine, Machine]:
        made.extend(Machine(tmp_path, name, url, text, partition) for name in ("a", "b"))
        return made[0], made[1]

    yield make
    for one in made:
        one.close()


def rules(machine: Machine, times: int, session: str = "s1") -> list[str | None]:
    return [machine.ask(session).decision.rule for _ in range(times)]


# -- pace --


def test_a_project_has_one_quota_on_all_machines(pair: Any) -> None:
    one, two = pair("[pace]\ncalls_per_minute_by_project = 4\n" + QUIET)
    assert rules(one, 3) == [None] * 3
    assert rules(two, 2, "s2") == [None, "pace.project"]
    said = two.ask("s2").decision.reason or ""
    assert "4 calls in this project on all machines in the last minute, the limit is 4" in said
    assert "wait " in said


def test_what_is_refused_after_all_counts_nowhere(pair: Any) -> None:
    one, two = pair("[pace]\ncalls_per_minute_by_project = 3\n" + QUIET)
    path = "/srv/p/a.py"
    assert one.ask("s1", "Edit", file_path=path).decision.verdict == "allow"
    for _ in range(3):
        assert one.ask("s2", "Edit", file_path=path).decision.rule == "lease.held"
    assert rules(two, 3, "s3") == [None, None, "pace.project"]


def test_at_a_partition_a_quota_is_this_machine_s_share(pair: Any) -> None:
    one, _ = pair("[pace]\ncalls_per_minute_by_project = 6\n" + QUIET)
    one.decisions.machines = 3
    one.leave()
    assert rules(one, 3) == [None, None, "pace.project"]
    said = one.ask("s1").decision.reason or ""
    assert "on this machine, whose share of 6 it is" in said
    assert "the limit is 2" in said
    one.decisions.machines = 100
    assert one.ask("s1").decision.rule == "pace.project", "at least one"


def refused(machine: Machine, times: int, session: str) -> list[str | None]:
    return [machine.ask(session, command="rm -rf /").decision.rule for _ in range(times)]


DENIALS = "[pace]\ndenials_per_minute = 0\ndenials_per_minute_by_project = 4\n" + QUIET


def test_refusals_of_a_project_count_on_all_machines(pair: Any) -> None:
    one, two = pair(DENIALS)
    assert "pace.denials" not in refused(one, 2, "s1") + refused(two, 2, "s2")
    for machine in (one, two):
        said = machine.ask("s3").decision
        assert (said.verdict, said.rule) == ("deny", "pace.denials")
        why = said.reason or ""
        assert "4 calls in this project were refused on all machines in the last minute, the limit is 4" in why
    assert rules(one, 3, "s1") == ["pace.denials"] * 3
    said = two.ask("s4").decision
    assert "4 calls in this project were refused" in (said.reason or ""), "its own refusals do not count"
    other = one.ask("s1", more={"cwd": "/srv/q"}).decision
    assert other.rule == "pace.denials", "the project is the header's, whatever the folder"


def test_a_call_that_is_only_looked_at_is_not_counted_as_refused(pair: Any) -> None:
    one, two = pair(DENIALS + "calls_per_minute_by_project = 6\n")
    assert rules(one, 5) == [None] * 5
    assert refused(two, 1, "s2")[0] not in {"pace.denials", "pace.project"}
    assert rules(two, 2, "s2") == [None, "pace.project"]


def test_at_a_partition_refusals_are_held_against_this_machine_s_share(pair: Any) -> None:
    one, _ = pair(DENIALS)
    one.decisions.machines = 2
    one.leave()
    assert "pace.denials" not in refused(one, 2, "s1")
    said = one.ask("s1").decision
    assert said.rule == "pace.denials"
    assert "on this machine, whose share of 4 it is" in (said.reason or "")
    assert "the limit is 2" in (said.reason or "")


TOKENS = "[pace]\ntokens_per_minute_by_project = 1000\n" + QUIET


def used(machine: Machine, transcript: Transcript, tokens: int) -> Outcome:
    transcript.line(f"msg_{secrets.token_hex(6)}", {"input_tokens": tokens, "output_tokens": 0}, at=at())
    return machine.ask(transcript.session, more={"transcript_path": str(transcript.path)})


def test_tokens_of_a_project_count_on_all_machines_once(pair: Any, tmp_path: Path) -> None:
    one, two = pair(TOKENS)
    mine, theirs = Transcript(tmp_path / "one", "s1"), Transcript(tmp_path / "two", "s2")
    assert used(one, mine, 600).decision.verdict == "allow"
    for _ in range(3):
        assert one.ask("s1", more={"transcript_path": str(mine.path)}).decision.verdict == "allow", "said again"
    said = used(two, theirs, 500).decision
    assert (said.verdict, said.rule) == ("deny", "pace.tokens")
    assert "1100 tokens of this project on all machines in the last minute, the limit is 1000" in (said.reason or "")
    assert "wait " in (said.reason or "")
    again = one.ask("s1", more={"transcript_path": str(mine.path)}).decision
    assert again.rule == "pace.tokens", "the other's count here"


def test_at_a_partition_tokens_are_held_against_this_machine_s_share(pair: Any, tmp_path: Path) -> None:
    one, _ = pair(TOKENS)
    one.decisions.machines = 2
    one.leave()
    mine = Transcript(tmp_path / "one", "s1")
    assert used(one, mine, 400).decision.verdict == "allow"
    said = used(one, mine, 100).decision
    assert said.rule == "pace.tokens"
    assert "on this machine, whose share of 1000 it is" in (said.reason or "")


# -- budgets --

DAY = '[[budgets.limit]]\nscope = "day"\nusd = 10\n[pace]\n' + QUIET


def at() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def spends(machine: Machine, transcript: Transcript, usd: float) -> Outcome:
    for _ in range(round(usd * 10)):
        transcript.spend(0.1, at=at())
    return machine.ask(transcript.session, more={"transcript_path": str(transcript.path)})


def test_what_other_machines_spent_counts_here(pair: Any, tmp_path: Path) -> None:
    one, two = pair(DAY)
    assert spends(one, Transcript(tmp_path, "s1"), 6).decision.verdict == "allow"
    first = spends(two, Transcript(tmp_path, "s2"), 3)
    assert first.decision.rule == "budget.day"
    assert first.decision.verdict == "allow", "six and three of ten is a warning"
    assert "$9.00 spent and $" in (first.decision.context or "")
    SharedSums(one.home, one.others, print).tell(again=True)
    SharedSums(two.home, two.others, print).tell(again=True)
    third = spends(one, Transcript(tmp_path, "s3"), 2)
    assert (third.decision.verdict, third.decision.rule) == ("deny", "budget.day")
    assert "$11.00 spent" in (third.decision.reason or "")


def test_what_is_reserved_elsewhere_counts_and_goes_with_its_turn(pair: Any, tmp_path: Path) -> None:
    one, two = pair('[budgets]\nreserve_usd = 6\n[[budgets.limit]]\nscope = "day"\nusd = 10\n[pace]\n' + QUIET)
    assert one.ask("s1").decision.verdict == "allow"
    assert two.ask("s2").decision.verdict == "allow", "six under way, and there is room"
    third = two.ask("s3").decision
    assert (third.verdict, third.rule) == ("deny", "budget.day"), "six here and six there"
    one.ask("s1", name="Stop", more={"tool_name": None})
    assert two.ask("s3").decision.verdict == "allow"


def test_a_server_that_lost_the_sums_is_told_them_again(pair: Any, tmp_path: Path) -> None:
    one, two = pair(DAY)
    spends(one, Transcript(tmp_path, "s1"), 11)
    two.others.ask(lambda link: link.delete(*link.scan_iter(match=two.others.prefix.replace("{", "?") + "*")))
    assert two.ask("s2").decision.verdict == "allow"
    SharedSums(one.home, one.others, print).tell(again=True)
    assert two.ask("s2").decision.rule == "budget.day"


def test_at_a_partition_a_budget_is_this_machine_s_share(pair: Any, tmp_path: Path) -> None:
    one, _ = pair(DAY)
    one.decisions.machines = 4
    transcript = Transcript(tmp_path, "s1")
    assert spends(one, transcript, 3).decision.verdict == "allow"
    one.leave()
    said = one.ask("s1", more={"transcript_path": str(transcript.path)}).decision
    assert (said.verdict, said.rule) == ("deny", "budget.day")
    assert "$3.00 spent" in (said.reason or "")
    assert "of $2.50" in (said.reason or "")


# -- leases --

PATH = "/srv/p/a.py"


def test_a_file_is_changed_by_one_session_on_all_machines(pair: Any) -> None:
    one, two = pair("[pace]\n" + QUIET)
    taken = one.ask("one-1111111", "Edit", file_path=PATH)
    assert taken.decision.rule == "lease.taken"
    said = two.ask("two", "Edit", file_path=PATH).decision
    assert (said.verdict, said.rule) == ("deny", "lease.held")
    assert "is held by session one-1111 on the machine a until" in (said.reason or "")
    assert leases.every(two.home) == []
    assert one.ask("one-1111111", "Edit", file_path=PATH).decision.verdict == "allow"


def test_tokens_grow_from_machine_to_machine(pair: Any) -> None:
    one, two = pair("[pace]\n" + QUIET)
    one.ask("s1", "Edit", file_path=PATH)
    (mine,) = leases.every(one.home)
    one.ask("s1", name="Stop", more={"tool_name": None})
    teller = SharedLeases(one.home, one.others, lambda *_, **__: None)
    teller._mine = {PATH: mine}
    time.sleep(1.1)
    teller.tell()
    assert two.ask("s2", "Edit", file_path=PATH).decision.rule == "lease.taken"
    (theirs,) = leases.every(two.home)
    assert theirs["fence"] > mine["fence"]
    (shared,), _ = one.others.leases()
    assert (shared["session"], shared["fence"]) == ("s2", theirs["fence"])


def test_what_a_refused_call_took_is_free_for_all(pair: Any, tmp_path: Path) -> None:
    one, _ = pair('[[budgets.limit]]\nscope = "session"\nusd = 1\n[pace]\n' + QUIET)
    workflows = Path(one.home.context, "workflows.toml")
    text = workflows.read_text()
    order = '"pace_reserve", "budget_reserve", "lease_reserve", "approval_reserve"'
    assert order in text
    workflows.write_text(text.replace(order, '"lease_reserve", "budget_reserve"'))
    one.gate.refresh()
    transcript = Transcript(tmp_path, "s1")
    transcript.spend(2, at=at())
    said = one.ask("s1", "Edit", file_path=PATH, more={"transcript_path": str(transcript.path)})
    assert (said.decision.verdict, said.decision.rule) == ("deny", "budget.session")
    assert [entry.get("rule") for entry in said.hooks if entry["hook"] == "lease_reserve"][:1] == ["lease.taken"]
    assert one.others.leases()[0] == []
    assert leases.every(one.home) == []
    assert not any(entry.get("leased") for entry in said.hooks)


def test_a_session_is_told_that_another_machine_took_the_file_that_it_changed(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair("[pace]\n" + QUIET)
    one.ask("s1", "Edit", file_path=PATH)
    with monkeypatch.context() as quiet:
        quiet.setattr(one.decisions, "other", None)
        assert lost(one, "s1") is None, "nobody is asked while the lease is in force"
    (mine,) = leases.release(one.home, [PATH])  # as if it had run out
    assert lost(one, "s1") is None, "nobody took it"
    one.others.free([mine], unless_us=0)
    two.ask("s2-a-long-name", "Edit", file_path=PATH)
    said = lost(one, "s1") or ""
    assert "session s2-a-lon on the machine b took it (fence " in said
    assert "read it again" in said
    assert lost(two, "s2-a-long-name") is None
    one.leave()
    assert lost(one, "s1") is None, "nobody can tell"


def lost(machine: Machine, session: str) -> str | None:
    """What the session hears when it has changed the file, of its lease."""
    outcome = machine.ask(session, "Edit", "PostToolUse", file_path=PATH)
    assert any(one.get("rule") == "lease.lost" for one in outcome.hooks) == bool(outcome.decision.context), "recorded"
    return outcome.decision.context


def test_the_record_names_what_was_leased(pair: Any) -> None:
    one, _ = pair("[pace]\n" + QUIET)
    entries = {entry["hook"]: entry for entry in one.ask("s1", "Edit", file_path=PATH).hooks}
    assert entries["lease_reserve"]["leased"] == [PATH]
    assert not any("leased" in entry for entry in one.ask("s1").hooks)


def test_a_lease_in_force_is_said_again_to_a_server_that_lost_it(pair: Any) -> None:
    one, two = pair("[pace]\n" + QUIET)
    one.ask("s1", "Edit", file_path=PATH)
    two.others.ask(lambda link: link.delete(two.others.prefix + "leases", two.others.prefix + "lease-ends"))
    SharedLeases(one.home, one.others, lambda *_, **__: None).tell()
    assert two.ask("s2", "Edit", file_path=PATH).decision.rule == "lease.held"


def test_both_took_it_while_apart_and_one_of_them_learns_it(pair: Any) -> None:
    one, two = pair("[pace]\n" + QUIET)
    two.leave()
    assert one.ask("s1", "Edit", file_path=PATH).decision.rule == "lease.taken"
    assert two.ask("s2", "Edit", file_path=PATH).decision.rule == "lease.taken", "locally, as the setting says"
    said: list[Any] = []
    SharedLeases(one.home, one.others, lambda *_, **__: None).tell()
    SharedLeases(two.home, two.others, lambda words, **more: said.append((words, more["path"]))).tell()
    assert said == [("a lease is another machine's", PATH)]
    assert leases.every(two.home) == []
    assert [one["session"] for one in leases.every(one.home)] == ["s1"]


def test_at_a_partition_leases_are_refused_where_the_setting_says_so(pair: Any) -> None:
    one, _ = pair("[pace]\n" + QUIET, "deny")
    one.leave()
    said = one.ask("s1", "Edit", file_path=PATH).decision
    assert (said.verdict, said.rule) == ("deny", "lease.partition")
    assert "LEVAITHAN_COUNTERS_LEASE_PARTITION" in (said.reason or "")
    assert one.ask("s1").decision.verdict == "allow", "what changes no file goes on"


def test_a_lease_that_no_book_knows_is_let_go(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from levaithan.service import shared_state

    one, _ = pair("[pace]\n" + QUIET)
    one.decisions.acquire({"session": "ghost", "agent": None, "project": None}, ["/x"], 60_000_000, 0)
    teller = SharedLeases(one.home, one.others, lambda *_, **__: None)
    teller.tell()
    assert len(one.others.leases()[0]) == 1, "a call may be about to enter it"
    monkeypatch.setattr(shared_state, "_GHOST_US", 0)
    monkeypatch.setattr(shared_state, "_LOOK_S", 0.0)
    teller.tell()
    assert one.others.leases()[0] == []
