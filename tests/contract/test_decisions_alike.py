"""What is counted while it is decided, by whatever counts it: the service's own counters, or Redis' between machines.

Each story is told twice: all of its sessions on one machine that shares with nobody, and dealt out to two machines that
share. The decisions must be the same. Where the two count otherwise on purpose it is said at the test.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import fixtures
from tests.support import homes
from tests.support.transcripts import Transcript

from levaithan.hot import charter, halt_merge, halts, hotconf, leases, paths
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate
from levaithan.hot.opinion import Decision
from levaithan.service import shared_state
from levaithan.service.shared_halts import SharedHalts
from levaithan.service.shared_state import SharedLeases, SharedSums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.stores.redis_coordination import RedisCoordination

QUIET = "repeats_warn = 0\nrepeats_deny = 0\npingpong_deny = 0\n"
A, B, C = "/srv/p/a.py", "/srv/p/b.py", "/srv/p/c.py"
HOUR_S = 3600


class Machine:
    """A home and its gate. `url`: of the Redis that it shares by, "" for none."""

    def __init__(self, folder: Path, name: str, text: str, url: str) -> None:
        self.name = name
        self.home = paths.home_at(homes.make_home(folder / name, native=False))
        Path(self.home.context, "charter.toml").write_text(text)
        self.gate = Gate(self.home, hotconf.HotConf(), json.loads)
        self.others: RedisCoordination | None = None
        self._told: list[Callable[[], None]] = []
        self._ends: list[Callable[[], None]] = []
        if url:
            self._share(name, url)

    def _share(self, name: str, url: str) -> None:
        from tests.contract.test_shared_decisions import ready

        from levaithan.stores.opening import Opening
        from levaithan.stores.redis_coordination import RedisCoordination
        from levaithan.stores.redis_decisions import RedisDecisions

        opening = Opening("counters", "", "/nowhere", url, timeout_s=5.0)
        decisions = RedisDecisions(opening, name, 5.0)
        decisions.start()
        self.gate.share(ready(decisions))
        others = self.others = RedisCoordination(opening, name)
        sums, stops = SharedSums(self.home, others, _silent), SharedHalts(self.home, others, _silent)
        self._told = [SharedLeases(self.home, others, _silent).tell, lambda: sums.tell(again=False), stops.sync]
        self._ends = [decisions.stop, others.close]

    def tell(self) -> None:
        """What its service tells and hears, several times a second."""
        for one in self._told:
            one()

    def close(self) -> None:
        for one in self._ends:
            one()


def _silent(*_: Any, **__: Any) -> None:
    """The service's log."""


class World:
    """The machines, and the sessions on them: each new session is the next machine's. `wait` lets time go by."""

    def __init__(self, machines: list[Machine]) -> None:
        self.machines = machines
        self.shift_s = 0.0
        self._of: dict[str, Machine] = {}

    def now_ns(self) -> int:
        """The time, with what was waited for."""
        return time.time_ns() + int(self.shift_s * 1e9)

    def of(self, session: str) -> Machine:
        """The machine of a session."""
        return self._of.setdefault(session, self.machines[len(self._of) % len(self.machines)])

    def ask(self, session: str, tool: str = "Bash", name: str = "PreToolUse", **given: Any) -> Decision:
        """What is said to a call of the session."""
        more = given.pop("more", {})
        payload = {"session_id": session, "hook_event_name": name, "cwd": "/srv/p", "tool_use_id": "t"}
        if "Tool" in name:
            payload |= {"tool_name": tool, "tool_input": given or {"command": "echo hi"}}
        header = {"event": name, "path": "native", "project": "/srv/p", "attended": "1"}
        event = parse(header, json.dumps(payload | more).encode())
        event.received_ns = self.now_ns()
        return self.of(session).gate.decide(event)[0].decision

    def edit(self, session: str, path: str) -> str | None:
        """The rule of what is said to a session that is about to change a file."""
        return self.ask(session, "Edit", file_path=path).rule

    def fence(self, session: str) -> int:
        """The token of the lease that the session holds, by its machine's book."""
        (found,) = [one["fence"] for one in leases.every(self.of(session).home, self.now_ns() // 1000)
                    if one["session"] == session]  # fmt: skip
        return int(found)

    def together(self) -> None:
        """Everybody hears of everything, as within a second: twice, for the first may hear what the last one says."""
        for _ in range(2):
            for one in self.machines:
                one.tell()

    def wait(self, seconds: float) -> None:
        """Time goes by: for events, and for what the server has. After a second everybody has heard of everything, and
        at the end."""
        for part in (min(seconds, 1.1), seconds - 1.1):
            if part > 0:
                self.shift_s += part
                others = self.machines[0].others
                if others is not None:
                    others.ask(partial(_aged, prefix=others.prefix, us=int(part * 1_000_000)))
                self.together()


def _aged(link: Any, prefix: str, us: int) -> None:
    """All that the server has is older, as if its clock had gone on."""
    for key in [one for one in link.scan_iter() if one.startswith(prefix)]:
        what = key.removeprefix(prefix)
        if what == "lease-ends" or what.startswith("pace:"):
            for member, at in link.zrange(key, 0, -1, withscores=True):
                link.zadd(key, {member: at - us})
        elif what == "leases" or what.startswith(("held:", "pool:")):
            for field, text in link.hgetall(key).items():
                link.hset(key, field, _older(what, text, us))


def _older(what: str, text: str, us: int) -> str:
    if what.startswith("held:"):
        nano, till = text.split(" ")
        return f"{nano} {int(till) - us}"
    told = json.loads(text)
    if what == "leases":
        return json.dumps(told | {one: str(int(told[one]) - us) for one in ("since_us", "until_us", "renewed_us")})
    return json.dumps([[str(int(at) - us), amount] for at, amount in told])


@pytest.fixture(params=["service", "redis"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], World]]:
    monkeypatch.setattr(charter, "FRESH_US", -1)
    monkeypatch.setitem(hotconf._NUMBER, "deadline_ms", (20_000, 10, 20_000))
    made: list[Machine] = []

    def begin(text: str) -> World:
        url = ""
        if request.param == "redis":
            url = f"{fixtures.given('redis').url}?prefix={secrets.token_hex(6)}"
        made.extend(Machine(tmp_path, name, text, url) for name in ("a", "b")[: 2 if url else 1])
        world = World(made)
        clock = SimpleNamespace(
            time_ns=world.now_ns, monotonic=time.monotonic, strftime=time.strftime, gmtime=time.gmtime
        )
        monkeypatch.setattr(shared_state, "time", clock)
        return world

    yield begin
    for one in made:
        one.close()


