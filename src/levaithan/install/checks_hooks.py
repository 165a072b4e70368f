"""Checks of what Claude Code calls: the settings files, the guards in each place, the client's age, the canary, the
proof of the fail direction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from levaithan.install import canary, hooks, listing, plugin, prove, real_client
from levaithan.install.finding import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
    from levaithan.install.finding import Asked
    from levaithan.install.places import Place


def settings(asked: Asked) -> Iterator[Result]:
    wrong = [row for row in listing.validate(asked.home, asked.project) if row["line"] or "is set" in row["problem"]]
    for row in wrong:
        where = f"{row['path']}:{row['line']}" if row["line"] else row["path"]
        yield Result(
            "settings files", row["status"], f"{where}: {row['problem']}", row["remedy"], data={"path": row["path"]}
        )
    if not wrong:
        yield Result("settings files", "ok", "Claude Code takes every one that is in force")


def guards(asked: Asked) -> Iterator[Result]:
    known = listing.known_places(asked.home)
    if not known:
        yield Result("hooks", "warn", "installed nowhere", "levaithan hooks install --project DIR (or --user)")
    for place in known:
        row = listing.place_row(asked.home, place)
        told = {"path": row["path"], "events": row["events"], "missing": row["missing"]}
        if row["status"] == "ok":
            yield Result("hooks", "ok", f"{row['where']}: {row['events']} events, guards fail closed", data=told)
        else:
            mend = None
            if listing.gone(place) or row["remedy"].startswith(listing.INSTALL):
                mend = partial(_forget if listing.gone(place) else _again, asked.home, place)
            yield Result("hooks", row["status"], f"{row['where']}: {row['problem']}", row["remedy"], mend, told)


def _again(home: Home, place: Place) -> str:
    return f"{place.path}: {hooks.install(home, place)[0].what}"


def _forget(home: Home, place: Place) -> str:
    hooks.uninstall(home, place)
    return f"{place.project}: forgotten"


def others(asked: Asked) -> Iterator[Result]:
    found = [row for row in listing.rows(asked.home, asked.project) if row["home"] != asked.home.root]
    places = {place.path: listing.option(place) for place in listing.in_force(asked.home, asked.project)}
    for path, home in sorted({(row["path"], row["home"]) for row in found}):
        words = f"{path} has hooks of another LevAIthan too ({home or 'its own home'}): events are recorded in both"
        away = f"levaithan --home {home or 'DIR'} hooks uninstall {places.get(path, '--project DIR')}"
        yield Result("other installations", "warn", words, f"{away}, if it is not wanted")
    if not found:
        yield Result("other installations", "ok", "none in the settings that are in force")


def doubled(asked: Asked) -> Iterator[Result]:
    active = plugin.active(asked.project)
    if active and listing.known_places(asked.home):
        words = f"the plugin is active as well ({', '.join(active)}): every event is handled twice"
        yield Result(
            "plugin", "warn", words, "disable the plugin (`/plugin` in Claude Code), or run levaithan uninstall"
        )
    else:
        yield Result("plugin", "ok", f"active: {', '.join(active)}" if active else "not active beside the settings")


def client_version(_asked: Asked) -> Iterator[Result]:
    client = real_client.find()
    if client is None:
        words = "no `claude` was found in PATH: its version is unknown"
        yield Result("claude code", "warn", words, "install Claude Code, or name it in LEVAITHAN_CLAUDE")
    elif not client.blocks:
        oldest = ".".join(map(str, real_client.OLDEST_THAT_BLOCKS))
        words = (
            f"Claude Code {client.shown} is older than {oldest} and ignores onFailure: when a guard is killed, "
            "overruns or is missing, it lets the tool run. A guard that answers is obeyed by it, too"
        )
        yield Result(
            "claude code", "fail", words, f"update Claude Code to {oldest} or later", data={"path": client.path}
        )
    else:
        yield Result("claude code", "ok", f"{client.shown} honours onFailure", data={"path": client.path})


def canaries(asked: Asked) -> Iterator[Result]:
    rows = canary.run(asked.home)
    for row in rows:
        asks = "a call that must be denied" if row["probe"] == "deny" else "a call that must pass"
        how = row["problem"] or f"{asks}: {row['verdict']} in {row['ms']} ms"
        yield Result("canary", row["status"], f"{row['place']}: {how}", row["remedy"], data={"path": row["path"]})
    if not rows:
        yield Result("canary", "ok", "nothing is registered, so there is nothing to test")


def fail_direction(asked: Asked) -> Iterator[Result]:
    if not asked.prove:
        return
    proofs = [*prove.ours(asked.home), *prove.theirs(asked.home, real_client.find())]
    for one in proofs:
        told = {"part": one.part, "case": one.case}
        yield Result("fail direction", one.status, f"{one.part}, {one.case}: {one.message}", one.remedy, data=told)


CHECKS = {
    "settings files": settings,
    "hooks": guards,
    "other installations": others,
    "plugin": doubled,
    "claude code": client_version,
    "canary": canaries,
    "fail direction": fail_direction,
}
