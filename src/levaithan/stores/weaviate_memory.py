"""The memory in Weaviate: several machines' journals in one server. Registered for http:// and https:// URLs.

The vectors are made here, in the projector or the command that asks. A batch is: what is forgotten, the memories, the
dead letters (on this machine, see letters), and last the cursor, in the server: what was lost half-way is put again.
What it is made of: weaviate_link (the connection), _errors, _schema, _asking, _writing, _batch.
"""

from __future__ import annotations

from importlib import util
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from levaithan.stores import embedding, memory_facts, search_fields, weaviate_health
from levaithan.stores import weaviate_asking as asking
from levaithan.stores import weaviate_schema as schema
from levaithan.stores import weaviate_writing as writing
from levaithan.stores.edge import Edge
from levaithan.stores.in_place import InPlace
from levaithan.stores.letters import Letters
from levaithan.stores.opening import without_driver
from levaithan.stores.roles import MEMORY, Rejected, StoreUnsupportedError
from levaithan.stores.roles.memory import MOST
from levaithan.stores.weaviate_batch import Putter
from levaithan.stores.weaviate_errors import DISK_FIX, translator
from levaithan.stores.weaviate_link import Link
from levaithan.stores.weaviate_vectors import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.stores.opening import Opening
    from levaithan.stores.roles import Cursor, DeadLetter, Delivery, Health
    from levaithan.stores.roles.memory import MemoryFilters, Remembered

Answer = TypeVar("Answer")
_ALL = 1 << 52
_IN_FLIGHT = 10_000
"""Records: more than a batch has, which a projector may have left half put when it ended."""


