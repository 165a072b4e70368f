"""Tickets: an "ask" that nobody can answer now is denied with an id, and passes once when a person has approved it.

Nothing waits inside a hook. A ticket is for one action: the same tool with the same input, in the same folder, asked
about for the same reason. The tickets are in `state/approvals.json`; what people decide is in the journal too. Standard
library only, and lean: nothing of this is loaded before something is asked.
"""

from __future__ import annotations

import os
import time

from levaithan.hot import charter
from levaithan.hot.bounded import head, sha256_hex
from levaithan.hot.opinion import Opinion
from levaithan.hot.policy_charter import names
from levaithan.hot.state_file import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.opinion import Decision
    from levaithan.hot.paths import Home
    from levaithan.hot.workflow import Context

    Ticket = dict[str, Any]

STATUSES = ("waiting", "approved", "denied", "used", "expired")
_COSMETIC = ("description",)
"""Words of the model about a call: they do not change what it does."""
_SHOWN = 600
_KEPT_US = 7 * 86_400_000_000
_MOST = 2000
_SECOND = 1_000_000


class ApprovalError(Exception):
    """A ticket cannot be decided; the message says why and what to do."""


def state_file(home: Home) -> StateFile:
    """The tickets of `home`: {"tickets": {id: ticket}}, times in microseconds."""
    return StateFile(home.state + "/approvals.json")


def answer(event: Event, context: Context) -> Opinion | None:
    """What takes the place of the "ask" that stands; None when the person at the client is to be asked.

    Raises OSError when the tickets cannot be written: the gate denies then.
    """
    asked = context.decision
    if asked.verdict != "ask" or event.name != "PreToolUse":
        return None
    laid_down = charter.of(event, context)
    by, required = _approvers(laid_down, asked)
    if not required and not _headless(event):
        return None
    if laid_down.approvals["headless"] == "deny" and not required:
        why = "nobody is there to answer, and the charter grants no tickets: do something else, or tell the user"
        return Opinion("deny", f"{asked.reason} ({why})", asked.rule, answers=True)
    fresh = _ticket(event, context, laid_down, by)
    file = context.memory.setdefault("approvals", state_file(context.home))
    made: Opinion = file.change(lambda value: _settle(value, event, context, fresh))
    return made


def give_back(event: Event, context: Context) -> None:
    """Undo: the event was refused after all, so what it used up may be used again."""
    file = context.memory.get("approvals")
    if file is None:
        return

    def again(value: dict[str, Any]) -> bool:
        for ticket in value.get("tickets", {}).values():
            if ticket["status"] == "used" and ticket.get("used_by") == event.id:
                ticket["status"] = "approved"
                return True
        return False

    file.change(again)


def action_hash(event: Event, context: Context) -> str:
    """What makes two calls the same action, as hex of SHA-256.

    What it would run counts too, and not only the one thing that a rule named: a script that does more by now is
    another action.
    """
    import json

    given, asked = event.tool_input, context.decision
    given = {key: value for key, value in given.items() if key not in _COSMETIC}
    seen = [asked.reason, *_would_do(event, context)] if asked.hook == "policy_check" else []
    parts = [event.tool_name, given, event.cwd, event.project, asked.rule, seen]
    return sha256_hex(json.dumps(parts, sort_keys=True).encode())


def _would_do(event: Event, context: Context) -> list[Any]:
    """The commands that the call would run, those of scripts too, and its deeds, as the rules read them."""
    from levaithan.hot.scene import Scene

    known: Any = context.memory.get("policy", {}).get(event.project or event.cwd or "")
    if known is None:
        return []
    rules = known[1]
    scene = Scene(rules.protected, rules.user_home, event)
    deeds = [[deed.kind, deed.target, deed.cwd, deed.recursive] for deed in scene.deeds()]
    return [*([made.origin, made.cwd, made.words] for made in scene.commands), *deeds]


def _headless(event: Event) -> bool:
    return event.env.get("attended") == "0" or event.text("permission_mode") == "dontAsk"


def _approvers(laid_down: charter.Charter, asked: Decision) -> tuple[list[str], bool]:
    """(users who may approve, [] for any; whether the charter wants an approval even where the user could be asked)."""
    for required in laid_down.required:
        if any(names(pattern, asked.rule) for pattern in required["rules"]):
            return list(required.get("by", ())), True
    return [], False


