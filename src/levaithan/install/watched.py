"""What the metrics cannot know by themselves: whether our guards are in force where they were installed, where the
client keeps its transcripts, and what a monitor sees of the stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.hot.catalogue import GUARDS
from levaithan.install import hooks, listing, monitoring, places, switched_off
from levaithan.metrics.gauges import Outside

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.install.places import Place
    from levaithan.metrics.gauges import Guards

FRESH_S = 30.0


def outside(home: Home) -> Outside:
    """What rooms below are told of `home`."""
    return Outside(
        guards=lambda: guards(home), transcripts=places.config_folder() + "/projects", stores=lambda: stores(home)
    )


def stores(home: Home) -> dict[str, Any]:
    """What the home's monitor saw of the stores within FRESH_S; {} where none watches."""
    told = monitoring.read(home) or {}
    age, seen = monitoring.age_s(told), told.get("stores")
    fresh = age is not None and 0 <= age <= FRESH_S and monitoring.runs(told)
    return seen if fresh and isinstance(seen, dict) else {}


def guards(home: Home) -> Guards:
    """Place ("" = the user's settings, else the project's folder) -> guard events (expected, in force), of each place
    that hooks were installed in. Raises InstallError when the list of them cannot be read."""
    found: Guards = {}
    for place in listing.known_places(home):
        if listing.gone(place):
            continue
        one = (len(GUARDS), _in_force(home, place))
        key = place.project if place.scope != "user" else ""
        if key not in found or one[1] < found[key][1]:
            found[key] = one
    return found


def _in_force(home: Home, place: Place) -> int:
    """How many guard events call us in a place, in a file that the client takes, closed on failure."""
    if any(one.weight == "file" for one in listing.file_problems(place)):
        return 0
    if switched_off.by_settings(place.project or None):
        return 0
    mine = [one for one in hooks.handlers(place) if one.home == home.root]
    return len({one.event for one in mine if one.event in GUARDS and not listing.broken(one)})
