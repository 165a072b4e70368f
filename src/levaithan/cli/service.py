"""`levaithan serve|start|stop|restart`, and `levaithan service install|uninstall` for starting it at login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from levaithan.cli import options, output
from levaithan.cli.state import STATE
from levaithan.errors import NotConfigured, Unhealthy

if TYPE_CHECKING:
    from levaithan.service.lifecycle import Started

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Start it at login.")


def running() -> bool:
    """Whether a service answers."""
    from levaithan.service import lifecycle

    return lifecycle.ping(STATE.home()) is not None


def up_to_date() -> bool:
    """Whether a service answers that uses the stores which the settings name now, and could when it started: a driver
    may have been installed since."""
    from levaithan.cli import reading
    from levaithan.stores import registry

    told = reading.ask_service(STATE.home(), "status", 1.0)
    if told is None or told.get("settings", {}).get("stores") != registry.places(STATE.settings()):
        return False
    known = (told.get("projector") or {}).get("stores") or {}
    return not any((one.get("error") or {}).get("code") == NotConfigured.code for one in known.values())


def bring_up() -> str:
    """Start the service, or restart one that uses other stores. Raises as start_now does."""
    from levaithan.service import lifecycle

    return _words(lifecycle.restart(STATE.home())) if running() else start_now()


def start_now() -> str:
    """Start the service unless it runs; what was done, in words. Raises NotStarted, NotConfigured, Unhealthy."""
    from levaithan.service import lifecycle

    return _words(lifecycle.start(STATE.home()))


def answer_now() -> str:
    """See to it that a service answers: one that hangs is ended first. What was done, in words; raises as start_now."""
    from levaithan.service import instance, lifecycle

    home = STATE.home()
    hangs = instance.running(home) and lifecycle.ping(home) is None
    return _words(lifecycle.restart(home) if hangs else lifecycle.start(home))


def stop_now() -> str:
    """Stop the service; what was done, in words. Raises NotStopped."""
    from levaithan.service import lifecycle

    return lifecycle.stop(STATE.home()).words()


def _words(started: Started) -> str:
    if not started.ready:
        raise Unhealthy(f"T{started.words()[1:]}.", fix="run `levaithan doctor`")
    return started.words()


def remove_unit() -> str:
    """Take the login unit out; what was done, in words, "" for nothing."""
    from levaithan.service import units

    return units.uninstall(STATE.home())


def told(words: str, json: bool) -> None:
    """What was done: a sentence for a person, a row for a program."""
    if not json:
        output.say(words)
        return
    from levaithan.service import lifecycle

    now = lifecycle.ping(STATE.home()) or {}
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
    from levaithan.service import lifecycle

    told(_words(lifecycle.restart(STATE.home())), json)


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
