"""The real Weaviate whose disk is full in the midst of a batch: what it has of it afterwards is half there, and yet
every memory is found once it was put again. tests/contract/test_weaviate_imitation_half.py has it object by object, on
an imitation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.contract.test_memory_contract import prompt
from tests.servers import fixtures
from tests.servers.endpoint import ServerMissingError
from tests.servers.weaviate import Weaviate
from tests.support import homes, weaviate_place
from tests.support.faulted_stores import small_disk
from tests.support.ledger_records import cursor, delivery
from tests.support.namespaces import fill, without_a_disk

from levaithan.errors import StoreError
from levaithan.stores.roles.memory import MemoryFilters

pytestmark = pytest.mark.faults
ROUNDS, BATCHES, EACH = 2, 3, 60
MOST_FREE = 2_000_000
"""Bytes: some batches fit, or not even the first one."""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with small_disk("400m") as made:
        if made is None:
            without_a_disk()
        monkeypatch.setenv("LEVAITHAN_TEST_SERVER_FOLDER", str(made))
        yield made


@pytest.fixture
def server(disk: Path) -> Iterator[Weaviate]:
    try:
        made = Weaviate()
    except ServerMissingError as error:
        fixtures.without("weaviate", str(error))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def batch(first: int) -> list[Any]:
    words = Random(first)
    return [
        delivery(prompt(n, " ".join(f"word{words.randrange(500)}" for _ in range(30)), f"s{n % 7}"))
        for n in range(first, first + EACH)
    ]


class Filled:
    """The disk with little left, until the store was refused three times."""

    def __init__(self, disk: Path, server: Weaviate, free: int) -> None:
        self.disk, self.server, self.refusals = disk, server, 0
        (disk / "spare").write_bytes(b"x" * free)
        fill(disk)
        (disk / "spare").unlink()

    def refused(self) -> None:
        self.refusals += 1
        if self.refusals == 3:
            self.room_again()

    def room_again(self) -> None:
        (self.disk / "filler").unlink(missing_ok=True)
        self.server.kill()
        self.server.restart()


@pytest.mark.timeout(300)
def test_all_that_was_put_is_found_however_full_the_disk_was(disk: Path, server: Weaviate, tmp_path: Path) -> None:
    store = weaviate_place.of(server.endpoint(), tmp_path, 2.0).open()
    store.migrate()
    store.cursor()
    chance, last, refusals = Random(7), 0, 0
    for _ in range(ROUNDS):
        filled = Filled(disk, server, chance.randrange(MOST_FREE))
        for _ in range(BATCHES):
            homes.until(lambda filled=filled, first=last + 1: put(store, first, filled), 120, 0.1)
            last += EACH
        if filled.refusals < 3:
            filled.room_again()
            homes.until(lambda: answers(store), 60, 0.1)
        refusals += filled.refusals
        assert set(store.fingerprints(1, last + 1)) == set(range(2, last + 2))
        each = [sum(store.kinds(MemoryFilters(session=f"s{n}")).values()) for n in range(7)]
        assert each == [sum(one % 7 == n for one in range(1, last + 1)) for n in range(7)]
    assert refusals, "no disk was full"
    store.close()


def put(store: Any, first: int, filled: Filled) -> bool:
    """As the projector does: the place is read again at each try."""
    try:
        store.cursor()
        store.apply(batch(first), cursor(first + EACH))
    except StoreError:
        filled.refused()
        return False
    return True


def answers(store: Any) -> bool:
    try:
        return store.cursor() is not None
    except StoreError:
        return False