# -- windows --

PROJECT = "[pace]\ncalls_per_minute_by_project = {}\n" + QUIET


def test_a_quota_is_the_project_s_whoever_calls(world: Callable[[str], World]) -> None:
    told = world(PROJECT.format(3))
    assert [told.ask(one).rule for one in ("s1", "s2", "s1")] == [None] * 3
    for session in ("s1", "s2", "s3"):
        said = told.ask(session)
        assert (said.verdict, said.rule) == ("deny", "pace.project")
        words = r" 3 calls in this project (on all machines )?in the last minute, the limit is 3 "
        assert re.search(words, said.reason or "")


def test_a_window_slides_and_who_waits_as_long_as_is_said_may_go_on(world: Callable[[str], World]) -> None:
    """The service counts by whole seconds and lets nobody in before its minute is over, and at most a second after;
    Redis counts by microseconds."""
    told = world(PROJECT.format(2))
    assert told.ask("s1").rule is None
    told.wait(10)
    assert told.ask("s2").rule is None
    told.wait(15)
    said = told.ask("s3").reason or ""
    found = re.search(r"wait (\d+) s", said)
    assert found, said
    left = int(found[1])
    assert left in (35, 36)
    told.wait(left - 6)
    assert told.ask("s3").rule == "pace.project", "a moment before the first one leaves the window"
    told.wait(6)
    assert told.ask("s3").rule is None
    assert told.ask("s1").rule == "pace.project", "the second one is in it still"
    told.wait(12)
    assert told.ask("s1").rule is None


def test_a_whole_minute_empties_a_window(world: Callable[[str], World]) -> None:
    told = world(PROJECT.format(2))
    assert [told.ask(one).rule for one in ("s1", "s2", "s1")] == [None, None, "pace.project"]
    told.wait(62)
    assert [told.ask(one).rule for one in ("s2", "s1", "s2")] == [None, None, "pace.project"]


def test_what_is_refused_does_not_count(world: Callable[[str], World]) -> None:
    told = world(PROJECT.format(2))
    assert told.ask("s1").rule is None
    for _ in range(3):
        said = told.ask("s2", command="rm -rf /")
        assert said.verdict == "deny"
        assert not str(said.rule).startswith("pace.")
    assert [told.ask(one).rule for one in ("s2", "s1")] == [None, "pace.project"]


def test_what_a_lease_refuses_is_given_back(world: Callable[[str], World]) -> None:
    told = world(PROJECT.format(3))
    assert told.edit("s1", A) == "lease.taken"
    assert [told.edit("s2", A) for _ in range(3)] == ["lease.held"] * 3
    assert [told.ask(one).rule for one in ("s2", "s1", "s2")] == [None, None, "pace.project"]


