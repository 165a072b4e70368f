"""`python -m levaithan.projector --home H`: the projector as a process of its own, told of news through its stdin.

With `--harmless SEGMENT` it delivers the dead letters of that and older segments, made harmless, and ends.
"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING

from levaithan.config.settings import load
from levaithan.errors import LevaithanError
from levaithan.hot.paths import home_at
from levaithan.projector.loop import usable
from levaithan.projector.process import Projector
from levaithan.projector.replay import replay

if TYPE_CHECKING:
    from levaithan.config.settings import Settings
    from levaithan.hot.paths import Home


def main(arguments: list[str] | None = None) -> int:
    """Run until stdin ends. Exit code: 0, or the error's own: settings that cannot be read, a store that is down
    where its dead letters are wanted."""
    parser = argparse.ArgumentParser(prog="levaithan.projector", description=__doc__)
    parser.add_argument("--home", required=True, help="the root folder of the home")
    parser.add_argument("--harmless", metavar="SEGMENT", help="deliver the dead letters up to it, made harmless")
    parser.add_argument("--part", type=int, default=0, help="the number of a further process; needs --stores")
    parser.add_argument("--stores", default="", help="what that process projects into, with commas between")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the service decides when to stop
    home = home_at(chosen.home)
    try:
        if chosen.harmless:
            return _harmless(home, load(chosen.home), chosen.harmless)
        stores = [name for name in chosen.stores.split(",") if name]
        projector = Projector(home, load(chosen.home), sys.stdin.fileno(), chosen.part, stores)
    except LevaithanError as error:
        sys.stderr.write(f"{error}\n{error.fix}\n")
        return error.exit_code
    projector.run()
    return 0


def _harmless(home: Home, settings: Settings, last: str) -> int:
    for store in usable(home, settings)[0]:
        done = replay(home, settings, store, sanitize=True, last=last)
        for name, why in done.waiting:
            sys.stderr.write(f"{name}: {why}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
