"""What follows from a budget's limit: nothing, a warning, a question, a refusal, a halt. Standard library only; loaded
where there is a limit.
"""

from __future__ import annotations

from levaithan.hot import budgets
from levaithan.hot.opinion import VERDICTS, Opinion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.hot.budgets import Limit
    from levaithan.hot.event import Event
    from levaithan.hot.spend import Spend
    from levaithan.hot.workflow import Context


def strongest(bounded: Sequence[tuple[Limit, str]], spend: Spend, event: Event, context: Context) -> Opinion | None:
    """The strongest of what follows from each (limit, bucket)."""
    every = [said(limit, bucket, spend, event, context) for limit, bucket in bounded]
    return max((one for one in every if one), key=lambda one: VERDICTS.index(one.verdict), default=None)


def said(limit: Limit, bucket: str, spend: Spend, event: Event, context: Context) -> Opinion | None:
    """What follows from one limit: the strongest of what its shares say."""
    spent, held = spend.spent(bucket), spend.reserved(bucket, context.now_us, budgets.holder_of(event))
    rule = f"budget.{limit.scope}"
    if limit.frozen:
        return _refused(limit, bucket, spend, event, context, "is frozen", "ask the user: `levaithan budget unfreeze`")
    shares = limit.shares
    instead = (
        f"finish with what you have and tell the user, who can raise it: `levaithan budget set --scope {limit.scope}`"
    )
    if shares["halt"] is not None and spent >= limit.nano * shares["halt"]:
        return Opinion("halt", _words(limit, spent, held, "is overspent", instead), rule)
    if shares["deny"] is not None and spent + held >= limit.nano * shares["deny"]:
        return _refused(limit, bucket, spend, event, context, "is used up", instead)
    if event.name == "PreToolUse" and shares["ask"] is not None and spent + held >= limit.nano * shares["ask"]:
        return Opinion("ask", _words(limit, spent, held, "is nearly used up", "go on only if the user agrees"), rule)
    late = shares["warn"] is not None and spent >= limit.nano * shares["warn"]
    if late and spend.tell_once(f"{event.session_id} {bucket} {limit.usd} warn", context.now_us):
        text = _words(limit, spent, held, "is nearly used up", "use what is left for what matters most")
        return Opinion("allow", text, rule, text)
    return None


def _refused(  # noqa: PLR0917 - what said() knows
    limit: Limit, bucket: str, spend: Spend, event: Event, context: Context, what: str, instead: str
) -> Opinion:
    """The refusal. An agent is called once more to say so to the user; one that then goes on with tools is ended, since
    each refusal costs another call."""
    spent, held = spend.spent(bucket), spend.reserved(bucket, context.now_us, budgets.holder_of(event))
    verdict = "deny"
    if event.name == "PreToolUse":
        agent, session = event.agent_id or "", event.session_id or ""
        key = f"{budgets.holder_of(event)} {bucket} {limit.usd} {what}"
        if spend.calls_since_refused(key, session, agent, context.now_us):
            verdict, what = "halt", f"{what}, as was said before"
    return Opinion(verdict, _words(limit, spent, held, what, instead), f"budget.{limit.scope}")


def _words(limit: Limit, spent: int, held: int, what: str, instead: str) -> str:
    under_way = f" and ${held / budgets.USD:.2f} under way" if held else ""
    whose = f" of {limit.target}" if limit.target else ""
    whose += " in this project" if limit.by_project else ""
    return (
        f"The {limit.scope} budget{whose} {what}: ${spent / budgets.USD:.2f} spent{under_way} of ${limit.usd:.2f} "
        f"[rule budget.{limit.scope}]. Instead: {instead}"
    )
