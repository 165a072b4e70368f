"""The data stream of the search: its template, its life, and the index that the cursors are in.

The client is handed in. An API that a server lacks is told by the status of its answer (a reduced distribution, or one
behind a proxy that lets few APIs through).
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from levaithan.errors import NotConfigured
from levaithan.stores.elastic_documents import PROPERTIES
from levaithan.stores.roles import SchemaTooNewError

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

    from levaithan.stores.opening import Opening

SCHEMA = 1
NAME = "levaithan"
_LACKING = frozenset({400, 404, 405, 410})
"""What a server answers to the path of an API that it does not have."""
LARGEST = "25gb"
OLDEST = "30d"
REFRESH = "5s"
"""How soon the server shows events by itself; whoever asks through the adapter has it done (elastic_questions)."""
_LOOK_S = 600.0
_CURSORS: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "journal": {"type": "keyword"},
        **{name: {"type": "keyword", "index": False, "doc_values": False} for name in ("segment", "hash", "last_id")},
        **{name: {"type": "long", "index": False} for name in ("offset", "seq", "updated_us", "last_us")},
    },
}


class Stream:
    """The names of one search on a server, and how it is made. `keep_days`: 0 = for ever."""

    def __init__(self, opening: Opening) -> None:
        server = opening.server
        base = server.path or NAME
        self.where = opening.where
        self.events = f"{base}-events"
        self.cursors = f"{base}-cursors"
        days = server.query.get("keep_days", "") or "0"
        if not days.isdecimal() or len(days) > 5:
            raise NotConfigured(
                "keep_days in LEVAITHAN_SEARCH_URL is no number of days.",
                fix="write it as ?keep_days=90, or leave it out",
            )
        self.keep_days = int(days)
        self.found: list[str] = []
        self.lifecycle: bool | None = None
        self.kept: int | None = None
        self._looked = 0.0

    def version(self, client: Elasticsearch) -> int:
        """The schema's version; 0 where there is none. Reads also what was last said to the server's lifecycle."""
        answer = client.options(ignore_status=404).indices.get_mapping(index=self.cursors)
        if answer.meta.status == 404:
            return 0
        meta: dict[str, Any] = next(iter(answer.body.values()))["mappings"].get("_meta", {})
        self.lifecycle, self.kept = bool(meta.get("lifecycle")), meta.get("keep_days")
        return int(meta.get("schema", 0))

    def check(self, present: int) -> None:
        """Raise SchemaTooNewError where a newer levaithan made it."""
        if present > SCHEMA:
            raise SchemaTooNewError(store="search", path=self.where, found=present, known=SCHEMA)

    def make(self, client: Elasticsearch, present: int) -> None:
        """Make it, or bring it up to this version: everything may be there already. The version is written last."""
        self.lifecycle = self._put_lifecycle(client)
        client.indices.put_index_template(
            name=self.events, index_patterns=[self.events], data_stream={}, priority=500,
            template={"settings": self._settings(), "mappings": _mapping()}, meta={"made by": NAME, "schema": SCHEMA},
        )  # fmt: skip
        _has(lambda: client.indices.create_data_stream(name=self.events))  # else the first event makes it
        if present and self.indices(client):
            # What older indices lack is added to them; the template's settings come with the next index.
            client.indices.put_mapping(index=self.events, **_mapping())
            client.indices.rollover(alias=self.events)
        if present or client.indices.exists(index=self.cursors):
            self._note(client)
            return
        self.kept = self.keep_days
        client.options(ignore_status=400).indices.create(  # 400: another machine made it just now
            index=self.cursors,
            mappings={**_CURSORS, "_meta": self._meta()},
            settings={"index.number_of_shards": 1, "index.auto_expand_replicas": "0-1"},
        )

    def _meta(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "lifecycle": self.lifecycle, "keep_days": self.keep_days}

    def _note(self, client: Elasticsearch) -> None:
        """Write down beside the cursors what the schema is and what the lifecycle was told."""
        client.indices.put_mapping(index=self.cursors, **_CURSORS, meta=self._meta())
        self.kept = self.keep_days

    def keep(self, client: Elasticsearch) -> str:
        """Tell the server's lifecycle management of `keep_days` where it was told another (after `version`). What was
        changed, in words; "" for nothing. Compared is what was told, not the policy: that may be changed by hand, and
        stays so until the setting is another; then too only the age of its phase `delete` is. One that was set up
        before it was noted keeps its policy as it stands, for nobody knows who made it so."""
        if not self.lifecycle or self.kept == self.keep_days:
            return ""
        if self.kept is None:
            self._note(client)
            return ""
        asked = client.options(ignore_status=404).ilm.get_lifecycle(name=self.events)
        there = asked.body[self.events]["policy"]["phases"] if asked.meta.status == 200 else None
        client.ilm.put_lifecycle(name=self.events, policy={"phases": self._phases(there)})
        self._note(client)
        how_long = f"{self.keep_days} days after their index was closed" if self.keep_days else "for ever"
        return f"events are kept {how_long} from now on (keep_days): the policy {self.events} was told so"

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "index.number_of_shards": 1, "index.auto_expand_replicas": "0-1", "index.codec": "best_compression",
            "index.refresh_interval": REFRESH, "index.mapping.total_fields.limit": 64,
        }  # fmt: skip
        if self.lifecycle:
            settings["index.lifecycle.name"] = self.events
        return settings

    def _put_lifecycle(self, client: Elasticsearch) -> bool:
        """The policy for the stream's indices. False where the server has no lifecycle management."""
        return _has(lambda: client.ilm.put_lifecycle(name=self.events, policy={"phases": self._phases(None)}))

    def _phases(self, there: dict[str, Any] | None) -> dict[str, Any]:
        """The policy's phases, of those that are `there` (None = no policy yet)."""
        rollover = {"max_age": OLDEST, "max_primary_shard_size": LARGEST}
        phases = dict(there or {"hot": {"actions": {"rollover": rollover}}})
        old = phases.pop("delete", {})
        if self.keep_days:
            phases["delete"] = {"actions": {"delete": {}}, **old, "min_age": f"{self.keep_days}d"}
        return phases

    def indices(self, client: Elasticsearch) -> dict[str, float]:
        """The indices behind the stream and when each began (seconds since 1970), the oldest first.

        From their settings, which every server tells; not all have the API of data streams.
        """
        asked = client.options(ignore_status=404).indices
        answer = asked.get_settings(index=self.events, filter_path="*.settings.index.creation_date")
        told = answer.body if answer.meta.status == 200 else {}
        begun = {name: int(one["settings"]["index"]["creation_date"]) / 1000 for name, one in told.items()}
        return dict(sorted(begun.items(), key=lambda one: (one[1], one[0])))

    def keep_house(self, client: Elasticsearch) -> None:
        """Where the server has no lifecycle management: begin a new index in time, drop those past `keep_days`."""
        if self.lifecycle or time.monotonic() < self._looked + _LOOK_S:
            return
        self._looked = time.monotonic()
        self.roll(client, {"max_age": OLDEST, "max_primary_shard_size": LARGEST})
        self.drop_old(client)

    def roll(self, client: Elasticsearch, conditions: dict[str, Any] | None = None) -> None:
        """Begin a new index behind the stream when one of `conditions` holds (None = now)."""
        client.options(ignore_status=404).indices.rollover(alias=self.events, conditions=conditions)

    def drop_old(self, client: Elasticsearch, now_s: float | None = None) -> None:
        """Delete the indices that were closed by a rollover more than `keep_days` ago: its successor tells when."""
        begun = self.indices(client) if self.keep_days else {}
        limit = (time.time() if now_s is None else now_s) - self.keep_days * 86_400
        for index, successor in pairwise(begun):
            if begun[successor] < limit:
                client.indices.delete(index=index)
                self.found.append(f"the events of {index} are past {self.keep_days} days and were dropped")


def _has(call: Callable[[], Any]) -> bool:
    """Whether the server has the API that `call` asks."""
    from elasticsearch import ApiError  # noqa: PLC0415 - loaded with the client that is called

    try:
        call()
    except ApiError as error:
        if error.meta.status in _LACKING:
            return False
        raise
    return True


def _mapping() -> dict[str, Any]:
    return {"dynamic": "strict", "properties": PROPERTIES}
