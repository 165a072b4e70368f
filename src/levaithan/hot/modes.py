"""How much LevAIthan does besides deciding, recording and redacting, which are never shed: the modes, and what is
switched off in each; broken circuits of stores; how many processes project.

RUNGS is the one table. `state/mode.json` says on which rung this home is; whoever does something of the table looks
(one stat) and leaves it while it is shed. A file that is damaged or missing means the normal mode: what it switches
off is never the guard. Standard library only, so that any room may ask.
"""

from __future__ import annotations

import time

from levaithan.hot.halts import stamp
from levaithan.hot.state_file import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.paths import Home

NORMAL, DEGRADED, LOCAL_ONLY, HALTED = MODES = ("normal", "degraded", "local-only", "halted")
EMBEDDINGS = "embeddings"
LOG_PATTERNS = "log-patterns"
LIVE_STREAM = "live-stream"
CONTEXT = "context-injection"
SERVER_STORES = "server-stores"
SHARED_STATE = "shared-state"
AGENTS = "agents"


class Rung:
    """One step of the ladder: the mode it is part of, what it switches off beyond the rung before, what that means."""

    __slots__ = ("means", "mode", "off")

    def __init__(self, mode: str, off: tuple[str, ...], means: str) -> None:
        self.mode = mode
        self.off = off
        self.means = means


RUNGS = (
    Rung(NORMAL, (), "everything is on"),
    Rung(DEGRADED, (EMBEDDINGS,), "the memory waits with its cursor: no vectors are made"),
    Rung(DEGRADED, (LOG_PATTERNS,), "no patterns are mined from the log"),
    Rung(DEGRADED, (LIVE_STREAM,), "the counters' live stream waits with its cursor"),
    Rung(DEGRADED, (CONTEXT,), "nothing from the memory is put into a model's context"),
    Rung(LOCAL_ONLY, (SERVER_STORES, SHARED_STATE), "stores on servers wait with their cursors; none asks others"),
    Rung(HALTED, (AGENTS,), "every agent is stopped, by a halt of scope all"),
)  # fmt: skip
"""In the order in which things go off; they come on again in the reverse order. The rules, the journal and redaction
are in none of them."""
TOP_DEGRADED = max(level for level, rung in enumerate(RUNGS) if rung.mode == DEGRADED)
LEVELS = {mode: max(level for level, rung in enumerate(RUNGS) if rung.mode == mode) for mode in MODES}
"""Mode -> the rung that a person means by it: all of what it may switch off."""
LOWEST = LEVELS[LOCAL_ONLY]
"""The last rung that stops no agent."""
MOST_WORKERS = 4
_files: dict[str, StateFile] = {}


def _file(home: Home) -> StateFile:
    known = _files.get(home.state)
    if known is None:
        known = _files[home.state] = StateFile(home.state + "/mode.json")
    return known


def _level(kept: dict[str, Any]) -> int:
    level = kept.get("level")
    return level if isinstance(level, int) and 0 <= level <= LOWEST else 0


def look(home: Home) -> dict[str, Any]:
    """{level, mode, off, reason, by, set_at, workers, breakers} as it is now; one stat when nothing changed. Never
    raises."""
    kept = _file(home).look()
    level = _level(kept)
    workers = kept.get("workers")
    return {
        "level": level,
        "mode": RUNGS[level].mode,
        "off": off_at(level),
        "reason": str(kept.get("reason") or ""),
        "by": str(kept.get("by") or ""),
        "set_at": str(kept.get("set_at") or ""),
        "workers": workers if isinstance(workers, int) and 1 <= workers <= MOST_WORKERS else 1,
        "breakers": breakers(home),
    }


def off_at(level: int) -> tuple[str, ...]:
    """What is switched off on the rung `level`, in the order in which it went off."""
    return tuple(what for rung in RUNGS[: level + 1] for what in rung.off)


def is_off(home: Home, what: str) -> bool:
    """Whether `what` (of RUNGS) is switched off now: one stat. Never raises."""
    level = _level(_file(home).look())
    return level > 0 and what in off_at(level)


