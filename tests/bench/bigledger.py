"""A home whose ledger and search hold millions of events, filled through the stores' own adapters and kept in a cache.

No journal lies beside it: it is for questions only. The events are spread evenly over DAYS days that end when it was
made, drawn from a fixed seed.
"""

from __future__ import annotations

import fcntl
import json
import random
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e import real_client
from tests.support import homes

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.stores import registry
from levaithan.stores.roles import Cursor, Delivery
from levaithan.stores.versions import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = 7
RARE = "zanzibarite"
RARE_EVERY = 300_000
_VERSION = 1
_BATCH = 5_000
JOURNAL = "b" * 32
SEED = 20261123
_SEGMENT = "journal-00000000000000000001.log"
_TOOLS = ("Bash", "Bash", "Bash", "Read", "Read", "Edit", "Write", "Grep")


def home(events: int) -> tuple[str, float]:
    """(the root of a home with `events` events, when it was made in seconds since 1970); filled if it is not there."""
    cache = real_client.cache()
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"ledger-{events}-{HEAD}-{_VERSION}"
    with (cache / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "made").is_file():
            shutil.rmtree(place, ignore_errors=True)
            _fill(place, events)
    return str(place), float((place / "made").read_text(encoding="utf-8"))


def _fill(place: Path, events: int) -> None:
    root = homes.make_home(place, native=False)
    settings = settings_of.load(root, environ={})
    ledger = registry.open_ledger(settings, paths.home_at(root))
    search = registry.open_search(settings, paths.home_at(root))
    made = time.time()
    begun = time.monotonic()
    stores: list[Any] = [ledger, *([search] if search else [])]
    for store in stores:
        store.migrate()
    done = 0
    step_us = DAYS * 86_400_000_000 // events
    for batch in batches(events, int(made * 1e6) - events * step_us, step_us):
        for store in stores:
            if store.apply(batch, cursor_after(batch)):
                raise SystemExit(f"{store.name} took not all of a batch: the generator makes what it refuses")
        done += len(batch)
        if sys.stderr.isatty():
            print(f"\rfilling the ledger: {done:,} of {events:,}", end="", file=sys.stderr)
    for store in stores:
        store.close()
    print(f"\nfilled {events:,} events in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    (place / "made").write_text(str(made), encoding="utf-8")


def cursor_after(batch: list[Delivery]) -> Cursor:
    """The place behind `batch`."""
    last = batch[-1]
    return Cursor(JOURNAL, _SEGMENT, last.offset + len(last.body), last.seq, last.hash)


def words(chance: random.Random) -> list[str]:
    """What the texts are drawn of."""
    return ["".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(3, 9))) for _ in range(6000)]


def batches(events: int, first_us: int, step_us: int) -> Iterator[list[Delivery]]:
    """Batches of `events` records, the first at `first_us`, a step between two."""
    chance = random.Random(SEED)
    known = words(chance)
    batch: list[Delivery] = []
    offset = 0
    for number in range(events):
        made = record(number, first_us + number * step_us, chance, known)
        body = json.dumps(made, separators=(",", ":")).encode()
        batch.append(Delivery(number + 1, f"{number + 1:064x}", JOURNAL, _SEGMENT, offset, made, body))
        offset += len(body) + 66
        if len(batch) == _BATCH or number == events - 1:
            yield batch
            batch = []


def record(number: int, at_us: int, chance: random.Random, words: list[str]) -> dict[str, Any]:
    """A record as the gate writes it: a call's PreToolUse and its PostToolUse in turn."""
    call, after = divmod(number, 2)
    tool = _TOOLS[call * 2654435761 % len(_TOOLS)]
    session = f"{number // 400:08x}-0000-4000-8000-000000000000"
    text = " ".join(chance.choices(words, k=12)) + (f" {RARE}" if number % RARE_EVERY == 17 else "")
    event = "PostToolUse" if after else "PreToolUse"
    denied = not after and call % 211 == 0
    seconds, micro = divmod(at_us, 1_000_000)
    project = f"/home/dev/project-{number // 40_000}"
    given = {"command": text} if tool == "Bash" else {"file_path": f"{project}/{text.split()[0]}.py", "content": text}
    payload: dict[str, Any] = {
        "session_id": session, "hook_event_name": event, "cwd": project, "permission_mode": "default",
        "tool_name": tool, "tool_use_id": f"toolu_{call:024d}", "tool_input": given,
    }  # fmt: skip
    if after:
        payload |= {"tool_response": {"stdout": text[::-1], "stderr": ""}, "duration_ms": number % 900}
    made = {
        "seq": number + 1, "v": 1, "kind": "event", "id": f"{at_us // 1000:012x}{number:020x}",
        "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micro:06d}Z", "machine": "bench",
        "event": event, "session_id": session, "tool_name": tool, "tool_use_id": f"toolu_{call:024d}",
        "project": project, "cwd": project, "permission_mode": "default", "decision": "deny" if denied else "allow",
        "duration_ms": 0.9, "hooks": [{"hook": "halt_check", "ms": 0.1}, {"hook": "policy_check", "ms": 0.4}],
        "path": "native", "client_version": "2.1.330", "payload": payload,
    }  # fmt: skip
    return made | ({"rule": "fs.delete-root", "reason": "a reason", "hook": "policy_check"} if denied else {})
