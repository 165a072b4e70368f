"""Damaged homes, one after the other, and what becomes of each: run as a program, a line of JSON a home.

`python tests/faults/damaged_home.py FOLDER FIRST COUNT [--step S] [--real N]`: the seeds FIRST, FIRST+S, ...; every
N-th home is served by real processes, the others by forks (tests/support/forks.py). One number is one damaged home:
`damaged_home.py /tmp/x 1234 1` shows what the test saw.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.faults import damages, damages_told
from tests.faults.damaged_origin import Origin
from tests.support import forks, homes

from levaithan.cli import status, verifying
from levaithan.cli.state import STATE
from levaithan.config import settings as settings_of
from levaithan.errors import LevaithanError
from levaithan.hot import paths
from levaithan.install import doctor, finding
from levaithan.journal import read
from levaithan.projector.process import Projector
from levaithan.stores.registry import open_ledger, open_search

DANGEROUS, HARMLESS = "rm -rf /", "echo x"
ASKED = (("PreToolUse", HARMLESS), ("PreToolUse", DANGEROUS), ("PostToolUse", HARMLESS))
MOST_S = 5.0


class Trial:
    """One damaged home. faults: what the product did wrong, in words; said: all that it said."""

    def __init__(self, origin: Origin, seed: int, *, real: bool) -> None:
        self.origin, self.seed, self.real, self.root = origin, seed, real, origin.home.root
        self.faults: list[str] = []
        self.said: list[str] = []
        self.asked: list[forks.Answer] = []
        self.remaining: list[dict[str, Any]] = []
        chance = random.Random(seed)
        origin.restore()
        self.damages = damages.choose(origin.root, chance)
        for one in self.damages:
            damages.make(origin.root, origin.elsewhere, one, chance)
        here = damages.all_bytes(origin.base)
        self.whole = [line for line in origin.lines if line in here]

    def run(self) -> dict[str, Any]:
        begun = time.monotonic()
        self.events()
        self.serve()
        self.project()
        self.look(mend=True)
        self.as_it_says()
        self.events(mended=True)
        self.serve(mended=True)
        self.settled()
        self.told()
        self.kept()
        made = [f"{one} ({one.path})" for one in self.damages]
        took = round(time.monotonic() - begun, 3)
        return {"seed": self.seed, "real": self.real, "damages": made, "faults": self.faults, "took_s": took}

    # --- what is asked, and what it may answer -----------------------------------------------------------------------

    def _call(self) -> str:
        return f"t-{self.seed}-{len(self.asked)}"

    def events(self, *, mended: bool = False) -> None:
        for event, command in ASKED:
            answer = forks.one_shot(self.root, event, command, self._call(), real=self.real)
            self.judge(answer, mended=mended)

    def judge(self, answer: forks.Answer, *, mended: bool) -> None:
        """A defined answer in time; observers pass, `rm -rf /` never does, what is harmless passes unless the gate
        itself is what is broken, and then the way out is said."""
        self.asked.append(answer)
        self.said.append(answer.words)
        refused = answer.read.verdict in ("deny", "halt")
        broken = not mended and any(one.path.startswith(damages_told.GATE_PATHS) for one in self.damages)
        if answer.code not in (0, 2) or "Traceback" in answer.words:
            self.faults.append(f"no defined answer: {answer}")
        elif answer.took_s > MOST_S:
            self.faults.append(f"it took {answer.took_s:.1f} s: {answer}")
        elif answer.event == "PostToolUse" and answer.read.verdict != "allow":
            self.faults.append(f"an observer refused: {answer}")
        elif answer.command == DANGEROUS and not refused:
            self.faults.append(f"let pass: {answer}")
        elif answer.command == HARMLESS and refused and not broken:
            self.faults.append(f"refused: {answer}")
        elif refused and broken and answer.command == HARMLESS and not re.search(damages_told.WAY_OUT, answer.words):
            self.faults.append(f"refused without a next step: {answer}")

    def serve(self, *, mended: bool = False) -> None:
        """The service starts and answers, or refuses with two lines: what is wrong, and what to do."""
        served = forks.Served(self.root, real=self.real)
        if not served.ready():
            self.said.append(served.said)
            if "Traceback" in served.said or len(served.said.strip().splitlines()) != 2:
                self.faults.append(f"it neither serves nor says why: exit {served.code}, {served.said[-1500:]}")
            elif mended:
                self.faults.append(f"mended, it does not start: {served.said}")
            return
        told: dict[str, Any] = {}
        try:
            for event, command in ASKED:
                self.judge(served.ask(event, command, self._call()), mended=mended)
            told = self._status()
        except OSError as error:
            self.faults.append(f"the service broke: {error!r}")
        served.end()
        self.said += [served.said, json.dumps(told)]
        if served.code != 0 or "Traceback" in served.said:
            self.faults.append(f"the service ended with {served.code}: {served.said[-1500:]}")
        failed = {name: one["last_error"] for name, one in told.get("loops", {}).items() if one["restarts"]}
        if any(one["restarts"] > 3 for one in told.get("loops", {}).values()):
            self.faults.append(f"a loop fails again and again: {failed}")
        if mended and (failed or not told.get("ready")):
            self.faults.append(f"mended, it is not well: ready {told.get('ready')}, {failed}, {told.get('journal')}")

    def _status(self) -> dict[str, Any]:
        """The service's status once its loops have had a turn (and the real one's projector is through)."""

        def seen() -> bool:
            now = homes.control(self.root, "status") or {}
            found[:] = [now]
            told = now.get("projector", {})
            stores = told.get("stores") or {}
            idle = all(one["state"] == "ok" or one["error"] for one in stores.values())
            fresh = told.get("pid") == told.get("child") and told.get("doing") not in (None, "starting")
            return not self.real or bool(fresh and stores and idle)

        found: list[dict[str, Any]] = []
        time.sleep(0.05)  # the loops of the fork look every 30 ms
        with contextlib.suppress(TimeoutError):  # a store that cannot be used is told by what comes next
            homes.until(seen, 5)
        return found[0] if found else {}

    # --- what it says ------------------------------------------------------------------------------------------------

    def project(self) -> dict[str, Any]:
        """The projector until it has nothing to do: error, notes, idle by store."""

        def work() -> dict[str, Any]:
            one = Projector(paths.home_at(self.root), settings_of.load(self.root), None)
            for _ in range(40):
                one.turn()
                for worker in one.workers:  # the memory's, where a language model makes its vectors
                    worker._stretch()
                if all(follower.idle for follower in one.followers):
                    break
                time.sleep(0.05)
            told = {
                each.store.name: {"error": each.error, "notes": [*each.store.found, *each.notes], "idle": each.idle}
                for each in one.followers
            }
            for each in one.followers:
                each.store.close()
            return told

        told = forks.in_fork(work)
        self.said.append(json.dumps(told))
        if "value" not in told and "levaithan.errors" not in told.get("crash", ""):  # settings that cannot be read
            self.faults.append(f"the projector: {told}")
        return told.get("value") or {}

    def look(self, *, mend: bool = False) -> None:
        """What doctor, status and verify say, before anything is mended and (`mend`) after it."""

        def work() -> dict[str, Any]:
            os.environ["HOME"] = str(self.origin.base / "person")
            STATE.home_argument = self.root
            asked = finding.Asked(paths.home_at(self.root), prove=False)
            seen: list[list[finding.Result]] = []

            def looked() -> list[finding.Result]:
                seen.append(doctor.run(asked, only=damages_told.LOOKED_AT))
                return seen[-1]

            rows = list(status.looks(asked.home))
            found, done = doctor.mend(looked) if mend else (looked(), [])
            try:
                report = verifying.verify(verifying.Wanted(None, None, (), True))
                verified = [one.message for one in report.findings] + report.notes
            except (LevaithanError, OSError) as problem:
                verified = [str(problem)]
            every = [one.as_row() for some in seen for one in some]
            return {
                "rows": [one.as_row() for one in found],
                "every": every + rows,
                "said": [*verified, *map(str, done)],
            }

        told = forks.in_fork(work)
        self.said.append(json.dumps(told))
        if "value" not in told:
            self.faults.append(f"doctor, status or verify: {told}")
            return
        for row in told["value"]["every"]:
            if row["status"] != "ok" and not row["remedy"]:
                self.faults.append(f"no remedy: {row}")
            if "the check itself failed" in str(row.get("message")):
                self.faults.append(f"a check broke: {row}")
        self.remaining = [row for row in told["value"]["rows"] if row["status"] == "fail" and row["check"] != "lost"]

    def told(self) -> None:
        """What had to be said was said: in an answer, the status, the log, or by doctor, verify, the projector."""
        for log in Path(self.origin.home.logs).glob("service.log*"):
            if log.is_file() and os.access(log, os.R_OK):
                self.said.append(log.read_text(errors="replace"))
        text = "\n".join(self.said)
        for one in self.damages:
            wanted = damages_told.must_say(one)
            if wanted and not re.search(wanted, text):
                self.faults.append(f"not said ({wanted}): {one}")
        if len(self.whole) < len(self.origin.lines) and not re.search(damages_told.RECORDS_GONE, text):
            self.faults.append(f"{len(self.origin.lines) - len(self.whole)} records are gone, and nobody says so")

    # --- afterwards --------------------------------------------------------------------------------------------------

    def as_it_says(self) -> None:
        """Do what doctor still tells a person to do; what may be left is nothing."""
        for _ in range(3):
            if self.remaining:
                damages_told.obey(self.root, self.remaining, self.origin.kept["home/.env"][3])
                self.look(mend=True)
        left = [(row["check"], row["message"], row["remedy"]) for row in self.remaining]
        if left:
            self.faults.append(f"doctor is not content: {left}")

    def settled(self) -> None:
        """Everything has arrived, and nothing is wrong any more."""
        for name, one in self.project().items():
            if one["error"] or not one["idle"]:
                self.faults.append(f"mended, the {name} does not catch up: {one}")

    def kept(self) -> None:
        """No whole record is lost: all are on the disk, what was answered is recorded once, the stores have it."""
        here = damages.all_bytes(self.origin.base)
        lost = [line for line in self.whole if line not in here]
        if lost:
            self.faults.append(f"{len(lost)} whole records are lost, the first: {lost[0][:200]!r}")
        journal = self.origin.home.journal
        records = [json.loads(one.body) for one in read.read(journal) if isinstance(one, read.Record)]
        events = [one for one in records if one.get("kind") == "event"]
        calls = [one.get("tool_use_id") for one in events]
        for answer in self.asked:
            if answer.recorded and calls.count(answer.call) != 1:
                self.faults.append(f"recorded {calls.count(answer.call)} times: {answer}")
        ours = self.origin.calls | {answer.call for answer in self.asked}
        told = forks.in_fork(lambda: self._stored([one["id"] for one in events if one.get("tool_use_id") in ours]))
        if told.get("value") != []:
            self.faults.append(f"the stores: {told}")

    def _stored(self, ids: list[str]) -> list[str]:
        settings = settings_of.load(self.root)
        ledger, search = open_ledger(settings, self.origin.home), cast("Any", open_search(settings, self.origin.home))
        have = {row[0] for row in ledger.rows("SELECT id FROM events")} | {one.id for one in ledger.dead_letters()}
        found = {row[0] for row in search.rows("SELECT id FROM docs")} if search else set()
        return [
            f"{len(set(ids) - these)} of {len(ids)} events are not in the {name}"
            for name, these in (("ledger", have), ("search", found))
            if set(ids) - these
        ]


def main(words: list[str]) -> int:
    """Run the trials that `words` ask for; a line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--real", type=int, default=0)
    chosen = parser.parse_args(words)
    origin = Origin(chosen.folder)
    forks.preload()
    for number in range(chosen.count):
        seed = chosen.first + number * chosen.step
        try:
            told = Trial(origin, seed, real=bool(chosen.real) and number % chosen.real == 0).run()
        except Exception:
            told = {"seed": seed, "damages": [], "faults": ["the test itself: " + traceback.format_exc()]}
        print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
