"""What is done to a store's server, and what mends it: the faults by their names."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.namespaces import fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.store_flow import Flow


@dataclass
class Fault:
    """`hurt` the server and `mend` it. `signs`: what the projector must say of the store in the end, one of them;
    nothing where the store may find nothing amiss but that its place has gone back."""

    name: str
    hurt: Callable[[Flow], None]
    mend: Callable[[Flow], None]
    signs: frozenset[str]
    before: Callable[[Flow], None] = lambda _flow: None
    words: str = ""
    """What must be in what is said, or in what to do about it."""


def _kill(flow: Flow) -> None:
    flow.server.kill()


def _start(flow: Flow) -> None:
    """Starts it again. What it left behind serves as the older copy of the next fault: two stops less."""
    _copy(flow)
    flow.server.restart()


def _fill(flow: Flow) -> None:
    assert flow.disk is not None
    fill(flow.disk)


def _make_room(flow: Flow) -> None:
    assert flow.disk is not None
    (flow.disk / "filler").unlink()
    flow.faulted.room_again()


def _copy_aside(flow: Flow) -> None:
    if not flow.copy.exists():
        flow.server.shut_down()
        _copy(flow)
        flow.server.restart()


def _copy(flow: Flow) -> None:
    shutil.rmtree(flow.copy, ignore_errors=True)
    subprocess.run(["cp", "-a", str(flow.server.data), str(flow.copy)], check=True)


def _restore(flow: Flow) -> None:
    shutil.rmtree(flow.server.data)
    subprocess.run(["cp", "-a", str(flow.copy), str(flow.server.data)], check=True)
    shutil.rmtree(flow.copy)
    flow.server.restart()


def _change_password(flow: Flow) -> None:
    flow.learn = flow.faulted.change_password()


DOWN = frozenset({"store_down", "store_timeout", "store_busy"})
_EVERY = (  # in this order: a copy must be of the password of now
    Fault("killed", _kill, _start, DOWN),
    Fault("restored", lambda flow: flow.server.shut_down(), _restore, DOWN, before=_copy_aside),
    Fault("paused", lambda flow: flow.server.pause(), lambda flow: flow.server.resume(), DOWN),
    Fault("full", _fill, _make_room, DOWN, words="disk"),
    Fault("password", _change_password, lambda flow: flow.learn(), frozenset({"store_auth"})),
    Fault("aged", lambda flow: flow.faulted.age(), lambda flow: flow.faulted.brought_up(flow.root), frozenset()),
)
FAULTS: dict[str, Fault] = {one.name: one for one in _EVERY}
