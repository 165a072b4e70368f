"""Which addresses of the home's stores are no longer used, and since when."""

from __future__ import annotations

import json

from levaithan.monitor.addresses import LEFT_S, Addresses
from levaithan.stores.address import UNUSABLE

P, Q = "redis-18ee2925", "redis-1f3a9c02"


def after(dump: object, now: str) -> Addresses:
    made = Addresses({"counters": now})
    made.load(json.loads(json.dumps(dump)))
    return made


def test_an_address_is_left_when_the_projector_has_left_it_and_not_for_ever() -> None:
    kept = Addresses({"counters": P}).dump()
    moved = after(kept, Q)
    assert moved.left == {}, "nobody has looked where the projector is"
    moved.see({"counters": P}, 100.0)
    assert moved.left == {}
    moved.see({"counters": Q}, 160.0)
    assert moved.left == {("counters", P): 160.0}
    moved.see({"counters": P}, 170.0)
    moved.see({}, 180.0)
    assert moved.left == {("counters", P): 180.0}
    again = after(moved.dump(), Q)
    again.see({}, 180.0 + LEFT_S)
    assert again.left == {("counters", P): 180.0}, "a restart is no new beginning of it"
    again.see({}, 181.0 + LEFT_S)
    assert again.left == {}
    assert again.dump() == {"counters": [Q]}


def test_a_url_that_cannot_be_read_leaves_nothing_and_is_left_when_it_is_mended() -> None:
    wrong = after(Addresses({"counters": P}).dump(), UNUSABLE)
    wrong.see({}, 100.0)
    assert wrong.left == {}
    mended = after(wrong.dump(), P)
    mended.see({}, 200.0)
    assert mended.left == {("counters", UNUSABLE): 200.0}
    other = after(wrong.dump(), Q)
    other.see({}, 200.0)
    assert set(other.left) == {("counters", UNUSABLE), ("counters", P)}


def test_what_is_no_dump_says_nothing() -> None:
    for damaged in (None, 7, {"counters": 7}, {"counters": [7, [P], [P, "x"], None]}, {"unheard_of": [P]}):
        made = after(damaged, Q)
        made.see({}, 1.0)
        assert made.left == {}
