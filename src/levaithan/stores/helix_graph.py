"""The Graph role on HelixDB: on a server (http, https), or by its own engine in this process (helix:///folder).

Paths and blast radii are searched here, a question a level: HelixDB's own shortest path cannot leave one kind of edge
out, and every agent would be two hops from each other through the tool Bash.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from levaithan.errors import NotConfigured
from levaithan.stores import helix_schema as schema
from levaithan.stores.helix_prints import HelixPrints
from levaithan.stores.helix_reads import SESSIONS, TOUCHES
from levaithan.stores.helix_walk import Walk
from levaithan.stores.opening import options
from levaithan.stores.roles import GRAPH, Health
from levaithan.stores.roles.graph import (
    EDGES,
    KINDS,
    Node,
    Reached,
    Similar,
    Step,
    Touch,
    search_blast,
    search_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.stores.opening import Opening

CAPABILITIES = ("in place", "machines")
_CANDIDATES = 200
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")


class HelixGraph(HelixPrints):
    """The Graph role on HelixDB."""

    def touched(self, path: str, limit: int = 100) -> list[Touch]:
        """See roles.Graph."""
        told = self.calls.ask(self.reads.touched, key=path)
        return self._touches(({**one, "file": path} for rows in told.values() for one in rows), limit)

    def changed(self, session: str, limit: int = 1000) -> list[Touch]:
        """See roles.Graph."""
        told = self.calls.ask(self.reads.changed, key=session)
        agents = {one["$id"]: one["key"] for one in told["agents"]}
        deciders = {one["$to"]: one["$from"] for one in told["decided"]}
        direct = (one for how in TOUCHES for one in told[f"direct_{how}"])
        rows = [{**one, "agent": agents[one["from"]]} for one in direct]
        rows += [{**one, "agent": agents[deciders[one["from"]]]} for one in told["refused"] if one["from"] in deciders]
        return self._touches(rows, limit)

    def _touches(self, rows: Iterable[dict[str, Any]], limit: int) -> list[Touch]:
        """The last edge of an agent, a file and a kind comes first, and says on which machine."""
        found: dict[tuple[str, str, str], Touch] = {}
        for one in sorted(rows, key=lambda one: -int(one["at_us"])):
            agent, file, how = str(one["agent"]), str(one["file"]), self._kind(one["how"])
            at, known = int(one["at_us"]), found.get((agent, file, how))
            last, count = (known.last_us, known.count + 1) if known else (at, 1)
            machine = known.machine if known else str(one["machine"] or "")
            session = agent.partition("/")[0]
            found[agent, file, how] = Touch(agent, session, file, how, at, last, count, machine)
        return sorted(found.values(), key=lambda one: (-one.last_us, one.file, one.agent, one.how))[:limit]

    def blast(self, node: Node, hops: int = 2, limit: int = 1000) -> list[Reached]:
        """See roles.Graph."""
        walk = Walk(self.calls, self.reads)
        return search_blast(walk, node, hops, limit) if walk.begins_at(node) else []

    def path(self, source: Node, target: Node, most: int = 6) -> list[Step] | None:
        """See roles.Graph."""
        walk = Walk(self.calls, self.reads)
        if not walk.begins_at(source) or not walk.begins_at(target):
            return None
        return search_path(walk, source, target, most)

    def similar(self, session: str, limit: int = 10) -> list[Similar]:
        """See roles.Graph."""
        told = self.calls.ask(self.reads.shared, key=session)
        shared = _sizes(told, "others")
        shared.pop(session, None)
        best = sorted(shared, key=lambda other: (-shared[other], other))[: max(limit, _CANDIDATES)]
        if not best:
            return []
        sizes, found = Counter[str](), []
        for start in range(0, len(best), SESSIONS):
            sizes += _sizes(self.calls.ask(self.reads.sizes(best[start : start + SESSIONS])), "files")
        for other in best:
            union = len(told["mine"]) + sizes[other] - shared[other]
            found.append(Similar(other, shared[other], union, round(shared[other] / union, 6)))
        return sorted(found, key=lambda one: (-one.score, one.session))[:limit]

    def kinds(self) -> dict[str, int]:
        """See roles.Graph. A question a kind, for HelixDB counts by looking at each."""
        counts = {kind: int(self.calls.ask(self.reads.count(kind))["count"]) for kind in (*sorted(KINDS), *EDGES)}
        return {kind: count for kind, count in counts.items() if count}

    def known(self, node: Node) -> bool:
        """See roles.Graph."""
        return Walk(self.calls, self.reads).begins_at(node)

    # -- how it is --

    def health(self) -> Health:
        """See roles.Projected. rows: the edges of records that were put, more than there are where records came twice:
        HelixDB counts by looking at each, which is what `kinds` does."""
        told = Health(GRAPH, True, f"helixdb {self.opening.where}", "none", 0, 0, 0, list(self.found))
        told.capabilities = CAPABILITIES
        try:
            told.server, told.encrypted = self.link.server, self.link.encrypted
            self.current()  # the connection is there now: it is no part of the latency
            began = time.perf_counter()
            version = schema.version(self.calls, self.reads)
            told.latency_ms = (time.perf_counter() - began) * 1000
            told.skew_ms, told.skew_error_ms = self.link.skew()
            told.schema = str(version or "none")
            schema.check(self.calls, version)
            if version == schema.VERSION:
                told.rows = sum(int(one["put"]) for one in self.calls.ask(self.reads.put)["put"])
            told.dead_letters, told.bytes, told.free_bytes = self.dead_count(), self.link.bytes(), self.link.free()
        except Exception as error:
            told.ok = False
            told.problems.insert(0, str(error))
            told.fix = getattr(error, "fix", "")
        return told


def _sizes(told: dict[str, Any], name: str) -> Counter[str]:
    """How many files each session has; one that it read and wrote is one."""
    pairs = {(str(one["session"]), one["file"]) for how in TOUCHES for one in told[f"{name}_{how}"]}
    return Counter(session for session, _ in pairs)


def opened(opening: Opening) -> HelixGraph:
    """The adapter, as the registry asks for it. Raises NotConfigured for a URL that cannot be used."""
    if opening.url.startswith("helix://"):
        return HelixGraph(opening, _folder_link(opening), _prefix(opening.url))
    from levaithan.stores.helix_link import HttpLink  # noqa: PLC0415 - the engine in this process needs no client

    opening.server  # noqa: B018 - raises for one that cannot be used
    return HelixGraph(opening, HttpLink(opening), _prefix(opening.url))


def _folder_link(opening: Opening) -> Any:
    place = opening.url.partition("://")[2].partition("?")[0]
    folder = unquote(place).rstrip("/")
    if not folder.startswith("/"):
        raise _unusable("the engine in this process needs a folder", "write it as helix:///folder")
    from levaithan.stores.helix_engine import FolderLink  # noqa: PLC0415 - 80 MB that a server's client never needs

    return FolderLink(folder, opening.timeout_s)


def _prefix(url: str) -> str:
    """What labels begin with: the `graph` behind the `?`, for servers that hold several graphs."""
    name = options(GRAPH, urlsplit(url).query).get("graph", "")
    if name and not _NAME.fullmatch(name):
        raise _unusable("the name behind ?graph= is none", "use up to 31 letters, digits and _, a letter first")
    return f"{name}_" if name else ""


def _unusable(why: str, fix: str) -> NotConfigured:
    return NotConfigured(f"LEVAITHAN_GRAPH_URL cannot be used: {why}.", fix=fix)
