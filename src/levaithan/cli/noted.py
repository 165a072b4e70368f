"""What people and the monitor did, as commands read it: what the ledger has, and the rest out of the journal itself."""

from __future__ import annotations

from typing import Any

from levaithan.cli import output, reading
from levaithan.cli.state import STATE
from levaithan.config import lean


def records(*kinds: str) -> list[dict[str, Any]]:
    """The journal's records of some kinds that are no events; those of other machines as far as the ledger has them."""
    from levaithan.queries.notes import up_to_now

    found, why = up_to_now(reading.home(), lean.load(STATE.home_argument), *kinds)
    if why:
        output.say(f"note: the ledger cannot be asked ({why}); what other machines recorded is not here")
    return found
