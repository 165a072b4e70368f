"""An engine with a journal in memory and clocks that a test moves: what the monitor is without a home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.detectors.signal import Signal, fingerprint_of
from levaithan.hot.halts import stamp
from levaithan.incidents.book import Book
from levaithan.incidents.engine import Engine

if TYPE_CHECKING:
    from levaithan.incidents.change import Change
    from levaithan.incidents.incident import Incident

START_S = 1_790_000_000.0


class Stage:
    """now_s: the wall clock; mono_s: the monotonic one; journal: what was written, as the journal has it."""

    def __init__(self, **settings: int) -> None:
        self.now_s, self.mono_s = START_S, 5_000.0
        self.journal: list[dict[str, Any]] = []
        self.settings = type("Settings", (), settings)()
        self.full = False
        self.engine = self.another()
        self.engine.tick(self.now_s)

    def another(self) -> Engine:
        """A new engine on the same journal, as after a restart."""
        return Engine(self.write, self.settings, lambda: self.now_s, mono=lambda: self.mono_s)

    def write(self, kind: str, body: dict[str, Any]) -> None:
        """The journal, which can be full."""
        if self.full:
            raise OSError(28, "No space left on device")
        number = len(self.journal) + 1
        self.journal.append({"seq": number, "v": 1, "kind": kind, "id": f"{number:032x}", "at": self.at, **body})

    @property
    def at(self) -> str:
        """The wall clock as records have it."""
        return stamp(int(self.now_s * 1e6))

    def by_hand(self, action: str, one: str, by: str = "ada", **body: Any) -> None:
        """A person's record, which the monitor meets in the journal."""
        self.write("incident", {"action": action, "incident": one, "by": by, **body})
        self.engine.fold(self.journal[-1])

    def action(self, one: str, phase: str, run: str = "run-1", name: str = "restart_projector") -> None:
        """What an automatic action wrote."""
        self.write("action", {"phase": phase, "run": run, "action": name, "incident": one, "by": "monitor"})
        self.engine.fold(self.journal[-1])

    def pass_s(self, seconds: float, *, step_s: float = 30.0, asleep: bool = False) -> list[Change]:
        """Let time pass, a tick each `step_s`; `asleep`: the wall clock alone goes on, and nobody looks."""
        if asleep:
            self.now_s += seconds
            return self.engine.tick(self.now_s)
        changes: list[Change] = []
        while seconds > 1e-9:
            step = min(step_s, seconds)
            self.now_s, self.mono_s, seconds = self.now_s + step, self.mono_s + step, seconds - step
            changes += self.engine.tick(self.now_s)
        return changes

    def fires(self, alert: str = "StoreDown", severity: str = "P1", **more: Any) -> list[Change]:
        """A signal that fires, at this moment."""
        return self.engine.take([self.signal(alert, severity, **more)], self.now_s)

    def ends(self, alert: str = "StoreDown", severity: str = "P1", **more: Any) -> list[Change]:
        """The same, resolved."""
        return self.engine.take([self.signal(alert, severity, firing=False, **more)], self.now_s)

    def signal(self, alert: str = "StoreDown", severity: str = "P1", **more: Any) -> Signal:
        """A signal as the evaluator makes it."""
        labels = more.pop("labels", {})
        detection = more.pop("detection", "high error rate")
        values: dict[str, Any] = {
            "fingerprint": fingerprint_of(detection, alert, labels), "alert": alert, "detection": detection,
            "severity": severity, "firing": True, "started_s": self.now_s, "at_s": self.now_s, "labels": labels,
            "summary": f"{alert} of a test", "source": "evaluator",
        }  # fmt: skip
        return Signal(**(values | more))

    def one(self) -> Incident:
        """The only incident there is."""
        (found,) = self.engine.book.incidents.values()
        return found

    def read_again(self) -> Book:
        """The incidents as anybody folds them from the journal alone."""
        book = Book()
        for record in self.journal:
            book.take(record)
        return book

    def of_action(self, *actions: str) -> list[dict[str, Any]]:
        """The journal's incident records of these actions."""
        return [one for one in self.journal if one["kind"] == "incident" and one["action"] in actions]


def kinds(changes: list[Change]) -> list[str]:
    """What kinds of changes there were."""
    return [one.kind for one in changes]
