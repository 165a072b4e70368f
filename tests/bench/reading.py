"""What a question costs: the audit's list and a rare word with millions of events, and the command line's start."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench import bigledger, launching
from tests.bench.report import Row
from tests.support import homes

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.incidents import evidence, notes, offline
from levaithan.incidents.incident import Incident
from levaithan.queries import audit
from levaithan.queries.asking import Filters
from levaithan.stores import registry

if TYPE_CHECKING:
    from collections.abc import Callable

DRIVERS = ("sqlite3", "sqlalchemy", "alembic", "psycopg", "redis", "weaviate", "elasticsearch", "helix", "helixdb")
_QUERY_MS = 50
_DRAFT_MS = 2000
_LIST = 4.0
_HELP = 1.5


def measure(events: int, rounds: int) -> list[Row]:
    """The five rows about reading. Fills the ledger first when the cache has none of this size."""
    root, made = bigledger.home(events)
    since_s = 86_400 + math.ceil(time.time() - made)
    listed, found = _queries(root, since_s, max(rounds, 10))
    command = [str(Path(sys.executable).with_name("levaithan")), "--home", root]
    question = [*command, "audit", "list", "--since", f"{since_s}s", "--tool", "Bash"]
    environ = homes.plain_environment()
    _lists_rows(question, environ)
    took = launching.interleaved(
        {
            "typer": lambda: launching.timed([sys.executable, "-c", "import typer"], b"", environ),
            "list": lambda: launching.timed(question, b"", environ),
            "help": lambda: launching.timed([command[0], "--help"], b"", environ),
        },
        rounds,
    )
    return [*_query_rows(events, listed, found), _draft_row(root, made, rounds), *_process_rows(took)]


def _queries(root: str, since_s: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of the two questions, the first of each (cold) included; each is checked for what it finds."""
    home = paths.home_at(root)
    settings = settings_of.load(root, environ={})
    ledger, index = registry.open_ledger(settings, home), registry.open_search(settings, home)
    if index is None:
        raise SystemExit("the search is switched off: unset LEVAITHAN_SEARCH")
    day = Filters(since_us=int((time.time() - since_s) * 1e6), tool="Bash")

    def listing() -> float:
        begun = time.perf_counter()
        page = audit.list_events(ledger, day, 50)
        took = time.perf_counter() - begun
        if len(page.rows) != 50 or page.next is None or {row["tool_name"] for row in page.rows} != {"Bash"}:
            raise SystemExit(f"the list of the last day's Bash calls is wrong: {len(page.rows)} rows")
        return took

    def searching() -> float:
        begun = time.perf_counter()
        page = audit.search(ledger, index, bigledger.RARE, Filters(), limit=50)
        took = time.perf_counter() - begun
        if not page.rows or not all(bigledger.RARE in row["snippet"] for row in page.rows):
            raise SystemExit(f"the search for a rare word is wrong: {page.rows}")
        return took

    try:
        took = launching.interleaved({"list": listing, "search": searching}, rounds)
    finally:
        ledger.close()
        index.close()
    return took["list"], took["search"]


def _draft_row(root: str, made: float, rounds: int) -> Row:
    """Evidence on an incident of an hour before the ledger's end, and the draft that this machine makes of it."""
    home = paths.home_at(root)
    ledger = registry.open_ledger(settings_of.load(root, environ={}), home)
    one = Incident("inc-bench", title="Refusals in a burst", started_s=made - 3600, detected_s=made - 3500)
    one.timeline = [{"at_s": made - 3500, "action": "open", "by": "monitor", "words": "", "seq": 1}]
    took = []
    for _ in range(max(rounds, 5)):
        begun = time.perf_counter()
        found = evidence.gather(one, notes.book(ledger), ledger, home=home)
        draft = offline.write(one, found)
        took.append(time.perf_counter() - begun)
        left_out = [words for words in found.left_out if not words.startswith("metrics:")]  # no monitor ran here
        if left_out or not found.bad_events or not draft.impact:
            raise SystemExit(f"the evidence is not whole: {left_out}, {found.bad_events} bad events")
    ledger.close()
    how = f"first, cold {took[0] * 1000:.1f} ms; N={len(took)}; ledger alone, no graph, memory or monitor"
    what = "a draft of an incident, evidence from the same ledger"
    return Row(what, f"{_DRAFT_MS} ms", launching.milliseconds(took), max(took) * 1000 <= _DRAFT_MS, how)


def _lists_rows(question: list[str], environ: dict[str, str]) -> None:
    done = subprocess.run(question, env=environ, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0 or done.stdout.count("Bash") < 50:
        raise SystemExit(f"{' '.join(question)} gave no list: {done.stdout[-500:]} {done.stderr[-500:]}")


def drivers_of_help() -> list[str]:
    """The drivers that `levaithan --help` loads: none, if all is well."""
    seen = (
        "import sys\nsys.argv = ['levaithan', '--help']\nfrom levaithan.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\nprint(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", seen],
        env=homes.plain_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [name for name in DRIVERS if name in done.stderr.split()]


def _query_rows(events: int, listed: list[float], found: list[float]) -> list[Row]:
    def row(what: str, took: list[float]) -> Row:
        how = f"first, cold {took[0] * 1000:.1f} ms; N={len(took)}"
        return Row(
            what, f"{_QUERY_MS} ms in the query", launching.milliseconds(took), median(took) * 1000 <= _QUERY_MS, how
        )

    return [
        row(f"audit list --since 1d --tool Bash, {events:,} events in the ledger", listed),
        row("full-text search for a rare word, same ledger", found),
    ]


def _process_rows(took: dict[str, list[float]]) -> list[Row]:
    typer = median(took["typer"])
    loaded = drivers_of_help()
    ratio: Callable[[str], float] = lambda name: median(took[name]) / typer  # noqa: E731
    numbers = f"import typer {launching.milliseconds(took['typer'])}; N={len(took['typer'])}"
    return [
        Row(
            "the same audit list as a process", f"{_LIST:g}x of python -c 'import typer'", f"{ratio('list'):.2f}x",
            ratio("list") <= _LIST, f"{launching.milliseconds(took['list'])}; {numbers}",
        ),
        Row(
            "levaithan --help", f"{_HELP:g}x of python -c 'import typer', no driver", f"{ratio('help'):.2f}x",
            ratio("help") <= _HELP and not loaded,
            f"{launching.milliseconds(took['help'])}; {numbers}; drivers loaded: {', '.join(loaded) or 'none'}",
        ),
    ]  # fmt: skip