def workers(home: Home) -> int:
    """How many processes the stores are to be shared among, 1 to MOST_WORKERS. Never raises."""
    wanted = _file(home).look().get("workers")
    return wanted if isinstance(wanted, int) and 1 <= wanted <= MOST_WORKERS else 1


def breakers(home: Home, now_us: int | None = None) -> dict[str, dict[str, Any]]:
    """Store -> {until, reason, by, where} of each circuit that is broken now (0 = ever); `where`: the address that it
    was broken for, which older ones do not tell. Never raises."""
    kept = _file(home).look().get("breakers")
    if not isinstance(kept, dict) or not kept:
        return {}
    now = stamp(time.time_ns() // 1000 if now_us is None else now_us)
    return {name: one for name, one in kept.items() if isinstance(one, dict) and str(one.get("until", "")) > now}


def circuit(home: Home, store: str, where: str = "") -> dict[str, Any] | None:
    """The circuit (see breakers) that holds `store` where it is now, at the address `where` ("" = wherever); None for
    none, and for one of another address: what failed there says nothing of the store that took its place."""
    broken = breakers(home).get(store)
    known = str(broken.get("where") or "") if broken else ""
    return None if known and where and known != where else broken


def held(home: Home, store: str, *, remote: bool, where: str = "") -> str:
    """Why the store, which is at the address `where` ("" = wherever), must not be written to now, in words; "" when it
    may be. Two stats at most."""
    file = _file(home)
    if not file.look():
        return ""
    broken = circuit(home, store, where)
    if broken:
        return f"its circuit is broken until {broken.get('until')}: {broken.get('reason')}; by {broken.get('by')}"
    for what, mine in ((EMBEDDINGS, store == "memory"), (LIVE_STREAM, store == "counters"), (SERVER_STORES, remote)):
        if mine and is_off(home, what):
            return f"the mode is {look(home)['mode']}, {what} are off"
    return ""


def set_mode(home: Home, level: int, *, by: str, reason: str, expect: int | None = None) -> tuple[int, int]:
    """Go to the rung `level`; gives (before, after). With `expect` nothing changes where the rung is another by now.

    The last rung is no matter of this file: that is a halt. Raises ValueError for a rung that there is not, OSError
    when it cannot be written.
    """
    if not 0 <= level <= LOWEST:
        raise ValueError(f"there is no rung {level} to set: 0 to {LOWEST}")

    def work(kept: dict[str, Any]) -> tuple[int, int]:
        before = _level(kept)
        if expect is not None and before != expect:
            return before, before
        kept.update(level=level, by=by, reason=reason[:1000], set_at=stamp(time.time_ns() // 1000))
        return before, level

    return _file(home).change(work)


def set_workers(home: Home, count: int) -> tuple[int, int]:
    """Share the stores among `count` processes; gives (before, after). Raises ValueError, OSError."""
    if not 1 <= count <= MOST_WORKERS:
        raise ValueError(f"1 to {MOST_WORKERS} processes can project, not {count}")

    def work(kept: dict[str, Any]) -> tuple[int, int]:
        before = kept.get("workers")
        kept["workers"] = count
        return before if isinstance(before, int) and 1 <= before <= MOST_WORKERS else 1, count

    return _file(home).change(work)


def break_circuit(home: Home, store: str, until_us: int, *, by: str, reason: str, where: str = "") -> None:
    """Keep everybody off `store` until then (microseconds, wall clock), as long as it is at the address `where` (""
    = wherever it is). Raises OSError."""
    entry = {"until": stamp(until_us), "by": by, "reason": reason[:1000], **({"where": where} if where else {})}
    _file(home).change(lambda kept: kept.setdefault("breakers", {}).update({store: entry}) or True)


def close_circuit(home: Home, store: str, *, by: str = "") -> bool:
    """Let `store` be written to again, where the circuit is one that `by` broke ("" = whoever did); whether it was
    broken. Raises OSError."""

    def work(kept: dict[str, Any]) -> bool:
        known = kept.get("breakers")
        if not isinstance(known, dict) or store not in known or (by and known[store].get("by") != by):
            return False
        del known[store]
        return True

    return _file(home).change(work)
