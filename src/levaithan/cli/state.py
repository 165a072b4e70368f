"""What the root of the command line learnt, for the command that runs: one process runs one command.

Imports the standard library and `hot` only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levaithan.config.settings import Settings
    from levaithan.hot.paths import Home


class State:
    """The global options. `home()` and `settings()` are found when first asked for."""

    __slots__ = ("_home", "as_json", "home_argument")

    def __init__(self) -> None:
        self.home_argument: str | None = None
        self.as_json = False

    def home(self) -> Home:
        """The home in force; it need not exist."""
        from levaithan.hot import paths

        return paths.find_home(self.home_argument, os.environ)

    def settings(self) -> Settings:
        """All settings of the home, checked. Loads pydantic: reads use config.lean instead."""
        from levaithan.config import settings

        return settings.load(self.home_argument)


STATE = State()
