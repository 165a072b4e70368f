"""What `levaithan hooks` does: install, uninstall, where and how they are registered, and running a registered command.

Data in, data out; nothing is printed here. May not import `service` (it stands above).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import InstallError, NotConfigured, UsageProblem
from levaithan.hot import hotconf
from levaithan.hot.catalogue import EVENTS
from levaithan.install import (
    command,
    json_spans,
    places,
    plugin,
    registry,
    settings_disk,
    settings_file,
    settings_merge,
    switched_off,
)
from levaithan.install.places import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home
    from levaithan.install.settings_file import Change

FOREIGN_ENVIRONMENT = ("LEVAITHAN_",)
"""Variables that `run` does not hand on: a registered command must work without them."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler of LevAIthan in a settings file. home: the one it works for; words: command and arguments."""

    place: Place
    event: str
    words: list[str]
    home: str
    timeout_s: float | None
    on_failure: str | None
    matcher: str | None


@dataclass(frozen=True, slots=True)
class Registered:
    """A command as Claude Code runs it: its words, its environment, its folder, the seconds it gets, its file."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    timeout_s: float
    path: str


def place_of(project: str | None, *, user: bool = False, local: bool = False) -> Place:
    """The settings file that --project DIR, --user and --local name; the current folder's project by default."""
    if user and (project is not None or local):
        raise UsageProblem("--user means every project: it cannot be joined with --project or --local.", fix="give one")
    return places.user_place() if user else places.project_place(project or ".", local=local)


def install(
    home: Home, place: Place, *, dry_run: bool = False, only: str | None = None, timeout_s: float | None = None
) -> tuple[Change, list[str]]:
    """Register the hooks of `home` in the settings of `place`. Gives the change and what a person should know of it.

    `only` one event, with a timeout of its own: for a proof.
    Raises NotConfigured for a home that was not set up, InstallError when the file is not to be changed.
    """
    _ready(home)
    entries = command.entries(home, timeout_s=timeout_s)
    wanted = {only: entries[only]} if only else entries
    change = settings_file.install(home, place, wanted, dry_run=dry_run)
    said = [f"{change.real}:{note} (Claude Code drops that entry; it is not ours)" for note in change.notes]
    return change, [*said, *_warnings(home, place)]


def uninstall(home: Home, place: Place, *, dry_run: bool = False) -> Change:
    """Take the hooks of `home` out of the settings of `place`. Raises InstallError."""
    return settings_file.uninstall(home, place, dry_run=dry_run)


def uninstall_all(home: Home, *, dry_run: bool = False) -> list[Change | InstallError]:
    """Take them out everywhere that installs.json names; a place that cannot be changed does not keep the others."""
    done: list[Change | InstallError] = []
    for known in registry.load(home).values():
        try:
            done.append(uninstall(home, Place(known.scope, known.path, known.project), dry_run=dry_run))
        except InstallError as problem:
            done.append(problem)
    return done


def _ready(home: Home) -> None:
    """Whether a hook of this home could decide at all: else a guard registered to fail closed would lock everything."""
    missing = [path for path in (home.context + "/workflows.toml", home.hot_conf) if not Path(path).is_file()]
    if missing:
        raise NotConfigured(
            f"The home {home.root} is not set up ({missing[0]} is missing).",
            fix="run ./setup.sh (or `levaithan setup`)",
        )
    python = hotconf.read(home.hot_conf).python
    if not python or not Path(python).exists():
        raise NotConfigured(
            f"{home.hot_conf} names a Python that is not there ({python or 'none'}).",
            fix="run `levaithan doctor --fix`",
        )


