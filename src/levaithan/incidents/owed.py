"""What an incident leaves to be done: whether a postmortem is owed and why, and which action items are still open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.incidents import fields
from levaithan.incidents.incident import MONITOR

if TYPE_CHECKING:
    from levaithan.incidents.incident import Incident

KINDS = ("prevent", "detect", "mitigate", "process")
"""What an action item is for."""
MOST_ITEMS = 50
EMERGENCY_STOPS = ("halt", "emergency_stop")


def reasons(incident: Incident) -> list[str]:
    """Why a postmortem is owed; [] where none is. A false alarm and a duplicate owe none."""
    found = []
    if incident.severity in ("P0", "P1"):
        found.append(incident.severity)
    if incident.data_loss:
        found.append("data loss")
    if incident.opened_by != MONITOR:
        found.append("found by a person")
    if incident.ack_missed:
        found.append("acknowledgement timer missed")
    runs = incident.actions.values()
    if any(one.get("name") in EMERGENCY_STOPS and one.get("phase") in ("done", "verified") for one in runs):
        found.append("emergency stop")
    if any(one.get("phase") in ("failed", "undone") for one in runs):
        found.append("an action failed or was undone")
    return found


def read_items(value: Any) -> list[dict[str, Any]]:
    """Action items of a record, each with kind, what, owner, due, link, test and status; bounded."""
    if type(value) is not list:
        return []
    found = []
    for one in value[:MOST_ITEMS]:
        if type(one) is not dict:
            continue
        item: dict[str, Any] = {
            name: fields.text(one.get(name), 500) for name in ("kind", "what", "owner", "due", "link", "test")
        }
        if item["what"]:
            found.append({**item, "status": "open", "until": ""})
    return found


def items_after(items: list[dict[str, Any]], record: dict[str, Any]) -> list[dict[str, Any]]:
    """The items (numbered from 1) after what `record` says of them: `done` [numbers], `accepted` {number: date}."""
    moved = [dict(one) for one in items]
    done = record.get("done")
    for number in done if type(done) is list else ():
        if type(number) is int and 0 < number <= len(moved):
            moved[number - 1] |= {"status": "done", "until": ""}
    accepted = record.get("accepted")
    for name, until in accepted.items() if type(accepted) is dict else ():
        number = int(name) if type(name) is str and name.isascii() and name.isdigit() and len(name) < 4 else 0
        if 0 < number <= len(moved) and fields.moment(until) is not None:
            moved[number - 1] |= {"status": "accepted", "until": fields.text(until)}
    return moved


def items_left(items: list[dict[str, Any]], at_s: float) -> list[int]:
    """The numbers of the items that are neither done nor accepted, as of `at_s`: what was accepted until a day that
    has passed is open again."""
    return [number for number, one in enumerate(items, 1) if not _settled(one, at_s)]


def _settled(item: dict[str, Any], at_s: float) -> bool:
    if item.get("status") == "done":
        return True
    until = fields.moment(item.get("until"))
    return item.get("status") == "accepted" and until is not None and until > at_s
