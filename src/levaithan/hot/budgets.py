"""Budgets: what may be spent by a session, an agent, a task, a project, in a day, a week, a month.

A call to a model is reserved for before the step that leads to it, and settled when a transcript says what it cost.
What is reserved counts as spent, so that sessions at once do not overspend a shared budget by more than one call each.
Limits are the charter's and those of `state/budgets.json` (`levaithan budget set`). At a share of a limit follows
a warning, a question, a refusal or a halt. Standard library only.
"""

from __future__ import annotations

import time

from levaithan.hot import charter
from levaithan.hot.opinion import Opinion
from levaithan.hot.state_file import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from levaithan.hot.event import Event
    from levaithan.hot.paths import Home
    from levaithan.hot.spend import Spend
    from levaithan.hot.workflow import Context

    Made = TypeVar("Made")

USD = 10**9
"""Nano-USD in a USD, as in prices.py, which most events need not load."""
SCOPES = ("session", "task", "agent", "project", "day", "week", "month")
SHARES = {"warn": 0.8, "ask": None, "deny": 1.0, "halt": None}
"""At which share of a limit what follows, where the limit does not say."""
PERIODS = ("day", "week", "month")
LASTS_US = 15 * 60 * 1_000_000
"""How long a reservation holds that nothing was heard of again."""
_SETTLED = frozenset(("Stop", "SubagentStop", "SessionEnd", "StopFailure"))


class Limit:
    """One budget. usd: how much; target: the one session, agent, task or project it is for, "" for each by itself;
    shares: at which share of it what follows; frozen: nothing more may be spent."""

    __slots__ = ("by_project", "frozen", "id", "nano", "scope", "shares", "source", "target", "usd")

    def __init__(self, values: dict[str, Any], source: str) -> None:
        self.scope: str = values["scope"]
        self.target: str = values.get("target") or ""
        self.usd = float(values["usd"])
        self.nano = round(self.usd * USD)
        self.shares = {name: values.get(name, share) for name, share in SHARES.items()}
        self.frozen = bool(values.get("frozen"))
        self.by_project = bool(values.get("by_project"))
        self.source = source
        self.id = f"{self.scope}:{self.target}" if self.target else self.scope

    def bucket(self, event: Event, task: str | None, periods: dict[str, str]) -> str | None:
        """The bucket of `event` that it bounds; None where it does not concern the event."""
        project = event.project or event.cwd
        if self.scope in PERIODS:
            if self.by_project or self.target:
                wanted = project if self.by_project else self.target
                return f"project:{wanted}|{periods[self.scope]}" if wanted == project else None
            return periods[self.scope]
        agents = (event.agent_id, event.text("agent_type"))
        mine = {
            "session": (event.session_id, (event.session_id,)),
            "project": (project, (project,)),
            "agent": (event.agent_id, agents),
            "task": (f"{event.session_id}/{task}" if task else None, (task, f"{event.session_id}/{task}")),
        }
        name, known_as = mine[self.scope]
        return f"{self.scope}:{name}" if name and (not self.target or self.target in known_as) else None


def limits(home: Home, project: str | None = None) -> list[Limit]:
    """The limits in force, those set at the terminal in the place of the charter's for the same scope and target.

    Raises OSError when those of the terminal cannot be read; the message says what to do.
    """
    file = state_file(home)
    own = file.look()
    if file.broken:
        raise OSError(_unreadable(file))
    return _limits(charter.load(home, project), own)


def _unreadable(file: StateFile) -> str:
    seen = f"The limits set at the terminal cannot be read ({file.path} is damaged), so nothing may be spent [rule "
    fix = "`levaithan doctor --fix`, which puts them aside, then `levaithan budget set` for each again"
    return f"{seen}budget.unreadable]. In a terminal: {fix}"


def _limits(laid_down: charter.Charter, terminal: dict[str, Any]) -> list[Limit]:
    if not laid_down.budgets["enabled"]:
        return []
    own = [Limit(values, "terminal") for values in terminal.get("limits", {}).values()]
    taken = {limit.id for limit in own}
    made = [Limit(one, "project" if one.get("by_project") else "charter") for one in laid_down.budgets["limit"]]
    return own + [limit for limit in made if limit.by_project or limit.id not in taken]


def state_file(home: Home) -> StateFile:
    """The limits set at the terminal: {"limits": {id: {scope, target, usd, warn, ask, deny, halt, frozen, by, at}}}."""
    return StateFile(home.state + "/budgets.json")


def reserve(event: Event, context: Context) -> Opinion | None:
    """What the budgets say to one more call of the event's session, which is reserved for when it may be.

    Raises sqlite3.Error and OSError when what was spent cannot be known: the gate denies then.
    """
    in_force = _in_force(event, context)
    if context.memory["budgets"].broken and not event.canary and charter.of(event, context).budgets["enabled"]:
        return Opinion("deny", _unreadable(context.memory["budgets"]), "budget.unreadable")
    if not in_force or not event.session_id:
        return None
    if context.shared is not None:
        from levaithan.hot import shared_budgets

        in_force = shared_budgets.ask(event, context, in_force)
    if event.name == "PreToolUse":
        _await_transcript(event, context, in_force)
    said = _kept(context, lambda spend: _reserve(event, context, spend, in_force))
    if said is not None and said.verdict in ("deny", "halt"):
        _tell(event, context)
    return said


