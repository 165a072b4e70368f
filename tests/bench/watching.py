"""What it costs to watch: an hour of 1,500 events a second, in CPU time of one core.

The journal is real: recorded sessions under new ids, written by the journal's own writer. The looks are those of the
monitor, at its pace; garbage is collected as it does that.
"""

from __future__ import annotations

import gc
import itertools
import os
import time
from typing import TYPE_CHECKING, Any

import orjson
from tests.bench.report import Row
from tests.support import homes, payloads

from levaithan.config import settings as settings_of
from levaithan.hot.journal import Journal
from levaithan.hot.paths import home_at
from levaithan.hot.record import timestamp
from levaithan.install.watched import outside
from levaithan.metrics.watching import Watching
from levaithan.projector import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.paths import Home

RATE = 1500
HOUR_S = 3600
LOOK_S = 5.0
_SHARE = 0.05
_BATCH = 500
_LOOKS = 20
_WARM_S = 3.0
_HOOKS = {
    "PreToolUse": "halt_check policy_check pace_reserve budget_reserve lease_reserve approval_reserve pace_watch "
    "session_register",
    "PostToolUse": "session_register lease_keep output_watch",
}


def measure(folder: str, events: int, seconds: float) -> list[Row]:
    """The row. `folder` is where the home is made."""
    home = home_at(homes.make_home(os.path.join(folder, "watched"), native=False))
    write(home, events)
    settings = settings_of.load(home.root, environ={})
    loop.catch_up(home, settings, stores=("ledger",))
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        watching = Watching(home, settings, outside=outside(home), threads=False)
        begun = time.process_time()
        count = _fold(watching)
        event_s = (time.process_time() - begun) / count
        text_s = _least(lambda: len(watching.tally.exposition()))
        keep_s = _least(lambda: orjson.dumps([watching.tally.dump(), watching.fold.dump()]))
        series = watching.tally.count()
        watching.stop()
        looks = _looks(home, settings, seconds)
    finally:
        gc.enable()
        gc.unfreeze()
    share = RATE * event_s + looks + keep_s / LOOK_S + text_s
    how = (
        f"{event_s * 1e6:.1f} us an event, read, checked, parsed and folded; all looks {looks:.2%}; {keep_s * 1e3:.1f} "
        f"ms to keep the state each {LOOK_S:g} s, {text_s * 1e3:.1f} ms a scrape's text each second; {series} series; "
        f"N={count:,}, looks over {seconds:g} s"
    )
    what = "an hour of 1,500 events a second watched, CPU"
    got = f"{share * HOUR_S:.0f} s, {share:.2%}"
    return [Row(what, f"{_SHARE:.0%} of one core", got, share <= _SHARE, how)]


def _looks(home: Home, settings: Any, seconds: float) -> float:
    """The share of a core that looking around takes, as the monitor does it: a collection every LOOK_S."""
    watching = Watching(home, settings, outside=outside(home))
    while not watching.step().end:
        pass
    time.sleep(_WARM_S)
    begun, until = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < until:
        watching.collect(time.time())
        time.sleep(LOOK_S)
    took = time.process_time() - begun
    watching.stop()
    return took / seconds


def _fold(watching: Watching) -> int:
    """Read and fold the whole journal; how many records there were."""
    count = 0
    while True:
        batch = watching.step()
        count += batch.lines
        if batch.end:
            return count


def _least(work: Callable[[], Any]) -> float:
    """CPU seconds of `work`, the least of several: what else the machine does is no part of it."""
    took = []
    for _ in range(_LOOKS):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return min(took)


def write(home: Home, events: int) -> None:
    """So many events into the home's journal, RATE a second, the last of them now."""
    journal = Journal(home.journal, fsync="never")
    made = records(events, time.time_ns() - events * 10**9 // RATE)
    while batch := list(itertools.islice(made, _BATCH)):
        journal.append(batch)
    journal.close()


def records(events: int, begun_ns: int, first: int = 0) -> Iterator[tuple[str, bytes]]:
    """(id, body) of so many events from `begun_ns` on: the recorded sessions, again and again, 50 at once; `first`: how
    many there were before."""
    told = [one for name in payloads.sessions() for one in payloads.session(name)]
    for number in range(first, first + events):
        turn, place = divmod(number, len(told))
        given = dict(told[place])
        given["session_id"] = f"{given['session_id'][:-8]}{turn:08d}"
        if "tool_use_id" in given:
            given["tool_use_id"] = f"{given['tool_use_id'][:-8]}{turn:08d}"
        name, one = given["hook_event_name"], f"{number:032x}"
        record: dict[str, Any] = {
            "v": 1, "kind": "event", "id": one, "at": timestamp(begun_ns + (number - first) * 10**9 // RATE),
            "machine": "m", "event": name,
        }  # fmt: skip
        record |= {key: given[key] for key in ("session_id", "agent_id", "tool_name", "tool_use_id") if key in given}
        record |= {"project": f"/home/dev/p{turn % 50}", "decision": "allow", "duration_ms": 1.234, "path": "native"}
        record["hooks"] = [{"hook": hook, "ms": 0.012} for hook in _HOOKS.get(name, "session_register").split()]
        yield one, orjson.dumps(record | {"payload": given})
