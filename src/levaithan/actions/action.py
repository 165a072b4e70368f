"""What an action is: one bounded step that is planned, done, verified by a look at the world, and undone.

Each is a file of its own with an `ACTION`, listed in registry.py. The functions of one get the World and the Run and
keep nothing themselves; every one of them may be called again after a crash, so each looks before it does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from levaithan.hot.paths import Home

MONITOR = "monitor"
"""Who does it where no person does: bounds and dry runs by setting are for this one alone."""
Target = dict[str, str]


class Refused(Exception):  # noqa: N818 - said in the record and to people, not raised at them
    """The action does not do this now; the message says why, `fix` what a person does next ("" = see what there is)."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


@dataclass(slots=True)
class Run:
    """One run of an action, as its records tell it. Times in Unix seconds.

    phase: the last one ("intent", "done", "verified", "failed", "undone", "expired", "refused", "dry_run"); undo: what
    it takes to undo it, made before anything is done; facts: what was found when it was done; stays: whether it is in
    effect until it is undone, verified or not; alert: of the incident that the monitor answers by it;
    fix: what a person does next after a refusal.
    """

    id: str
    action: str
    target: Target
    by: str = MONITOR
    reason: str = ""
    incident: str = ""
    fingerprint: str = ""
    phase: str = "intent"
    at_s: float = 0.0
    deadline_s: float = 0.0
    expires_s: float | None = None
    undo: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    stays: bool = False
    alert: str = ""
    fix: str = ""

    @property
    def label(self) -> str:
        """The action and what it is about, in one line."""
        return f"{self.action} {words(self.target)}".strip()


def words(target: Mapping[str, str]) -> str:
    """A target in words: `session s1`."""
    return " ".join(f"{name} {value}" if value else name for name, value in sorted(target.items()))


@dataclass(slots=True)
class World:
    """What actions look at and act on.

    ask: (operation, seconds to wait, header fields) -> what the service answers, None without one; readings: name ->
    number of how things are (readings.py); now: Unix seconds.
    """

    home: Home
    settings: Any
    now: Callable[[], float]
    ask: Callable[[str, float, Mapping[str, str]], dict[str, Any] | None]
    readings: Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of action.

    about, bound, verifies: words for people; stops_work: whether agents are held up by it (then a dry run is the
    default); stays: whether it is in effect until it is undone; adds_up: whether a second run goes further than the
    first; needs: the names a target must have; deadline_s: how long verification may take; lasts_s: after so long it
    is undone by itself, None = never (nothing to undo, or a person does); person_undoes: only a person at a terminal
    ends it; slow: it may wait for others, so it is not done in the monitor's own thread; most_an_hour: by the monitor,
    on all targets together, 0 = no bound of its own.

    plan: what undoing will take, before anything is done; raises Refused. do: the deed; gives facts. check: whether
    the world is as meant: True, False (it cannot become so any more), None (not yet). undo: words on what was undone.
    gone: whether what it set was taken away by somebody before its time; None for what nobody else can take away.
    elsewhere: whether what it set holds nothing now, as its target has moved: the same again is no second one then.
    """

    name: str
    about: str
    bound: str
    verifies: str
    needs: tuple[str, ...]
    deadline_s: float
    plan: Callable[[World, Run], dict[str, Any]]
    do: Callable[[World, Run], dict[str, Any]]
    check: Callable[[World, Run], bool | None]
    undo: Callable[[World, Run], str]
    gone: Callable[[World, Run], bool] | None = None
    elsewhere: Callable[[World, Run], bool] | None = None
    lasts_s: float | None = None
    stays: bool = False
    adds_up: bool = False
    stops_work: bool = False
    person_undoes: bool = False
    slow: bool = False
    most_an_hour: int = 0


def nothing_to_undo(_world: World, _run: Run) -> str:
    """For a deed that leaves nothing behind."""
    return "there is nothing to undo"