def _settle(value: dict[str, Any], event: Event, context: Context, fresh: Ticket) -> Opinion:
    tickets: dict[str, Ticket] = value.setdefault("tickets", {})
    now, asked = context.now_us, context.decision
    expire(tickets, now)
    for ticket in tickets.values():
        if ticket["hash"] != fresh["hash"]:
            continue
        if ticket["status"] == "approved":
            ticket |= {"status": "used", "used_us": now, "used_by": event.id}
            return Opinion("allow", f"approved by {ticket['by']} ({ticket['id']})", "approval.granted", answers=True)
        if ticket["status"] == "denied":
            why = f": {ticket['comment']}" if ticket.get("comment") else ""
            said = f"{ticket['by']} has denied this ({ticket['id']}){why} [rule approval.denied]. Instead: do not try "
            return Opinion("deny", said + "it again, do something else", "approval.denied", answers=True)
        if ticket["status"] == "waiting":
            ticket["times"] += 1
            return _held(ticket, asked)
    tickets[fresh["id"]] = fresh
    return _held(fresh, asked)


def _held(ticket: Ticket, asked: Decision) -> Opinion:
    who = " or ".join(ticket["approvers"]) or "a person"
    said = (
        f"{(asked.reason or '').rstrip(' .')}. It waits for {who} as ticket {ticket['id']}: tell the user to run "
        f"`levaithan approval approve {ticket['id']}` in a terminal; after that the very same call passes once"
    )
    return Opinion("deny", said, asked.rule, answers=True)


def _ticket(event: Event, context: Context, laid_down: charter.Charter, by: list[str]) -> Ticket:
    from levaithan.hot.redact import redact_text

    given, asked, now = event.tool_input, context.decision, context.now_us
    what = given.get("command") or given.get("file_path") or given.get("url") or given
    return {
        "id": "ap-" + os.urandom(4).hex(),
        "status": "waiting",
        "hash": action_hash(event, context),
        "tool": event.tool_name,
        "what": redact_text(head(str(what), _SHOWN))[0],
        "rule": asked.rule,
        "reason": redact_text(head(asked.reason or "", _SHOWN))[0],
        "session": event.session_id,
        "project": event.project,
        "cwd": event.cwd,
        "approvers": by,
        "times": 1,
        "asked_us": now,
        "expires_us": now + laid_down.approvals["waits"] * _SECOND,
        "passes_s": laid_down.approvals["passes"],
        "by": None,
        "comment": None,
    }


def expire(tickets: dict[str, Ticket], now: int) -> None:
    """Marks what is over at `now`, and drops what has been over for a week (or is more than there is room for)."""
    for ticket in tickets.values():
        if ticket["status"] in ("waiting", "approved", "denied") and ticket["expires_us"] <= now:
            ticket["status"] = "expired"
    over = [ticket for ticket in tickets.values() if ticket["status"] in ("used", "expired")]
    for ticket in over:
        if ticket["expires_us"] + _KEPT_US <= now:
            del tickets[ticket["id"]]
    excess = len(tickets) - _MOST
    for ticket in sorted(tickets.values(), key=lambda one: one["asked_us"])[: max(excess, 0)]:
        del tickets[ticket["id"]]


def every(home: Home, now_us: int | None = None) -> list[Ticket]:
    """All tickets, the newest first, as they are at `now_us`."""
    found = {name: dict(ticket) for name, ticket in state_file(home).look().get("tickets", {}).items()}
    expire(found, _now() if now_us is None else now_us)
    return sorted(found.values(), key=lambda ticket: -ticket["asked_us"])


def decide(home: Home, ticket_id: str, *, approve: bool, by: str, comment: str | None = None) -> Ticket:
    """Approves or denies a ticket in the name of the person `by`; gives the ticket as it is then.

    Raises KeyError when there is none, ApprovalError when it is over or `by` may not, OSError when it cannot be kept.
    """
    now = _now()

    def set_status(value: dict[str, Any]) -> Ticket:
        tickets: dict[str, Ticket] = value.get("tickets", {})
        expire(tickets, now)
        ticket = tickets[ticket_id]
        if ticket["status"] not in ("waiting", "approved", "denied"):
            raise ApprovalError(f"{ticket_id} is {ticket['status']} already; the agent must ask anew")
        if approve and ticket["approvers"] and by not in ticket["approvers"]:
            raise ApprovalError(f"{ticket_id} is for {' or '.join(ticket['approvers'])} to approve, not for {by}")
        ticket |= {"status": "approved" if approve else "denied", "by": by, "comment": comment, "decided_us": now}
        if approve:
            ticket["expires_us"] = now + ticket["passes_s"] * _SECOND
        return dict(ticket)

    return state_file(home).change(set_status)


def _now() -> int:
    return time.time_ns() // 1000
