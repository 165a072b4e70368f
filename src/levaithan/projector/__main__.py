"""`python -m levaithan.projector --home H`: the projector as a process of its own, told of news through its stdin."""

from __future__ import annotations

import argparse
import signal
import sys

from levaithan.config.settings import load
from levaithan.errors import LevaithanError
from levaithan.hot.paths import home_at
from levaithan.projector.process import Projector


def main(arguments: list[str] | None = None) -> int:
    """Run until stdin ends. Exit code: 0, or the error's own for settings that cannot be used."""
    parser = argparse.ArgumentParser(prog="levaithan.projector", description=__doc__)
    parser.add_argument("--home", required=True, help="the root folder of the home")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the service decides when to stop
    try:
        projector = Projector(home_at(chosen.home), load(chosen.home), sys.stdin.fileno())
    except LevaithanError as error:
        sys.stderr.write(f"{error}\n{error.fix}\n")
        return error.exit_code
    projector.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
