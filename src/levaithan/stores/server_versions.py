"""Whether a server is too old, by the version that it tells. Standard library only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levaithan.stores.roles import Health

FIX = "update the server: docs/how-to/stores.md says which versions are known to work"


def look(told: Health, version: str, oldest: tuple[int, ...]) -> None:
    """Note in `told` (whose `server` names the program) that `version` is older than `oldest`. One that is not told, or
    does not begin with numbers, is not judged."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    if numbers and tuple(int(one) for one in numbers[0].split(".")[: len(oldest)]) < oldest:
        told.problems.append(f"{told.server} is older than {'.'.join(map(str, oldest))}")
        told.fix = FIX
