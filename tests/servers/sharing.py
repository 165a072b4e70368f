"""One server of a store for a whole test run, whatever the number of its workers, started when the first test asks.

`shared(store)` is all that tests need: a URL of the environment, else a container, else a process of this machine. The
last two belong to a keeper (`keeper.py`), which ends them when the run has ended, in whatever way.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.catalogue import STORES
from tests.servers.endpoint import Endpoint, ServerFailedError, ServerMissingError
from tests.servers.process import SCRATCH, alive, sweep

ROOT = Path(__file__).resolve().parents[2]
_LIMIT_S = 240.0
_BY_KEY = ("helix", "weaviate")
_GRAPHS = 5
"""How many graphs a process of tests makes on one HelixDB: each makes 29 indexes, and each index there is makes the
next one slower to make, by 30 ms a graph. A server starts in 0.4 s."""
_graphs = itertools.count()


def for_a_graph() -> Endpoint:
    """As shared("helix"), on a server that has few graphs yet."""
    return shared("helix", next(_graphs) // _GRAPHS)


@cache
def shared(store: str, number: int = 0) -> Endpoint:
    """Where this run's server of `store` answers (its `number`th, where there are several). It is everybody's: put what
    you write under a name of your own.

    Raises ServerMissingError (not to be had here; says what to do) or ServerFailedError (here, and does not work).
    """
    assert store in STORES, store
    given = from_environment(store)
    if given:
        return given
    folder = run_folder()
    name = f"{store}-{number}" if number else store
    with (folder / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _kept(store, folder, name)
    missing, failed = folder / f"{name}.missing", folder / f"{name}.failed"
    if missing.exists():
        raise ServerMissingError(missing.read_text())
    if failed.exists():
        raise ServerFailedError(failed.read_text())
    return Endpoint.load(folder / f"{name}.json")


def from_environment(store: str) -> Endpoint | None:
    """What LEVAITHAN_TEST_<STORE>_URL names, with LEVAITHAN_TEST_<STORE>_CA for a certificate authority of its own.

    HelixDB and Weaviate take an API key, not a user: it is the password of that URL, and not in the endpoint's `url`.
    """
    name = f"LEVAITHAN_TEST_{store.upper()}"
    url = os.environ.get(f"{name}_URL")
    if not url:
        return None
    told, authority = urlsplit(url), os.environ.get(f"{name}_CA", "")
    secure = told.scheme in ("https", "rediss") or "sslmode=" in told.query
    if store in _BY_KEY:
        url = told._replace(netloc=told.netloc.rpartition("@")[2]).geturl()
    more = {"grpc": os.environ[f"{name}_GRPC"]} if f"{name}_GRPC" in os.environ else {}
    return Endpoint(
        store=store,
        url=url,
        source="environment",
        user=told.username or "",
        password=told.password or "",
        tls_url=url if secure else "",
        ca=authority,
        more=more,
    )


def run_folder() -> Path:
    """What the workers of one run share, and nobody else. Made when the first server is asked for."""
    path = _run_path()
    if not path.exists():
        sweep()
        path.mkdir(mode=0o700, exist_ok=True)
    assert path.stat().st_uid == os.geteuid(), path
    return path


def forget_the_past() -> None:
    """Remove what a killed run of the same process id left. The controller calls it before its workers start."""
    shutil.rmtree(_run_path(), ignore_errors=True)


def end_all() -> None:
    """End every keeper of this run, and with it its server; wait until they are gone."""
    path = _run_path()
    if not path.exists():
        return
    keepers = [int(one.read_text()) for one in path.glob("*.pid")]
    for pid in keepers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 15)
    limit = time.monotonic() + 40
    while any(map(alive, keepers)) and time.monotonic() < limit:
        time.sleep(0.05)
    shutil.rmtree(path, ignore_errors=True)


def controller() -> int:
    """The process of pytest that outlives all workers."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def _run_path() -> Path:
    return Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()) / f"{SCRATCH}{controller()}-shared"


def _kept(store: str, folder: Path, name: str) -> None:
    """Start the store's keeper, unless that was done, and wait until it has said how it went."""
    said = [folder / f"{name}.{how}" for how in ("json", "missing", "failed")]
    if any(one.exists() for one in said):
        return
    command = [sys.executable, "-m", "tests.servers.keeper", store, str(folder), str(controller()), name]
    with (folder / f"{name}.log").open("ab") as log:
        keeper = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    (folder / f"{name}.pid").write_text(str(keeper.pid))
    limit = time.monotonic() + _LIMIT_S
    while not any(one.exists() for one in said):
        if keeper.poll() is not None or time.monotonic() > limit:
            end = (folder / f"{name}.log").read_text(errors="replace")[-4000:]
            said[-1].write_text(f"the keeper of {store} said nothing (exit {keeper.poll()}). Its log:\n{end}")
        time.sleep(0.02)
