"""The schema of the graph on HelixDB: its indexes, and a node that says of which version they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.stores.helix_errors import RefusedError
from levaithan.stores.roles import GRAPH, SchemaTooNewError

if TYPE_CHECKING:
    from levaithan.stores.helix_calls import Calls
    from levaithan.stores.helix_reads import Reads
    from levaithan.stores.helix_writes import Writes

VERSION = 1
"""Of what is kept: labels, properties, indexes."""
_KEY = "levaithan"
_BAD_ENDS = ("blocked", "aborted")
_LOOK_S = 0.02


def version(calls: Calls, reads: Reads) -> int | None:
    """The version of what is there; None for nothing."""
    found = calls.ask(reads.version, key=_KEY)["version"]
    return int(found[0]["version"]) if found else None


def check(calls: Calls, found: int | None) -> None:
    """Raise SchemaTooNewError for a version that this program does not know."""
    if found is not None and found > VERSION:
        raise SchemaTooNewError(store=GRAPH, path=calls.opening.where, found=str(found), known=str(VERSION))


def make(calls: Calls, reads: Reads, writes: Writes) -> None:
    """Make the indexes, wait until they are there, then note the version. Again changes nothing."""
    try:
        _wait_for(calls, reads, [calls.write(one.body())["made"] for one in writes.indexes()])
        calls.write(writes.schema.body(key=_KEY, version=VERSION))
    except RefusedError as error:
        raise calls.unsupported(f"its indexes cannot be made: {error}") from error


def _wait_for(calls: Calls, reads: Reads, receipts: list[dict[str, Any]]) -> None:
    """Indexes are built behind the answer, each of all that there is of a kind; one that is not there yet would let the
    same node in twice."""
    waiting = [str(one["operation_id"]) for one in receipts if "operation_id" in one]
    until = time.monotonic() + calls.patience_s
    while waiting:
        told = calls.ask(reads.operations(waiting))
        states = [told[f"i{number}"] for number in range(len(waiting))]
        if bad := next((one for one in states if one["status"] in _BAD_ENDS), None):
            raise calls.unsupported(f"the making of an index is {bad['status']}")
        waiting = [one for one, state in zip(waiting, states, strict=True) if state["status"] != "succeeded"]
        if waiting and time.monotonic() > until:
            raise calls.late(calls.patience_s)
        time.sleep(_LOOK_S if waiting else 0)