def _await_transcript(event: Event, context: Context, in_force: list[Limit]) -> None:
    """Near a limit, what the session has spent is known only when the client has written its last call down."""
    flushes = context.memory.get("flushes")
    if _kept(context, lambda spend: _near(event, context, spend, in_force)):
        if flushes is None:
            from levaithan.hot.flush import Flushes

            flushes = context.memory["flushes"] = Flushes()
        flushes.wait(event)
    elif flushes is not None:
        flushes.far(event)


def _reserve(event: Event, context: Context, spend: Spend, in_force: list[Limit]) -> Opinion | None:
    session, holder = event.session_id or "", holder_of(event)
    settle(event, spend)
    task = spend.task(session)
    if event.tool_name in ("TaskUpdate", "TaskCreate"):
        _follow_task(event, spend, context.now_us)
    periods = periods_at(context.now_us)
    bounded = [(limit, bucket) for limit in in_force if (bucket := limit.bucket(event, task, periods))]
    strongest = None
    if bounded:
        from levaithan.hot import budget_verdict

        strongest = budget_verdict.strongest(bounded, spend, event, context)
    if strongest is None or strongest.verdict in ("allow", "ask"):
        nano, buckets = estimate(event, spend, context), [bucket for _, bucket in bounded]
        spend.reserve(holder, buckets, nano, context.now_us + LASTS_US)
        if event.name == "UserPromptSubmit":
            spend.under_way(holder)
    return strongest


def _near(event: Event, context: Context, spend: Spend, in_force: list[Limit]) -> bool:
    """Whether a call or two like the dearest so far would bring a limit to where something follows."""
    settle(event, spend)
    session, periods = event.session_id or "", periods_at(context.now_us)
    more = 2 * max(spend.dearest_call(session), estimate(event, spend, context))
    for limit in in_force:
        bucket = limit.bucket(event, spend.task(session), periods)
        shares = [share for name, share in limit.shares.items() if share is not None and name != "warn"]
        if bucket and shares:
            used = spend.spent(bucket) + spend.reserved(bucket, context.now_us)
            if limit.nano * min(shares) - more <= used:
                return True
    return False


def give_back(event: Event, context: Context) -> None:
    """Undo: the step that would have led to a call does not happen."""
    if "spend" in context.memory:
        _kept(context, lambda spend: spend.release(holder_of(event)))
        _tell(event, context)


def watch(event: Event, context: Context) -> None:
    """Settle when a turn ends, whether or not there is a limit: one that is set later must know of it."""
    if not event.session_id or event.canary:
        return
    if event.name in _SETTLED:
        reserved = bool(_in_force(event, context))
        _kept(context, lambda spend: _end(event, spend, context.now_us, reserved=reserved))
        _tell(event, context)
    elif _in_force(event, context):
        _kept(context, lambda spend: spend.under_way(holder_of(event)))


def _end(event: Event, spend: Spend, now_us: int, *, reserved: bool) -> None:
    settle(event, spend)
    if event.name == "SessionEnd":
        spend.release(f"{event.session_id}/")
        spend.sweep(now_us)
    elif reserved:
        spend.release(holder_of(event))


def _tell(event: Event, context: Context) -> None:
    """Nothing is reserved with the other machines any more."""
    if context.shared is not None:
        from levaithan.hot import shared_budgets

        shared_budgets.release(event, context)


def _kept(context: Context, work: Callable[[Spend], Made]) -> Made:
    """What `work` makes of the sums, as one step."""
    spend = opened(context)
    return spend.one_step(lambda: work(spend))


def opened(context: Context) -> Spend:
    """The sums of the home, opened once a process."""
    found: Spend | None = context.memory.get("spend")
    if found is None:
        from levaithan.hot.spend import Spend

        found = context.memory["spend"] = Spend(context.home, context.loads)
    return found


def _in_force(event: Event, context: Context) -> list[Limit]:
    """The limits, made again when the charter or the terminal's file changed."""
    file = context.memory.get("budgets")
    if file is None:
        file = context.memory["budgets"] = state_file(context.home)
    laid_down, own = charter.of(event, context), file.look()
    known = context.memory.get("limits")
    if known is None or known[0] is not laid_down or known[1] is not own:
        known = context.memory["limits"] = (laid_down, own, _limits(laid_down, own))
    found: list[Limit] = known[2]
    return found


def settle(event: Event, spend: Spend) -> None:
    session, transcript = event.session_id or "", event.text("transcript_path")
    if not transcript or "\x00" in transcript:
        return
    for agent in spend.settle(session, transcript, event.project or event.cwd):
        spend.release(f"{session}/{agent}" if agent else f"{session}/main")


def _follow_task(event: Event, spend: Spend, now_us: int) -> None:
    """The task that the session says it works on from now: what is spent until it is done counts for that."""
    given, session = event.tool_input, event.session_id or ""
    named, status = given.get("taskId"), given.get("status")
    if not isinstance(named, str) or len(named) > 200:
        return
    if status == "in_progress":
        spend.set_task(session, named, now_us)
    elif status in ("completed", "deleted", "pending") and spend.task(session) == named:
        spend.set_task(session, None, now_us)


def holder_of(event: Event) -> str:
    return f"{event.session_id}/{event.agent_id or 'main'}"


def estimate(event: Event, spend: Spend, context: Context) -> int:
    """What the next call is taken to cost: like those of this agent so far, or as the charter says."""
    known = spend.usual_cost(event.session_id or "", event.agent_id or "")
    default: float = charter.of(event, context).budgets["reserve_usd"]
    return known or round(default * USD)


def periods_at(now_us: int) -> dict[str, str]:
    from levaithan.hot.spend import periods_of

    return periods_of(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_us // 1_000_000)))