def test_refusals_are_counted_and_forgotten_after_a_minute(world: Callable[[str], World]) -> None:
    told = world("[pace]\ndenials_per_minute = 0\ndenials_per_minute_by_project = 2\n" + QUIET)
    assert "pace.denials" not in [told.ask(one, command="rm -rf /").rule for one in ("s1", "s2")]
    assert [told.ask(one).rule for one in ("s1", "s2", "s3")] == ["pace.denials"] * 3
    told.wait(50)
    assert told.ask("s3").rule == "pace.denials", "being held up is no refusal, and ends none"
    told.wait(12)
    assert [told.ask(one).rule for one in ("s1", "s2", "s3")] == [None] * 3


def test_tokens_of_a_project_are_counted_once(world: Callable[[str], World], tmp_path: Path) -> None:
    told = world("[pace]\ntokens_per_minute_by_project = 1000\n" + QUIET)
    scripts = {one: Transcript(tmp_path / "project" / told.of(one).name, one) for one in ("s1", "s2")}

    def used(session: str, tokens: int) -> Decision:
        if tokens:
            usage = {"input_tokens": tokens, "output_tokens": 0}
            scripts[session].line(f"msg_{secrets.token_hex(6)}", usage, at=moment(told))
        return told.ask(session, more={"transcript_path": str(scripts[session].path)})

    assert used("s1", 600).rule is None
    assert used("s1", 0).rule is None
    assert used("s2", 300).rule is None
    said = used("s2", 200)
    assert (said.verdict, said.rule) == ("deny", "pace.tokens")
    assert " 1100 tokens of this project " in (said.reason or "")
    told.wait(63)
    assert [used(one, 0).rule for one in ("s1", "s2")] == [None, None]


# -- leases --

LEASES = "[leases]\nexpires = 600\n[pace]\n" + QUIET


def test_a_lease_has_one_holder_who_may_go_on(world: Callable[[str], World]) -> None:
    told = world(LEASES)
    assert told.edit("one-1111", A) == "lease.taken"
    for path in (A, "/srv/p/../p/a.py"):
        said = told.ask("two", "Edit", file_path=path)
        assert (said.verdict, said.rule) == ("deny", "lease.held")
        assert f"`{A}` is held by session one-1111 " in (said.reason or "")
    assert told.edit("one-1111", A) is None
    assert told.edit("two", B) == "lease.taken", "another file is free"


@pytest.mark.parametrize("end", ["Stop", "SessionEnd"])
def test_a_turn_that_ends_gives_back_and_the_next_token_is_higher(world: Callable[[str], World], end: str) -> None:
    told = world(LEASES)
    assert told.edit("s1", A) == "lease.taken"
    first = told.fence("s1")
    told.wait(2)
    told.ask("s1", name=end)
    told.wait(2)
    assert told.edit("s2", A) == "lease.taken"
    second = told.fence("s2")
    assert second > first
    told.wait(2)
    told.ask("s2", name=end)
    told.wait(2)
    assert told.edit("s1", A) == "lease.taken"
    assert told.fence("s1") > second


def test_a_turn_that_ends_just_after_it_was_told_gives_back_too(world: Callable[[str], World]) -> None:
    """What was said a moment ago is not taken back at once, for a call may be renewing it: a second later it is."""
    told = world(LEASES)
    assert told.edit("s1", A) == "lease.taken"
    told.together()
    told.ask("s1", name="Stop")
    told.together()
    told.wait(1.1)
    assert told.edit("s2", A) == "lease.taken"


def test_a_lease_ends_at_its_expiry_and_no_earlier(world: Callable[[str], World]) -> None:
    told = world(LEASES)
    assert told.edit("s1", A) == "lease.taken"
    first = told.fence("s1")
    told.wait(590)
    assert told.edit("s2", A) == "lease.held"
    told.wait(10)
    assert told.edit("s2", A) == "lease.taken"
    assert told.fence("s2") > first
    assert told.edit("s1", A) == "lease.held", "whose it was has it no more"


@pytest.mark.parametrize("by", ["a change of the file", "any call"])
def test_a_lease_is_renewed_while_its_session_is_heard_of(world: Callable[[str], World], by: str) -> None:
    told = world(LEASES)
    assert told.edit("s1", A) == "lease.taken"
    first = told.fence("s1")
    told.wait(400)
    if by == "any call":
        told.ask("s1", name="PostToolUse", command="ls")
    else:
        assert told.edit("s1", A) is None
    told.wait(590)
    assert told.edit("s2", A) == "lease.held"
    assert told.fence("s1") == first, "who goes on keeps its token"
    told.wait(10)
    assert told.edit("s2", A) == "lease.taken"


def test_all_files_of_a_command_are_taken_or_none(world: Callable[[str], World]) -> None:
    told = world(LEASES)
    assert told.edit("s1", B) == "lease.taken"
    assert told.ask("s2", command=f"echo x > {A}; echo y > {B}").rule == "lease.held"
    assert told.edit("s3", A) == "lease.taken"
    assert told.ask("s2", command=f"echo x > {C}").rule == "lease.taken"