class WeaviateMemory(InPlace):
    """The Memory role on Weaviate 1.27 and newer. Writing is one thread's."""

    name = MEMORY
    remote = True
    shared = True
    rereads = True

    def __init__(self, opening: Opening, model: embedding.Model) -> None:
        self.opening = opening
        self.model = model
        self.journal = opening.journal
        self.max_field = opening.max_field
        self.found: list[str] = []
        self.names = schema.Names(opening, model.name)
        self.link = Link(opening)
        self.edge = Edge(
            MEMORY,
            opening.where,
            translator(opening),
            timeout_s=opening.timeout_s,
            logs=opening.logs,
            disk_fix=DISK_FIX,
        )
        self.letters = Letters(opening.state, MEMORY)
        self._left_at: Cursor | None = None
        """Where this object last saw its place, or left it."""
        self._tried: int | None = None
        """The last record that was put, or may have been put before this object was, well or not."""
        self._swept: int | None = None
        self._rewriting = False

    def __repr__(self) -> str:
        return f"WeaviateMemory({self.opening.where})"

    def ask(self, question: Callable[[Any], Answer], *, again: bool = True) -> Answer:
        """What `question` answers, which is given the connected client; `again`: more than once, if need be. Raises
        StoreError."""
        return self.edge.call(lambda: self.link.run(question), again=again)

    # -- questions --

    def near(self, text: str, k: int = 10, filters: MemoryFilters | None = None) -> list[Remembered]:
        """See roles.Memory."""
        text, k = search_fields.clean(text).strip(), min(k, MOST)
        if not text or k < 1 or not self.current():
            return []
        question = Question(self.model, text)
        return self.ask(lambda client: asking.near(client, self.names, question, k, filters))

    def hybrid(
        self, text: str, k: int = 10, alpha: float = 0.5, filters: MemoryFilters | None = None
    ) -> list[Remembered]:
        """See roles.Memory."""
        text, k = search_fields.clean(text).strip(), min(k, MOST)
        if not text or k < 1 or not self.current():
            return []
        question = Question(self.model, text)
        return self.ask(lambda client: asking.hybrid(client, self.names, question, k, alpha, filters))

    def get(self, id: str) -> Remembered | None:
        """See roles.Memory."""
        if not id or not self.current():
            return None
        return self.ask(lambda client: asking.get(client, self.names, search_fields.clean(id)))

    def kinds(self, filters: MemoryFilters | None = None) -> dict[str, int]:
        """See roles.Memory."""
        return self.ask(lambda client: asking.kinds(client, self.names, filters)) if self.current() else {}

    # -- where it stands --

    def current(self) -> bool:
        """See roles.Projected: the collections of this version and this model are there."""
        return self.ask(lambda client: self.names.every <= set(client.collections.list_all()))

    def cursor(self) -> Cursor | None:
        """See roles.Projected."""
        before, self._left_at = self._left_at, self._place() if self.current() else None
        if self._tried is None or self._left_at != before:  # another one put the last batch, well or not
            self._tried = max(self._tried or 0, (self._left_at.seq if self._left_at else 0) + _IN_FLIGHT)
        return self._left_at

    def _place(self) -> Cursor | None:
        return self.ask(lambda client: asking.place(client, self.names, self.journal))

    def dead_letters(self, limit: int = 1000) -> list[DeadLetter]:
        """See roles.Projected."""
        return self.letters.list(self.journal, limit)

    def dead_count(self) -> int:
        """See roles.Projected."""
        return self.letters.count(self.journal)

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected."""
        memories, forgets, _ = memory_facts.read([delivery])
        if forgets:
            return forgets[0].fingerprint()
        kept = self.ask(lambda client: asking.remembered_still(client, self.names, memories, [])) if memories else []
        return kept[0].fingerprint() if kept else None

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected. Two objects that claim one record are an altered one."""
        if not self.current():
            return {}
        span = (self.journal, first, min(last, _ALL))
        found: dict[int, str] = {}
        for _, _, seq, made in self.ask(lambda client: list(asking.stored(client, self.names, *span))):
            found[seq] = "" if seq in found else made
        return found

    def health(self) -> Health:
        """See roles.Projected."""
        return weaviate_health.health(self)

    # -- writing --

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected."""
        return self._write(batch, cursor)

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        return self._write(batch, None)

    def _write(self, batch: Sequence[Delivery], cursor: Cursor | None) -> list[Rejected]:
        memories, forgets, rejected = memory_facts.read(batch)
        second = self._second(batch, cursor)
        if self._rewriting:
            self._sweep(batch, [*memories, *forgets])
        refused = Putter(self.ask, self.names, self.model).put(memories, forgets, second=second)
        by_id = {
            search_fields.clean(str(one.record.get("id")))[: memory_facts.LONGEST_NAME]: one
            for one in batch
            if one.record is not None
        }
        rejected += [Rejected(by_id[one], why) for one, why in refused.items()]
        self.letters.note(batch, rejected)
        if cursor is not None:
            left = self._left_at
            self.ask(lambda client: writing.move(client, self.names, left, cursor), again=False)
            self._left_at = cursor
        return rejected

    def _second(self, batch: Sequence[Delivery], cursor: Cursor | None) -> bool:
        """Whether some of `batch` may have been put before: by this object, or before it by another."""
        numbers = [one.seq for one in batch if one.seq > 0]
        first, last = min(numbers, default=1), max(numbers, default=0)
        second = cursor is None or self._rewriting or self._tried is None or first <= self._tried
        self._tried = max(self._tried or 0, last)
        return second

    def forget(self, session: str) -> int:
        """See roles.Memory."""
        if not session or not self.current():
            return 0
        return self._remove_of_all(schema.of_session(session), [*self.names.of_kind.values()])

    def _remove_of_all(self, where: Any, names: list[str]) -> int:
        return sum(self.ask(lambda client, name=name: writing.remove(client, name, where)) for name in names)  # type: ignore[misc]

    # -- in place --

    def rewrite_begin(self) -> None:
        """See roles.Shared."""
        self.ask(lambda client: writing.unplace(client, self.names, self.journal))
        self.letters.clear(self.journal)
        self._rewriting, self._swept, self._left_at = True, None, None

    def rewrite_end(self, last: int) -> None:
        """See roles.Shared."""
        self._remove_of_all(schema.after(self.journal, last), [*self.names.of_kind.values(), self.names.forgotten])
        self._rewriting = False

    def _sweep(self, batch: Sequence[Delivery], facts: Sequence[memory_facts.Memory | memory_facts.Forget]) -> None:
        """Remove what is there between the last batch and the end of this one and is not what the journal says."""
        numbers = [one.seq for one in batch if one.seq > 0]
        if not numbers:
            return
        first = min(numbers) if self._swept is None else self._swept + 1
        wanted = {(schema.object_id(one.id), one.fingerprint()) for one in facts}
        span = (self.journal, first, max(numbers))
        there = self.ask(lambda client: list(asking.stored(client, self.names, *span)))
        for name, one, _, made in there:
            if (one, made) not in wanted:
                self.ask(lambda client, name=name, one=one: client.collections.use(name).data.delete_by_id(one))  # type: ignore[misc]
        self._swept = max(numbers)

    def migrate(self) -> None:
        """See roles.Projected: makes the collections that are missing. Those of another version or model stay for the
        machines that use them."""
        made = self.ask(lambda client: schema.make(client, self.names))
        if self.names.every <= set(made):
            self._tried, self._left_at = 0, None  # nothing is there, half or whole
        if made:
            self.found = [*self.found, f"made {len(made)} collections for vectors of {self.model.name}"][-20:]

    def drop_all(self) -> None:
        """Remove all of this object's journal; what others have put stays."""
        self.migrate()
        where = schema.after(self.journal, -1)
        self._remove_of_all(where, [*self.names.of_kind.values(), self.names.forgotten])
        self.ask(lambda client: writing.unplace(client, self.names, self.journal))
        self.letters.clear(self.journal)
        self._left_at = None

    def check_version(self) -> None:
        """See roles.Projected. Another version has collections of its own."""

    def heal(self) -> bool:
        """See roles.Projected. A server heals itself, or is restored."""
        return False

    def _never(self, what: str) -> NoReturn:
        reason = f"a server cannot {what} from here"
        raise StoreUnsupportedError(store=MEMORY, role=MEMORY.upper(), where=self.opening.where, reason=reason)

    def close(self) -> None:
        """See roles.Projected."""
        self.link.close()


def opened(opening: Opening) -> WeaviateMemory:
    """The adapter, as the registry asks for it. Raises NotConfigured where the client is not installed."""
    if util.find_spec("weaviate") is None:
        raise without_driver(MEMORY, "Weaviate", ModuleNotFoundError(name="weaviate"))
    chosen = str(opening.options.get("memory_model") or embedding.AUTO)
    return WeaviateMemory(opening, embedding.model(chosen))
