"""`python -m levaithan.monitor --home H`: the monitor as a process of its own; the end of its stdin is its end."""

from __future__ import annotations

import argparse
import signal
import sys

from levaithan.config.settings import load
from levaithan.errors import LevaithanError
from levaithan.hot.paths import home_at


def main(arguments: list[str] | None = None) -> int:
    """Run until stdin ends. Exit code: 0, or the error's own, for settings or alert rules that cannot be used."""
    parser = argparse.ArgumentParser(prog="levaithan.monitor", description=__doc__)
    parser.add_argument("--home", required=True, help="the root folder of the home")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the service decides when to stop
    from levaithan.monitor.process import Monitor  # noqa: PLC0415 - loads the rooms below it, after the arguments

    try:
        monitor = Monitor(home_at(chosen.home), load(chosen.home), sys.stdin.fileno())
    except LevaithanError as error:
        sys.stderr.write(f"{error}\n{error.fix}\n")
        return error.exit_code
    monitor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
