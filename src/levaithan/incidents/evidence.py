"""Gathers by itself what a root cause analysis begins with: events, decisions, changes, rates and the monitor's figures
around the start, what is connected in the graph, since when it went otherwise, what the bad events have in common, and
what was alike before.

Bounded in time (what is not reached is named in `left_out`) and in size. Reads stores by their roles, whatever adapter
answers; one that fails or is switched off is left out, and said.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.incidents import around, changed, fields, measured, similar
from levaithan.incidents.incident import ENDED, MONITOR, Incident
from levaithan.metrics import vitals
from levaithan.queries.asking import iso
from levaithan.stores.roles.graph import DECISION, SESSION, Node
from levaithan.stores.roles.memory import INCIDENT, MemoryFilters

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.incidents.book import Book
    from levaithan.queries.asking import Answers
    from levaithan.stores.roles import Graph, Memory

DEADLINE_S = 1.5
"""Seconds for all of it; a draft is to be there within two."""
MOST_NEIGHBOURS = 40
MOST_NEAREST = 5
_LONGEST = 300
_REACHED = 400
"""Nodes that the graph is asked for; those that say something new are kept."""


@dataclass
class Evidence:
    """JSON-able. events, changes and timeline carry `ref`, by which claims cite them: the number of the record in this
    home's journal, or JOURNAL:NUMBER of another's. left_out: what could not be had, with why."""

    incident: str
    made_at: str = ""
    window: dict[str, str | None] = field(default_factory=dict)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    bad_events: int = 0
    rules: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    divergence: dict[str, Any] | None = None
    contributors: list[dict[str, Any]] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    neighbours: list[dict[str, Any]] = field(default_factory=list)
    nearest: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def refs(self) -> set[str]:
        """What may be cited."""
        return {one["ref"] for part in (self.timeline, self.events, self.changes) for one in part if one.get("ref")}

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


class _Part:
    """Runs the parts one by one, each while there is time; a store's failure leaves out its part alone."""

    def __init__(self, made: Evidence, deadline_s: float) -> None:
        self.made = made
        self.begun = time.monotonic()
        self.ends = self.begun + deadline_s

    @property
    def left_s(self) -> float:
        return self.ends - time.monotonic()

    def run(self, name: str, ask: Callable[[], None]) -> None:
        """Ask in this thread: questions that go by an index and are bounded by themselves."""
        if self.left_s <= 0:
            self.made.left_out.append(f"{name}: no time was left")
            return
        try:
            ask()
        except LevaithanError as problem:
            self.made.left_out.append(f"{name}: {problem.message}"[:_LONGEST])

    def beside(self, name: str, ask: Callable[[], list[dict[str, Any]]]) -> Callable[[], list[dict[str, Any]]]:
        """Ask in a thread of its own, from now on: a server may take seconds to fail, a model seconds to load. What is
        given back waits for the answer, for as long as there is time."""
        found: list[list[dict[str, Any]]] = []
        wrong: list[str] = []

        def asked() -> None:
            try:
                found.append(ask())
            except Exception as problem:  # in a thread: whatever a driver raises is said, not lost
                wrong.append(str(problem) or type(problem).__name__)

        thread = threading.Thread(target=asked, name=f"evidence-{name}", daemon=True)
        thread.start()

        def answer() -> list[dict[str, Any]]:
            thread.join(max(0.0, self.left_s))
            if found:
                return found[0]
            self.made.left_out.append(f"{name}: {wrong[0] if wrong else 'no answer in time'}"[:_LONGEST])
            return []

        return answer


def gather(
    incident: Incident,
    book: Book,
    ledger: Answers,
    *,
    home: Home | None = None,
    graph: Graph | None = None,
    memory: Memory | None = None,
    now_s: float | None = None,
    deadline_s: float = DEADLINE_S,
) -> Evidence:
    """The evidence of `incident`. graph, memory: None where they are switched off. Raises nothing for a store that
    fails: that is in left_out."""
    made = Evidence(incident.id, iso(int((time.time() if now_s is None else now_s) * 1e6)) or "")
    part, own = _Part(made, deadline_s), str(getattr(ledger, "journal", ""))
    remembered = part.beside("memory", lambda: _remembered(memory, incident, book)) if memory is not None else _nothing
    made.timeline = [_line(one) for one in incident.timeline]
    place = around.place_of(incident)
    made.window = {
        "from": iso(place.start_us - around.BEFORE_S * 1_000_000), "start": iso(place.start_us),
        "until": iso(place.start_us + around.AFTER_S * 1_000_000),
    }  # fmt: skip
    bad: list[dict[str, Any]] = []
    part.run("events", lambda: bad.extend(around.bad_events(ledger, place)))
    made.bad_events = len(bad)
    made.events = [_event(one, own) for one in around.nearest_to_start(bad, place.start_us)]
    made.rules = _rules(bad)
    part.run("changes", lambda: made.changes.extend(
        _referred(one, own) for one in changed.changes(ledger, place.start_us, home)
    ))  # fmt: skip
    part.run("rates", lambda: _rates(made, ledger, place))
    if home is not None:
        part.run("metrics", lambda: _metrics(made, home, incident.started_s))
    part.run("contributors", lambda: made.contributors.extend(around.contributors(ledger, bad, place)))
    sessions = [incident.session_id] if incident.session_id else around.sessions_of(bad)
    if graph is not None and sessions:
        made.neighbours = part.beside("graph", lambda: _neighbours(graph, sessions))()
    made.nearest = similar.merged(remembered(), similar.nearest(incident, book, MOST_NEAREST))[:MOST_NEAREST]
    made.took_s = round(time.monotonic() - part.begun, 3)
    return made


