"""`levaithan serve|start|stop|restart`, and `levaithan service install|uninstall` for starting it at login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from levaithan.cli import options, output, reading
from levaithan.cli.state import STATE

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Start it at login.")
ASK_S = 1.0


def answer() -> dict[str, Any] | None:
    """What a running service says to a ping; None when none answers."""
    return reading.ask_service(STATE.home(), "ping", ASK_S)


def running() -> bool:
    """Whether a service answers."""
    return answer() is not None


def start_now() -> str:
    """Start the service unless it runs; what was done, in words. Raises ServiceUnreachable when it does not come up."""
    from levaithan.service import lifecycle

    before = answer()
    lifecycle.start(STATE.home())
    now = answer() or {}
    known = before is not None and before.get("pid") == now.get("pid")
    return f"the service {'runs already' if known else 'was started'} (pid {now.get('pid', '?')})"


def stop_now() -> str:
    """Stop the service; what was done, in words."""
    from levaithan.service import lifecycle

    before = answer()
    lifecycle.stop(STATE.home())
    return f"the service was stopped (pid {before.get('pid', '?')})" if before else "no service was running"


def remove_unit() -> str:
    """Take the login unit out; what was done, in words, "" for nothing."""
    from levaithan.service import units

    return units.uninstall(STATE.home())


def told(words: str, json: bool) -> None:
    """What was done: a sentence for a person, a row for a program."""
    if not json:
        output.say(words)
        return
    now: Mapping[str, Any] = answer() or {}
    output.out(output.envelope([{"message": words, "running": bool(now), "pid": now.get("pid")}]))
    output.flush()


def serve() -> None:
    """Run the service in the foreground until it is told to stop (Ctrl-C, SIGTERM, `levaithan stop`)."""
    from levaithan.service import run

    raise typer.Exit(run.run(STATE.home()))


def start(json: options.Json = False) -> None:
    """Start the service in the background; one that runs already stays."""
    told(start_now(), json)


def stop(json: options.Json = False) -> None:
    """Stop the service; hooks are decided and recorded without it."""
    told(stop_now(), json)


def restart(json: options.Json = False) -> None:
    """Stop the service and start it again, with the settings of now."""
    stop_now()
    told(start_now(), json)


@app.command()
def install(dry_run: options.DryRun = False, json: options.Json = False) -> None:
    """Start the service at login, by systemd (Linux) or launchd (macOS)."""
    from levaithan.service import units

    told(units.install(STATE.home(), dry_run=dry_run), json)


@app.command()
def uninstall(dry_run: options.DryRun = False, json: options.Json = False) -> None:
    """Do not start the service at login any more."""
    from levaithan.service import units

    told(units.uninstall(STATE.home(), dry_run=dry_run) or "no unit was installed", json)
