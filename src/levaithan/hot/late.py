"""A module of the hot path that is imported when one of its names is first asked for.

An `import` inside a function costs more than a microsecond each time it is met, long after the module was loaded: a
command meets a dozen of them. Standard library only; imports nothing of ours.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Late:
    """Stands for the module `levaithan.hot.<name>`. What was asked for once is kept: for functions and constants, not
    for what a module binds anew."""

    def __init__(self, name: str) -> None:
        self._module = "levaithan.hot." + name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # whoever looks at it, as inspect does, must not import it
        __import__(self._module)
        found = getattr(sys.modules[self._module], name)
        self.__dict__[name] = found
        return found
