"""Says when a tool's output held a secret: the record has it without, but the model and its transcript have it."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/output_watch.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot.redact import suspicious

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def watch(event: Event, context: Context) -> Opinion | None:
    """A word to the model about the secrets in what a tool gave back; None where there is none."""
    if not suspicious(event.raw):
        return None
    from levaithan.hot import charter, secret_deeds
    from levaithan.hot.contract import Opinion

    payload = event.payload
    kinds = secret_deeds.in_output([payload.get("tool_response"), payload.get("error")])
    if not kinds or charter.of(event, context).secrets.get("output") == "off":
        return None
    held = " and ".join(secret_deeds.named(kind) for kind in kinds[:5])
    text = (
        f"The output of {event.tool_name or 'this tool'} held {held} [rule secrets.in-output]. Do not repeat it, "
        "write it down or use it; tell the user where it stands, so that it can be changed."
    )
    return Opinion("allow", text, "secrets.in-output", text)


hook = watch  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "observers")
