"""A real scratch home, its journal, a runner over it and a clock that is moved by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.actions.runner import Runner
from levaithan.cli import recording
from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.incidents.change import Change
from levaithan.incidents.incident import Incident

WELL = {"memory_used_ratio": 0.3, "load_per_cpu": 0.2, "lag_seconds": 0.0}


@dataclass
class Place:
    """A home, and what is told, asked and read in it. now and mono are moved by `passes`."""

    home: Any
    settings: Any
    now: float = 1_790_000_000.0
    mono: float = 5000.0
    told: list[Any] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answer: Any = None
    readings: dict[str, float] = field(default_factory=lambda: dict(WELL))
    full: bool = False

    def write(self, kind: str, body: dict[str, Any]) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        problem = recording.note(self.home, kind, body)
        assert problem is None, problem

    def ask(self, operation: str, _timeout_s: float, more: Any) -> dict[str, Any] | None:
        self.asked.append((operation, dict(more)))
        return self.answer(operation) if callable(self.answer) else self.answer

    def runner(self, **settings: Any) -> Runner:
        """A runner as the monitor makes one at its start: it has folded the whole journal."""
        chosen = self.settings.model_copy(update=settings)
        made = Runner(
            self.home, chosen, self.write, lambda: self.now, self.told.append,
            mono=lambda: self.mono, ask=self.ask, look=lambda: self.readings,
        )  # fmt: skip
        for record in self.records(""):
            made.fold(record)
        return made

    def passes(self, seconds: float, *runners: Runner, step: float = 1.0) -> None:
        """Time goes by, and the runners see it."""
        left = seconds
        while left > 0:
            by = min(step, left)
            self.now, self.mono, left = self.now + by, self.mono + by, left - by
            for one in runners:
                one.tick(self.now)

    def records(self, kind: str = "action") -> list[dict[str, Any]]:
        """What the journal holds of `kind` ("" = all)."""
        return [one for one in homes.journal_records(self.home.root) if not kind or one["kind"] == kind]

    def phases(self, run: str = "") -> list[str]:
        """The phases that the journal tells, of one run or of all."""
        return [one["phase"] for one in self.records() if not run or one["run"] == run]

    def incident(
        self, severity: str = "P1", detection: str = "security", alert: str = "SomeAlert", **more: Any
    ) -> Incident:
        """An incident as the engine hands it out."""
        one = more.pop("id", f"INC-{severity}-{alert}")
        made = Incident(id=one, fingerprint="f-" + one, title=f"{alert} is the trouble", severity=severity)
        made.detection, made.alert = detection, alert
        for name, value in more.items():
            setattr(made, name, value)
        return made

    def opened(self, runner: Runner, incident: Incident, kind: str = "opened") -> None:
        """The engine tells the runner of it."""
        runner.respond([Change(kind, incident, self.now)], self.now)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = homes.make_home(tmp_path / "home", native=False)
    return Place(paths.home_at(root), settings_of.load(root, environ={}))
