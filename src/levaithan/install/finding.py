"""What a check is asked and what it answers: data, so that surfaces print it and programs read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from levaithan.hot.paths import Home

STATUSES = ("ok", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Result:
    """One finding. id: of the check, the same in every version; status: ok, warn or fail; remedy: what to do next;
    fix: does it and says what it did (None: a person must); data: for programs."""

    id: str
    status: str
    message: str
    remedy: str = ""
    fix: Callable[[], str] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_row(self) -> dict[str, Any]:
        """The result as surfaces print it."""
        row = {"check": self.id, "status": self.status, "message": self.message, "remedy": self.remedy}
        return row | {"fixable": self.fix is not None, **self.data}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the checks are about. project: the folder whose settings count, None = only the user's and known ones;
    prove: also break things in scratch folders and look what happens (seconds)."""

    home: Home
    project: str | None = None
    prove: bool = True
