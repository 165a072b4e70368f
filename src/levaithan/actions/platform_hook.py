"""The platform's own scaling: a command that the operator set, run as a list of arguments, without a shell.

Nothing of an event is ever among its arguments or in its environment: what an agent wrote must not reach a program
that runs with the operator's rights.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Any

from levaithan.actions import readings
from levaithan.actions.action import Action, Refused, Run, World

_PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "USER", "LOGNAME", "KUBECONFIG")


def _command(text: str | None) -> list[str]:
    try:
        return shlex.split(text or "")
    except ValueError as error:
        raise Refused(
            f"the command of the settings cannot be read: {error}",
            "correct LEVAITHAN_ACTION_PLATFORM_UP and _DOWN in .env: quote them as for a shell",
        ) from None


def plan(world: World, _run: Run) -> dict[str, Any]:
    """Raises Refused where no command is set."""
    if not _command(world.settings.action_platform_up):
        raise Refused(
            "LEVAITHAN_ACTION_PLATFORM_UP is not set",
            "set LEVAITHAN_ACTION_PLATFORM_UP and _DOWN in .env, then `levaithan restart` (docs/how-to/actions.md)",
        )
    return {"down": bool(_command(world.settings.action_platform_down))}


def do(world: World, _run: Run) -> dict[str, Any]:
    """Runs the command that scales up."""
    lag = world.readings().get(readings.LAG, 0.0)
    return {**_started(world, world.settings.action_platform_up), "lag_seconds": lag}


def _started(world: World, text: str | None) -> dict[str, Any]:
    command = _command(text)
    most = float(world.settings.action_platform_timeout_s)
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=most, check=False, env=environment, cwd="/",
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it did not end within {most:.0f} s and was ended") from None
    except OSError as error:
        raise RuntimeError(f"it cannot be started: {error.strerror}") from None
    said = (done.stderr or done.stdout)[-500:].decode("utf-8", "replace")
    if done.returncode != 0:
        raise RuntimeError(f"it ended with {done.returncode}: {said}")
    return {"exit": 0, "said": said}


def check(world: World, run: Run) -> bool | None:
    """Whether the lag has fallen by a fifth, or is inside the objective."""
    found, before = world.readings().get(readings.LAG, 0.0), float(run.facts.get("lag_seconds") or 0.0)
    inside = readings.OBJECTIVES[readings.LAG] * (1.0 - readings.HYSTERESIS)
    return True if found <= max(inside, before * 0.8) else None


def undo(world: World, run: Run) -> str:
    """Runs the command that scales down, where there is one, and something was scaled up."""
    if not run.facts:
        return "nothing was scaled up"
    if not _command(world.settings.action_platform_down):
        return "LEVAITHAN_ACTION_PLATFORM_DOWN is not set: it stays scaled up"
    _started(world, world.settings.action_platform_down)
    return "scaled down again"


ACTION = Action(
    name="platform_hook",
    about="run the operator's own command for scaling",
    bound="twice an hour, LEVAITHAN_ACTION_PLATFORM_TIMEOUT_S seconds each",
    verifies="it ends with 0 and the lag falls by a fifth",
    needs=(),
    deadline_s=300.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
    stays=True,
    lasts_s=3600.0,
    slow=True,
    most_an_hour=2,
)