def _warnings(home: Home, place: Place) -> list[str]:
    """What is right in itself and yet worth a word."""
    said = []
    others = sorted({one.home for one in handlers(place) if one.home != home.root})
    for other in others:
        said.append(
            f"another LevAIthan ({other or 'its own home'}) is registered in {place.path} too: each event is "
            "recorded in both. Next: uninstall one of them there, unless you want that"
        )
    for off in switched_off.by_settings(place.project or None):
        said.append(f"{off['path']}: {off['problem']}. Next: {off['remedy']}")
    for found in plugin.active(place.project or None):
        said.append(
            f"the LevAIthan plugin is active too ({found}): every event would be handled twice. Next: disable one"
        )
    if place.scope == "project" and in_git(place):
        said.append(
            f"{place.path} is in git: whoever checks it out without LevAIthan at {command.client_words(home)[0]} has "
            "every guarded call refused. Next: use --local instead (settings.local.json), or do not commit it"
        )
    return said


def in_git(place: Place) -> bool:
    """Whether git tracks the settings file."""
    try:
        done = subprocess.run(
            ["git", "-C", place.project, "ls-files", "--error-unmatch", "--", place.path],
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def handlers(place: Place) -> list[Handler]:
    """Every handler of LevAIthan (of any home) in the file; none when it cannot be read (`validate` says why)."""
    try:
        root = json_spans.parse(settings_disk.bytes_at(place.path).decode("utf-8"))
    except (OSError, ValueError):
        return []
    hooks = root.get("hooks")
    found = []
    for member in hooks.members if hooks is not None else []:
        for group in member.node.items:
            listed = group.get("hooks")
            matcher = group.get("matcher")
            for node in listed.items if listed is not None else []:
                handler = node.plain()
                owner = settings_merge.home_of(handler)
                if owner is not None and isinstance(handler, dict):
                    found.append(_handler(place, member.key, handler, owner, matcher.value if matcher else None))
    return found


def _handler(place: Place, event: str, handler: dict[str, object], home: str, matcher: object) -> Handler:
    timeout = handler.get("timeout")
    failure = handler.get("onFailure")
    return Handler(
        place,
        event,
        settings_merge.words_of(handler),
        home,
        float(timeout) if isinstance(timeout, (int, float)) else None,
        failure if isinstance(failure, str) else None,
        matcher if isinstance(matcher, str) else None,
    )


def registered(
    home: Home, event: str, project: str | None = None, environ: Mapping[str, str] | None = None
) -> Registered:
    """The command that Claude Code would run for `event` in `project` (default: the current folder).

    Raises UsageProblem for an event that is not registered, NotConfigured when no settings file in force has it.
    """
    spec = EVENTS.get(event)
    if spec is None or not spec.registered:
        raise UsageProblem(
            f"{event} is not an event that is registered" + (f": {spec.why}." if spec else "."),
            fix="`levaithan hooks list` shows those that are",
        )
    folder = os.path.realpath(project or ".")
    for place in places.places_of(folder, environ):
        for one in handlers(place):
            if one.event == event and one.home == home.root and one.words:
                env = environment(folder, environ)
                return Registered(one.words, env, folder, one.timeout_s or spec.timeout_s, place.path)
    raise NotConfigured(
        f"No settings in force in {folder} have the {event} hook of the home {home.root}.",
        fix=f"run `levaithan hooks install --project {folder}` (or --user)",
    )


def environment(project: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a hook that works on `project`."""
    env = os.environ if environ is None else environ
    kept = {key: value for key, value in env.items() if not key.startswith(FOREIGN_ENVIRONMENT)}
    return kept | {"CLAUDE_PROJECT_DIR": project}


def run(what: Registered, payload: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a registered command on `payload`, killed after its timeout as Claude Code does (then returncode is -9).

    Raises InstallError when it cannot be started.
    """
    try:
        return subprocess.run(
            what.argv,
            input=payload,
            env=what.env,
            cwd=what.cwd,
            capture_output=True,
            timeout=what.timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(what.argv, -9, late.stdout or b"", late.stderr or b"")
    except OSError as error:
        raise InstallError(
            path=what.path,
            reason=f"its command {what.argv[0]} cannot be started ({error.strerror})",
            fix="run ./setup.sh, then `levaithan hooks install` again",
        ) from None