def test_what_a_person_releases_is_free(world: Callable[[str], World]) -> None:
    told = world(LEASES)
    assert told.edit("s1", A) == "lease.taken"
    told.wait(2)
    assert [one["session"] for one in leases.release(told.of("s1").home, [A])] == ["s1"]
    told.wait(1.1)
    assert told.edit("s2", A) == "lease.taken"
    assert told.edit("s1", A) == "lease.held"


# -- budgets --


def moment(world: World) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(world.now_ns() // 1_000_000_000))


def test_what_is_spent_counts_for_all_at_each_share(world: Callable[[str], World], tmp_path: Path) -> None:
    told = world('[[budgets.limit]]\nscope = "project"\nusd = 10\n[pace]\n' + QUIET)

    def spends(session: str, usd: float) -> Decision:
        script = Transcript(tmp_path / session, session)
        for _ in range(round(usd * 10)):
            script.spend(0.1, at=moment(told))
        return told.ask(session, more={"transcript_path": str(script.path)})

    assert spends("s1", 6).rule is None
    second = spends("s2", 3)
    assert (second.verdict, second.rule) == ("allow", "budget.project"), "nine of ten is a warning"
    assert "$9.00 spent" in (second.context or "")
    third = spends("s3", 2)
    assert (third.verdict, third.rule) == ("deny", "budget.project")
    assert "$11.00 spent" in (third.reason or "")
    assert told.ask("s4").rule == "budget.project"


RESERVED = '[budgets]\nreserve_usd = 6\n[[budgets.limit]]\nscope = "project"\nusd = 10\n[pace]\n' + QUIET


def test_what_is_under_way_counts_and_goes_with_its_turn(world: Callable[[str], World]) -> None:
    told = world(RESERVED)
    assert [told.ask(one).rule for one in ("s1", "s2", "s3")] == [None, None, "budget.project"], "twelve of ten"
    told.ask("s1", name="Stop")
    assert told.ask("s3").rule is None


def test_what_is_under_way_ends_by_itself(world: Callable[[str], World]) -> None:
    told = world(RESERVED)
    assert [told.ask(one).rule for one in ("s1", "s2", "s3")] == [None, None, "budget.project"]
    told.wait(15 * 60 - 10)
    assert told.ask("s3").rule == "budget.project"
    told.wait(11)
    assert told.ask("s3").rule is None


# -- halts --


def halted(world: World, session: str, scope: str = "all", target: str = "", **more: Any) -> str:
    """A person sets a halt on the machine of the session. Its id."""
    home = world.of(session).home
    name = halts.set_halt(home, scope, target, "a drill", "ada", now_us=world.now_ns() // 1000, **more).id
    world.together()
    return name


def released(world: World, session: str, name: str) -> int:
    """A person releases it on the machine of the session. How many that were."""
    home = world.of(session).home
    gone = [one.id for one in halts.release_halt(home, name)]
    halt_merge.note_released(home, gone)
    world.together()
    return len(gone)


def stopped(world: World) -> list[str | None]:
    return [world.ask(one).rule for one in ("s1", "s2", "s3")]


def test_a_halt_stops_everybody_until_a_person_releases_it_anywhere(world: Callable[[str], World]) -> None:
    told = world("[pace]\n" + QUIET)
    assert stopped(told) == [None] * 3
    name = halted(told, "s1")
    assert stopped(told) == ["halt.all"] * 3
    told.wait(HOUR_S)
    assert stopped(told) == ["halt.all"] * 3
    assert released(told, "s2", name) == 1
    assert stopped(told) == [None] * 3
    assert released(told, "s1", name) == 0


def test_a_halt_of_one_session_stops_that_one(world: Callable[[str], World]) -> None:
    told = world("[pace]\n" + QUIET)
    assert stopped(told) == [None] * 3
    halted(told, "s1", "session", "s2")
    assert stopped(told) == [None, "halt.session", None]


def test_a_halt_ends_at_its_time(world: Callable[[str], World]) -> None:
    told = world("[pace]\n" + QUIET)
    assert stopped(told) == [None] * 3
    halted(told, "s2", lasts_s=60)
    told.wait(50)
    assert stopped(told) == ["halt.all"] * 3
    told.wait(12)
    assert stopped(told) == [None] * 3


def test_of_two_halts_the_other_one_holds(world: Callable[[str], World]) -> None:
    told = world("[pace]\n" + QUIET)
    assert stopped(told) == [None] * 3
    first, second = halted(told, "s1"), halted(told, "s2")
    assert released(told, "s1", first) == 1
    assert stopped(told) == ["halt.all"] * 3
    assert released(told, "s1", second) == 1
    assert stopped(told) == [None] * 3
