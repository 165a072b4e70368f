"""What every test may lean on: the repository's root is importable, and no setting from outside reaches a test."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `from tests.support import ...` from any folder of tests
    sys.path.insert(0, str(ROOT))

pytest_plugins = ["tests.servers.fixtures"]

_WAITING = ("tests/faults/", "tests/e2e/", "tests/contract/")
_TEST_SETTINGS = (
    "LEVAITHAN_TEST_",
    "LEVAITHAN_SKIP_REAL_CLIENT",
    "LEVAITHAN_STORM_",
    "LEVAITHAN_FAULT_",
    "LEVAITHAN_REQUIRE_",
    "LEVAITHAN_BENCH_",
)


def pytest_collection_finish() -> None:
    """Thousands of tests are a large heap, and each look of the collector at it takes as long as some hooks may: they
    stay until the end, so nothing is looked at in vain (the service does the same once it has started)."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for servers and clocks and files that compute, in turns, for workers share the processors; of the
    former the longest first, so that no worker is left with one at the end (with xdist's --no-loadscope-reorder)."""
    files: dict[str, int] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], len(files))
    kinds = [sorted((file for file in files if file.startswith(start)), key=files.__getitem__) for start in _WAITING]
    waiting = [file for kind in kinds for file in kind]
    computing = [file for file in files if not file.startswith(_WAITING)]
    places = {file: at / len(some) for some in (waiting, computing) for at, file in enumerate(some)}
    items.sort(key=lambda item: (places[(file := item.nodeid.partition("::")[0])], files[file]))


@pytest.fixture(autouse=True, scope="session")
def nothing_from_outside() -> None:
    """A test that runs inside a Claude Code session, or with a home of its own set, must see neither."""
    for name in list(os.environ):
        foreign = name.startswith(("LEVAITHAN_", "CLAUDE_")) or name in ("AI_AGENT", "ANTHROPIC_API_KEY", "COLUMNS")
        if foreign and not name.startswith(_TEST_SETTINGS):
            del os.environ[name]