def _nothing() -> list[dict[str, Any]]:
    return []


def _rates(made: Evidence, ledger: Answers, place: around.Place) -> None:
    counts, first = around.by_minute(ledger, place)
    made.rates = around.rates(ledger, place, counts, first)
    made.divergence = around.divergence(counts, place.start_us, first)


def _metrics(made: Evidence, home: Home, start_s: float) -> None:
    rows = vitals.kept(home)
    if not any(abs(at_s - start_s) <= measured.BEFORE_S for at_s, _ in rows):
        made.left_out.append("metrics: no monitor of this home kept any of that time")
    made.metrics = measured.around(rows, start_s)


def _line(entry: dict[str, Any]) -> dict[str, Any]:
    by = "monitor" if entry["by"] == MONITOR else "a person"  # blameless: who it was stands in the journal
    line = {"at": iso(int(entry["at_s"] * 1e6)), "action": entry["action"], "by": by, "words": entry["words"]}
    return line | ({"ref": str(entry["seq"])} if entry.get("seq") is not None else {})


def _event(one: dict[str, Any], own: str) -> dict[str, Any]:
    names = ("event", "tool", "decision", "rule", "reason", "session", "agent", "project")
    told = {name: fields.text(one[name], _LONGEST) for name in names if one.get(name)}
    return {"ref": ref(one["journal"], one["seq"], own), "at": iso(one["at_us"]), **told}


def _referred(one: dict[str, Any], own: str) -> dict[str, Any]:
    told = {name: one[name] for name in ("at", "kind", "what")}
    return told | ({"ref": ref(one["journal"], one["seq"], own)} if one["seq"] is not None else {})


def ref(journal: str, seq: int, own: str) -> str:
    """How a record is cited."""
    return str(seq) if not own or journal == own else f"{journal[:8]}:{seq}"


def _rules(bad: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str], int] = {}
    for one in bad:
        if one.get("rule"):
            key = (one["rule"], one.get("decision") or "")
            counts[key] = counts.get(key, 0) + 1
    best = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:10]
    return [{"rule": rule[:_LONGEST], "decision": decision, "count": count} for (rule, decision), count in best]


def _neighbours(graph: Graph, sessions: list[str]) -> list[dict[str, Any]]:
    found: dict[Node, dict[str, Any]] = {}
    for session in sessions:
        for one in graph.blast(Node(SESSION, session), 2, _REACHED):
            if one.node.kind == DECISION:  # the refused calls are among the events already
                continue
            row = {"kind": one.node.kind, "key": one.node.key[:_LONGEST], "hops": one.hops, "edge": one.edge,
                   "via": one.via.key[:_LONGEST]}  # fmt: skip
            found.setdefault(one.node, row)
    return sorted(found.values(), key=lambda one: (one["hops"], one["kind"], one["key"]))[:MOST_NEIGHBOURS]


def _remembered(memory: Memory, incident: Incident, book: Book) -> list[dict[str, Any]]:
    """Incidents whose words are near in the memory: of the record that was remembered to the incident that it is of."""
    of_record = {record: one for one in book.incidents.values() for record in one.records}
    found: dict[str, dict[str, Any]] = {}
    words = f"{incident.title}\n{incident.text}"
    for one in memory.hybrid(words, 4 * MOST_NEAREST, filters=MemoryFilters(kind=INCIDENT)):
        other = of_record.get(one.id)
        if other is not None and other.id != incident.id and other.state not in ENDED[1:]:
            found.setdefault(other.id, similar.row(other, one.score or 0.0, "memory"))
    return list(found.values())
