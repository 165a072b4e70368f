"""Stores on real servers that are killed, paused, filled up, locked out of, aged and restored while events flow.

Each fault: a home's service takes events at a steady rate, its store's server is hurt in their midst, events flow on,
the server is mended. Every event must be answered before that (a hook never waits for a store), the lag must be seen to
grow and to fall, and afterwards every store must equal the journal. Nothing here is timed: that is for tests/bench.

Sizes: LEVAITHAN_FAULT_STORE_EVENTS events a fault, LEVAITHAN_FAULT_STORE_RATE a second, and the server is hurt for at
least LEVAITHAN_FAULT_STORE_HURT_S seconds (longer than that until the projector has said so).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.servers import fixtures
from tests.servers.endpoint import ServerMissingError
from tests.support.faulted_stores import SERVERS
from tests.support.namespaces import without_a_disk
from tests.support.store_flow import PATIENCE_S, Flow, Waits, flowing, waits
from tests.support.store_harm import FAULTS

pytestmark = pytest.mark.faults
EVENTS = int(os.environ.get("LEVAITHAN_FAULT_STORE_EVENTS", "600"))
RATE = float(os.environ.get("LEVAITHAN_FAULT_STORE_RATE", "100"))
HURT_S = float(os.environ.get("LEVAITHAN_FAULT_STORE_HURT_S", "0.5"))
DISK_MIB = 256 + EVENTS * len(FAULTS) // 100


@pytest.fixture(scope="module", params=SERVERS)
def flow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A home whose store is on this server, its service, and the server."""
    try:
        with flowing(request.param, tmp_path_factory.mktemp(request.param), f"{DISK_MIB}m") as made:
            yield made
    except ServerMissingError as error:
        fixtures.without(request.param, str(error))


@pytest.mark.timeout(300 + 4 * PATIENCE_S + EVENTS / RATE + HURT_S)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_befalls_a_server_is_a_lag_and_nothing_else(flow: Flow, fault: str) -> None:
    if fault == "full" and flow.disk is None:
        without_a_disk()
    told = flow.through(FAULTS[fault], EVENTS, RATE, HURT_S)
    print(f"\n{flow.server.store} {fault}: {told}")
    if told.said:
        assert told.lag_highest >= EVENTS // 3, told
        assert told.lag_highest > told.lag_end, told


def test_a_stretch_is_told_by_its_median_whole_second() -> None:
    """500 answers a second from 10.4 s on, of a millisecond each, but for the longest in the piece at the end."""
    answers = [(int((10.4 + n / 500) * 1e9), 1_000_000, 0) for n in range(1_200)]
    answers[-1] = (answers[-1][0], 90_000_000, 0)
    answers[0] = (answers[0][0] - 5_000_000_000, 90_000_000, 0)  # before the stretch
    assert waits(answers, 10.4, 60.0) == Waits(1.0, 1.0)
    answers = [(sent, 9_000_000 if n < 500 or n >= 1_000 else taken, 0) for n, (sent, taken, _) in enumerate(answers)]
    assert waits(answers, 10.4, 60.0).second_ms == 5.0, "of two seconds, 9 and 1 ms"
    assert waits(answers, 99.0, 100.0) == Waits()
