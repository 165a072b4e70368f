"""What every store of every role must do when the place in the journal cannot be written down: the place stays where it
was, nothing that was there is lost, and what is put again is there once. Some of the batch may be there before only
where its records and the place go in steps; HelixDB and Redis have a batch as small as this one in one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.test_lost_connection import BATCH, Followed
from tests.support.ledger_records import cursor
from tests.support.lines import Line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Place

IN_STEPS = {"elasticsearch", "weaviate"}


def test_a_batch_whose_place_cannot_be_kept_is_put_again_and_there_once(
    every_place: tuple[str, Place], tmp_path: Path
) -> None:
    role, place = every_place
    store = place.open()
    store.migrate()
    followed = Followed(role, Line(place.open), store)
    assert store.cursor() is None
    followed.put()
    held, batch = followed.expected(), followed.next()
    nowhere: Any = dataclasses.replace(cursor(followed.there + BATCH + 1), segment=object())
    with pytest.raises(Exception, match=r"object|Unexpected type"):
        store.apply(batch, nowhere)
    for looked in (store, place.open()):
        assert looked.cursor() == cursor(followed.there + 1)
    there = store.fingerprints(1, 1 << 40)
    wanted = held | {one.seq: made for one in batch if (made := store.expected(one))}
    assert held.items() <= there.items() <= wanted.items()
    assert place.name in IN_STEPS or there == held, "all of it or nothing"
    followed.put()
    followed.put()
    followed.is_whole(tmp_path)
