"""The memory: how many texts of 30 words a second become vectors and are in the store, as the projector delivers them.

The language model and the words-alone model into SQLite, and both into Weaviate where there is a server.
`python -m tests.bench.memory` measures this alone.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import load, report
from tests.bench.report import Row
from tests.servers import sharing
from tests.servers.endpoint import ServerMissingError
from tests.support import weaviate_place
from tests.support.ledger_records import JOURNAL, JournalFiles, event

from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower
from levaithan.stores import embedding
from levaithan.stores.sqlite_memory import SqliteMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.stores.weaviate_memory import WeaviateMemory

LEAST_RATE = 300


def measure(folder: str, texts: int) -> list[Row]:
    """The rows about the memory, with `texts` prompts."""
    directory = os.path.join(folder, "journal-for-memory")
    _journal(directory, texts)
    rows = []
    for model in _models():
        rows.append(_filled(SqliteMemory(os.path.join(folder, f"{model.name}.sqlite3"), model=model), directory, texts))
        with _weaviate(folder, model) as store:
            if store is not None:
                rows.append(_filled(store, directory, texts))
    return rows


def _models() -> Iterator[embedding.Model]:
    """Those that are installed, the language model first; what is missing is said."""
    if embedding.missing():
        print(f"not measured: minilm, for {', '.join(embedding.missing())} is not installed", file=sys.stderr)
    else:
        model = embedding.model(embedding.MINILM)
        model.vectors(["loaded before it is timed"])
        yield model
    yield embedding.model(embedding.HASHING)


@contextmanager
def _weaviate(folder: str, model: embedding.Model) -> Iterator[WeaviateMemory | None]:
    """A memory on the Weaviate of the environment or of a container; None where there is neither, which is said."""
    try:
        place = weaviate_place.of(sharing.shared("weaviate"), Path(folder), timeout_s=60.0)
    except ServerMissingError as error:
        print(f"not measured: memory on Weaviate: {error}", file=sys.stderr)
        yield None
        return
    store = place.open_with(model)
    yield store
    store.close()
    place.forget()


def _journal(directory: str, texts: int) -> None:
    files, chance = JournalFiles(directory, JOURNAL), random.Random(20261127)
    for number in range(1, texts + 1):
        text = load.text(chance)
        files.add(event(number, "UserPromptSubmit", tool_name=None, tool_use_id=None, payload={"prompt": text}))


def _filled(store: Any, directory: str, texts: int) -> Row:
    """Follow the journal to its end, as the projector does."""
    store.migrate()
    follower = Follower(store, Feed(directory))
    began, spent = time.monotonic(), time.process_time()
    while follower.step() or follower.error:
        if follower.error:
            raise SystemExit(f"{store!r}: {follower.error['message']}")
    took, spent = time.monotonic() - began, time.process_time() - spent
    there = sum(store.kinds().values())
    if there != texts:
        raise SystemExit(f"{texts} prompts were delivered, {there} are there")
    where = "Weaviate" if store.remote and store.shared else "SQLite"
    if not store.shared:
        store.close()
    return Row(
        f"prompts of {load.WORDS_A_TEXT} words a second into the memory on {where}, vectors of {store.model.name}",
        f"{LEAST_RATE}/s",
        f"{texts / took:,.0f}/s",
        texts / took >= LEAST_RATE,
        f"{texts / spent:,.0f} for each second of processor time; N={texts:,}, all there afterwards",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.bench.memory", description="Measure the memory alone.")
    parser.add_argument("--texts", type=int, default=2_000)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        print(report.table(measure(scratch, parser.parse_args().texts)))
