"""`levaithan graph`: who touched what, how far it reaches, and how two things are connected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, reading
from levaithan.cli.times import iso
from levaithan.errors import NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from levaithan.stores.roles import Graph
    from levaithan.stores.roles.graph import Node, Reached, Step, Touch

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Who touched what.")

_KINDS = ("agent", "session", "task", "file", "tool", "decision", "incident")
_HELP = "A file's path, or session:ID, agent:SESSION/ID, task:SESSION/ID, decision:EVENT."
Thing = Annotated[str, typer.Argument(help=_HELP, metavar="THING")]


def opened() -> AbstractContextManager[Graph]:
    """The graph of the home, caught up."""
    return reading.opened("graph")


def node_of(thing: str) -> Node:
    """The node that a person names; a path is taken from the folder they are in. Raises UsageProblem."""
    from levaithan.stores.roles.graph import Node

    kind, colon, key = thing.partition(":")
    if colon and kind in _KINDS and key:
        return Node(kind.capitalize(), os.path.abspath(key) if kind == "file" else key)  # noqa: PTH100 - links stay
    if not thing.strip():
        raise UsageProblem(
            "An empty name names nothing.", fix=f"give a path, or one of {', '.join(_KINDS)}, as session:ID"
        )
    return Node("File", os.path.abspath(thing))  # noqa: PTH100


@app.command()
def touched(
    path: Annotated[str, typer.Argument(help="The file.", metavar="PATH")],
    limit: options.Limit = 100,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Who read, wrote, held or was denied a file, the last first."""
    fmt = output.pick(format, json)
    with opened() as graph:
        rows = [_touch(one) for one in graph.touched(node_of(path).key, limit)]
    output.emit(rows, ["last_at", "how", "count", "session", "agent"], fmt, nothing="nobody that is known of")


@app.command()
def changes(
    session: Annotated[str, typer.Argument(help="The session's id.", metavar="SESSION")],
    limit: options.Limit = 1000,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The files that a session wrote, read, held or was denied, the last first."""
    fmt = output.pick(format, json)
    with opened() as graph:
        rows = [_touch(one) for one in graph.changed(session, limit)]
    output.emit(rows, ["last_at", "how", "count", "file", "agent"], fmt, nothing="no file that is known of")


def _touch(one: Touch) -> dict[str, Any]:
    return {
        "file": one.file, "session": one.session, "agent": one.agent.rpartition("/")[2], "how": one.how.lower(),
        "count": one.count, "first_at": iso(one.first_us), "last_at": iso(one.last_us), "machine": one.machine or None,
    }  # fmt: skip


@app.command()
def blast(
    thing: Thing,
    hops: Annotated[int, typer.Option("--hops", help="How many steps away.", min=1, max=10)] = 2,
    limit: options.Limit = 1000,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What could be affected by a file, agent or session: all that is connected to it within some steps."""
    fmt, node = output.pick(format, json), node_of(thing)
    with opened() as graph:
        _there(graph, node, thing)
        rows = [_reached(one) for one in graph.blast(node, hops, limit)]
    output.emit(rows, ["hops", "kind", "key", "edge", "via"], fmt, nothing="nothing is connected to it")


@app.command()
def path(
    source: Thing,
    target: Thing,
    most: Annotated[int, typer.Option("--most", help="At most so many steps.", min=1, max=20)] = 6,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """How two things are connected: a shortest path, exit 1 when there is none."""
    fmt, ends = output.pick(format, json), (node_of(source), node_of(target))
    with opened() as graph:
        for node, name in zip(ends, (source, target), strict=True):
            _there(graph, node, name)
        steps = graph.path(*ends, most)
    if steps is None:
        raise NotFound(what="path from", name=f"{source} to {target} of at most {most} steps", fix="try --most 12")
    rows = [_step(one) for one in steps]
    output.emit(rows, ["from", "edge", "to"], fmt, nothing="that is one and the same")


@app.command()
def similar(
    session: Annotated[str, typer.Argument(help="The session's id.", metavar="SESSION")],
    limit: options.Limit = 10,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Sessions that touched the same files, the most alike first."""
    fmt = output.pick(format, json)
    with opened() as graph:
        rows = [
            {"session": one.session, "score": one.score, "shared": one.shared, "union": one.union}
            for one in graph.similar(session, limit)
        ]
    output.emit(rows, ["session", "score", "shared", "union"], fmt, nothing="no session touched the same files")


@app.command()
def kinds(json: options.Json = False, format: options.Format = None) -> None:
    """How many nodes and edges of each kind there are."""
    fmt = output.pick(format, json)
    with opened() as graph:
        rows = list(_counted(graph.kinds()))
    output.emit(rows, ["kind", "what", "count"], fmt, nothing="the graph is empty")


def _counted(found: dict[str, int]) -> Iterator[dict[str, Any]]:
    for kind, count in found.items():
        yield {"kind": kind, "what": "edge" if kind.isupper() else "node", "count": count}


def _reached(one: Reached) -> dict[str, Any]:
    kind, edge = one.node.kind.lower(), one.edge.lower()
    return {"hops": one.hops, "kind": kind, "key": one.node.key, "edge": edge, "via": _name(one.via)}


def _step(one: Step) -> dict[str, Any]:
    edge = one.edge.lower() if one.forward else f"{one.edge.lower()} by"
    return {"from": _name(one.source), "edge": edge, "to": _name(one.target)}


def _there(graph: Graph, node: Node, name: str) -> None:
    if not graph.known(node):
        fix = "`levaithan session list` and `levaithan graph changes SESSION` name what is known"
        if node.kind == "Incident":
            fix = "`levaithan incident show ID` has it whole; the graph knows those of a session, by their whole id"
        raise NotFound(what=node.kind.lower(), name=name.removeprefix(f"{node.kind.lower()}:"), fix=fix)


def _name(node: Node) -> str:
    return node.key if node.kind == "File" else f"{node.kind.lower()}:{node.key}"
