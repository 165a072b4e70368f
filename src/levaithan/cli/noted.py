"""What people and the monitor did, as commands read it: out of the ledger as far as that is, and on from there out of
the journal itself. An incident must be seen while the stores are behind, or are what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.cli import output, reading
from levaithan.cli.state import STATE
from levaithan.errors import NotConfigured, StoreError

if TYPE_CHECKING:
    from levaithan.hot.paths import Home


def records(*kinds: str) -> list[dict[str, Any]]:
    """The journal's records of some kinds that are no events; those of other machines as far as the ledger has them."""
    from levaithan.journal.notes import notes

    home = STATE.home()
    known, after = _of_ledger(home, kinds)
    return [*known, *notes(home.journal, kinds, after)]


def _of_ledger(home: Home, kinds: tuple[str, ...]) -> tuple[list[dict[str, Any]], tuple[str, int]]:
    """(what the ledger has, the place in this home's journal up to which that is)."""
    from levaithan.journal.identity import journal_id
    from levaithan.queries.notes import of_kinds

    try:
        with reading.ledger(fresh=False) as ledger:
            ledger.check_version()
            if not ledger.current():
                return [], ("", 0)
            if ledger.shared:
                ledger.journal = journal_id(home.journal)
            cursor = ledger.cursor()
            known = of_kinds(ledger, *kinds)
    except NotConfigured:
        raise
    except StoreError as problem:
        output.say(f"note: the ledger cannot be asked ({problem.message}); what other machines recorded is not here")
        return [], ("", 0)
    return known, (cursor.segment, cursor.offset) if cursor else ("", 0)
