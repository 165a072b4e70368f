"""What one record says of the graph: nodes and edges, the same for every adapter. Imports the hot path's shell reader.

A file is read or written when the tool's PostToolUse says so, for only then it happened; it is denied when the
PreToolUse was. What a command line writes is what the gate's own reader sees in it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.stores.roles import Delivery, Rejected
from levaithan.stores.roles.graph import (
    AGENT,
    CALLED,
    CAUSED,
    DECISION,
    DENIED,
    FILE,
    INCIDENT,
    LEASED,
    PART_OF,
    RAN,
    READ,
    SESSION,
    SPAWNED,
    TASK,
    TOOL,
    WROTE,
    Node,
)
from levaithan.stores.search_fields import clean
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAIN = "main"
"""The agent of a session that is no subagent."""
LONGEST_KEY = 4096
"""Bytes of a node's key; Linux' own limit of a path. A longer one is no path."""
_FILES = {
    "Read": ("file_path", READ), "NotebookRead": ("notebook_path", READ), "Write": ("file_path", WROTE),
    "Edit": ("file_path", WROTE), "MultiEdit": ("file_path", WROTE), "NotebookEdit": ("notebook_path", WROTE),
}  # fmt: skip
_SHELLS = ("Bash", "Monitor")
_DEEDS = {"write": WROTE, "delete": WROTE, "move": WROTE}
_MOST_FILES = 64
_REFUSED = ("deny", "halt")
_FOLLOWS = ("PostToolUse", "PostToolUseFailure", "PostToolBatch", "MessageDisplay")
"""Events that come after one of the same agent, which has said who runs where: they say nothing of the graph but with
something else, such as a file."""

STANDS = {RAN: (AGENT, SESSION), SPAWNED: (AGENT, AGENT), PART_OF: (AGENT, SESSION)}
"""The kinds of edges that may stand (Facts), and of their ends."""
PROPERTIES: dict[str, tuple[str, ...]] = {
    SESSION: ("project", "machine"), AGENT: ("agent_type",), TASK: ("subject",), FILE: (), TOOL: (),
    DECISION: ("rule", "reason", "tool"), INCIDENT: ("title", "severity"),
}  # fmt: skip
"""The properties that records may say of a node, by its kind."""

Edge = tuple[str, Node, Node]
"""(kind, from, to)"""


@dataclass(slots=True)
class Facts:
    """What an event says: edges, and properties of nodes (texts, bounded). at_us: when. standing: the edges that say
    who runs where. Nearly every event of a session says them, so they are there once a journal and are of no event:
    once an event they were half of all that HelixDB had to write."""

    at_us: int
    edges: list[Edge] = field(default_factory=list)
    props: dict[Node, dict[str, str]] = field(default_factory=dict)
    standing: list[Edge] = field(default_factory=list)


def fingerprint(edges: Iterable[tuple[Edge, str]]) -> str:
    """A hash of edges, whatever their order; each with its mark: what else is stored of it, its time above all. One
    that is there twice is not the same as one."""
    lines = sorted(f"{kind}\0{one.kind}\0{one.key}\0{two.kind}\0{two.key}\0{mark}" for (kind, one, two), mark in edges)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def of_record(record: dict[str, Any], times: Times, *, repeated: bool = False) -> Facts | None:
    """The facts of a journal record; None for one that says nothing of the graph. `repeated`: as earlier versions put
    them, with who runs where among the edges of every one. Raises ValueError and TypeError for a record that is none of
    format 1."""
    if record.get("kind") == "incident":
        return _incident(record, times)
    if record.get("kind") != "event":
        return None
    session = record.get("session_id")
    if not session or record.get("canary"):
        return None
    if type(session) is not str or type(record["id"]) is not str:
        raise TypeError("session_id or id is not a text")
    facts = Facts(times.us(record["at"]))
    session = session[: LONGEST_KEY // 2].replace("/", "_")  # a "/" parts a session from its agents and tasks
    home = Node(SESSION, session)
    main = Node(AGENT, f"{session}/{MAIN}")
    agent = _agent(record, session, main)
    _call(facts, record, agent)
    _task(facts, record, home, agent)
    if not facts.edges and record.get("event") in _FOLLOWS and not repeated:
        return None
    facts.standing.append((RAN, main, home))
    facts.props[home] = _texts(project=record.get("project"), machine=record.get("machine"))
    if agent != main:
        facts.standing += [(SPAWNED, main, agent), (PART_OF, agent, home)]
        facts.props[agent] = _texts(agent_type=record.get("agent_type"))
    if repeated:
        facts.edges, facts.standing = facts.edges + facts.standing, []
    return facts


def _incident(record: dict[str, Any], times: Times) -> Facts | None:
    """An incident that was opened, and the session that it is about."""
    session, one = record.get("session_id"), record.get("incident") or record["id"]
    if record.get("action") != "open" or not session:
        return None
    if type(session) is not str or type(one) is not str:
        raise TypeError("session_id or incident is not a text")
    facts = Facts(times.us(record["at"]))
    home, incident = Node(SESSION, session[: LONGEST_KEY // 2].replace("/", "_")), Node(INCIDENT, one[:LONGEST_KEY])
    facts.edges.append((CAUSED, home, incident))
    facts.props[incident] = _texts(title=record.get("title"), severity=record.get("severity"))
    return facts


def _agent(record: dict[str, Any], session: str, main: Node) -> Node:
    agent = record.get("agent_id")
    return Node(AGENT, f"{session}/{agent}"[:LONGEST_KEY]) if agent and type(agent) is str else main


def _call(facts: Facts, record: dict[str, Any], agent: Node) -> None:
    name, tool = record.get("event"), record.get("tool_name")
    if not tool or type(tool) is not str:
        return
    if name == "PreToolUse":
        facts.edges.append((CALLED, agent, Node(TOOL, tool[:LONGEST_KEY])))
        for path in _leased(record):
            facts.edges.append((LEASED, agent, path))
        if record.get("decision") in _REFUSED:
            decision = Node(DECISION, record["id"])
            facts.edges.append((DENIED, agent, decision))
            facts.props[decision] = _texts(rule=record.get("rule"), reason=record.get("reason"), tool=tool)
            facts.edges += [(DENIED, decision, path) for _, path in _files(record, tool)]
    elif name == "PostToolUse":
        facts.edges += [(how, agent, path) for how, path in _files(record, tool)]


def _task(facts: Facts, record: dict[str, Any], home: Node, agent: Node) -> None:
    if record.get("event") not in ("TaskCreated", "TaskCompleted"):
        return
    payload = record.get("payload")
    number = payload.get("task_id") if isinstance(payload, dict) else None
    if number and type(number) is str:
        task = Node(TASK, f"{home.key}/{number}"[:LONGEST_KEY])
        facts.edges += [(PART_OF, task, home), (RAN, agent, task)]
        facts.props[task] = _texts(subject=payload.get("task_subject") if isinstance(payload, dict) else None)


def _leased(record: dict[str, Any]) -> Iterator[Node]:
    """The files that the gate leased to the session for this call, as the record says."""
    for hook in record.get("hooks") or ():
        for path in hook.get("leased") or () if isinstance(hook, dict) else ():
            if type(path) is str and 0 < len(path) <= LONGEST_KEY:
                yield Node(FILE, path)


def _files(record: dict[str, Any], tool: str) -> list[tuple[str, Node]]:
    """(READ or WROTE, file) of a call, each once, at most 64."""
    payload = record.get("payload")
    given = payload.get("tool_input") if isinstance(payload, dict) else None
    if not isinstance(given, dict):
        return []
    cwd = record.get("cwd") if isinstance(record.get("cwd"), str) else None
    found: dict[tuple[str, Node], None] = {}
    if tool in _FILES:
        name, how = _FILES[tool]
        _add(found, how, given.get(name), cwd)
    elif tool in _SHELLS and isinstance(given.get("command"), str):
        for how, path, folder in _of_command(given["command"], cwd):
            _add(found, how, path, folder)
    return list(found)[:_MOST_FILES]


def _of_command(command: str, cwd: str | None) -> Iterator[tuple[str, str, str | None]]:
    from levaithan.hot import deeds, shell  # noqa: PLC0415 - a journal without commands needs neither

    for made in shell.split(command, cwd).commands:
        for deed in deeds.of_command(made):
            how = _DEEDS.get(deed.kind)
            if how and deed.target:
                yield how, deed.target, deed.cwd or made.cwd


def _add(found: dict[tuple[str, Node], None], how: str, path: object, cwd: str | None) -> None:
    """Note the file `path`, seen from `cwd`, unless it cannot be told which file that is, or it is a device."""
    if type(path) is not str or not path or path[0] == "~" or any(char in path for char in "\0\n*?[{$"):
        return
    if path[0] != "/":
        if not cwd:
            return
        path = f"{cwd}/{path}"
    path = os.path.normpath(path)
    if len(path.encode("utf-8", "surrogatepass")) <= LONGEST_KEY and not path.startswith(("/dev/", "/proc/")):
        found[how, Node(FILE, path)] = None


def _texts(**values: Any) -> dict[str, str]:
    return {name: value[:500] for name, value in values.items() if type(value) is str and value}


def read(
    batch: Sequence[Delivery], max_field: int, *, repeated: bool = False
) -> tuple[list[tuple[int, Facts]], list[Rejected]]:
    """(seq, facts) of each record that says something of the graph, and what cannot be read at all. `repeated`: see
    of_record.

    A text that some store cannot hold is no reason to miss who touched what: facts are short and made clean here.
    """
    found, rejected, times = [], [], Times()
    for one in batch:
        if one.record is None:
            rejected.append(Rejected(one, one.problem or "no record"))
            continue
        try:
            facts = of_record(one.record, times, repeated=repeated)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            rejected.append(Rejected(one, f"not a record of format 1: {type(error).__name__}: {error}"))
            continue
        if facts is not None:
            found.append((one.seq, _clean(facts) if one.problem or b"\\u" in one.body else facts))
    return found, rejected


def _clean(facts: Facts) -> Facts:
    """`facts` without what a store cannot hold: NUL and lone surrogates."""
    made = Facts(facts.at_us)
    made.edges, made.standing = (
        [(kind, _node(source), _node(target)) for kind, source, target in edges]
        for edges in (facts.edges, facts.standing)
    )
    made.props = {
        _node(node): {name: clean(value) for name, value in props.items()} for node, props in facts.props.items()
    }
    return made


def _node(node: Node) -> Node:
    return Node(node.kind, clean(node.key))
