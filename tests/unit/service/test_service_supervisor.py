"""Loops that fail come back, later and later, and say so; others do not notice."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from levaithan.service import supervisor
from levaithan.service.supervisor import Supervisor, every, in_thread


def test_a_loop_that_fails_is_started_again_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_S", 0.08)
    begun: list[float] = []
    said: list[dict[str, Any]] = []
    ticks: list[int] = []

    async def bad() -> None:
        begun.append(time.monotonic())
        raise ValueError("out of order")

    async def life() -> None:
        watched = Supervisor(lambda what, **values: said.append(values))
        loop = watched.start("bad", bad)
        loop._pause = loop._first = 0.02
        watched.start("good", every(0.01, lambda: ticks.append(1)))
        await asyncio.sleep(0.5)
        states = watched.states()
        assert states["bad"]["restarts"] >= 3
        assert states["bad"]["last_error"] == "ValueError: out of order"
        assert states["bad"]["next_try"] is not None
        assert states["good"] | {"running": True} == states["good"]
        await watched.stop(2)

    asyncio.run(life())
    pauses = [later - earlier for earlier, later in itertools.pairwise(begun)]
    assert pauses[0] < 0.05
    assert max(pauses) >= 0.06  # longer than the first, and bounded
    assert max(pauses) < 0.3
    assert len(ticks) > 10
    assert said[0]["loop"] == "bad"


def test_a_loop_that_ends_is_a_failure() -> None:
    async def ends() -> None:
        return

    async def life() -> None:
        watched = Supervisor(lambda *_, **__: None)
        watched.start("ends", ends)
        await asyncio.sleep(0.05)
        assert watched.states()["ends"]["last_error"] == "it ended by itself"
        await watched.stop(2)

    asyncio.run(life())


def test_a_steady_loop_begins_with_a_short_pause_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STEADY_S", 0.0)
    begun: list[float] = []

    async def bad() -> None:
        begun.append(time.monotonic())
        raise ValueError

    async def life() -> None:
        loop = supervisor.Loop("x", bad, lambda *_, **__: None, 0.02)
        task = asyncio.ensure_future(loop.run())
        await asyncio.sleep(0.3)
        task.cancel()

    asyncio.run(life())
    assert len(begun) >= 6


def test_work_in_a_thread_gives_its_value_and_its_error() -> None:
    async def life() -> None:
        assert await in_thread(lambda: 7) == 7
        with pytest.raises(KeyError):
            await in_thread(lambda: {}["x"])

    asyncio.run(life())


def test_a_loop_is_restarted_on_request_and_only_when_its_old_run_has_ended() -> None:
    ran: list[str] = []
    let_go = asyncio.Event()

    async def body() -> None:
        ran.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            ran.append("ended")

    async def stubborn() -> None:
        while True:
            try:
                await let_go.wait()
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if let_go.is_set():
                    raise

    async def life() -> None:
        watched = Supervisor(lambda *_, **__: None)
        watched.start("one", body)
        watched.start("two", stubborn)
        await asyncio.sleep(0.01)
        assert await watched.restart("one", 1.0) is True
        await asyncio.sleep(0.01)
        assert ran == ["begun", "ended", "begun"]
        assert watched.states()["one"]["running"] and watched.states()["one"]["restarts"] == 0
        assert await watched.restart("two", 0.05) is False, "two of it at once would be worse than none"
        assert await watched.restart("none", 1.0) is False
        let_go.set()
        await watched.stop(2)
        assert ran[-1] == "ended"

    asyncio.run(life())
