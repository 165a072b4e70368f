"""Keeps one server for one test run: `python -m tests.servers.keeper STORE FOLDER PID NAME`.

It starts the server, writes into FOLDER how to reach it (NAME.json), or why it is not there (NAME.missing) or did not
start (NAME.failed), and ends it on SIGTERM or when process PID, which runs the tests, is gone. A keeper that is killed
takes its server along (see process.py).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from tests.servers import containers
from tests.servers.catalogue import LOCAL, Startable, local
from tests.servers.endpoint import ServerMissingError

_LOOK_S = 0.25


def main(store: str, folder: Path, controller: int, name: str) -> int:
    """Exit code 0 once the server is gone, or was never there."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person's Ctrl-C is pytest's to handle
    try:
        server, endpoint = _started(store)
    except ServerMissingError as error:
        _say(folder / f"{name}.missing", str(error))
        return 0
    except Exception:
        _say(folder / f"{name}.failed", traceback.format_exc())
        return 0
    try:
        endpoint.save(folder / f"{name}.json")
        while not ended.wait(_LOOK_S) and _runs(controller) and folder.exists():
            pass
    finally:
        server.stop()
    return 0


def _started(store: str) -> tuple[Startable, object]:
    """In a container where a Docker engine answers, else as a process of this machine."""
    why = containers.unavailable()
    if not why and store in containers.MADE:
        try:
            contained = containers.MADE[store]()
            return contained, contained.start()
        except containers.NotPulledError as error:
            why = str(error)
            if store not in LOCAL:
                raise ServerMissingError(f"{store}: {why}") from error
    try:
        server = local(store)
    except ServerMissingError as error:
        raise ServerMissingError(f"{error} (no container: {why or 'none is described'})") from error
    return server, server.start()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _say(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
