"""What a measurement says, as a table on the terminal and as docs/reference/performance.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.figures import Figure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "performance.md"
_HEAD = ("what", "at least", "got", "met", "how measured")


@dataclass(frozen=True)
class Row:
    """One target: what, the limit, what was got, whether that meets it, and how (N, the numbers behind a ratio)."""

    what: str
    limit: str
    got: str
    met: bool
    how: str

    def cells(self) -> tuple[str, ...]:
        return (self.what, self.limit, self.got, "yes" if self.met else "NO", self.how)


def table(rows: Sequence[Row]) -> str:
    """The rows in columns, each row's details below it."""
    heads = _HEAD[:4]
    cells = [row.cells() for row in rows]
    widths = [max(len(one[column]) for one in [heads, *cells]) for column in range(len(heads))]
    lines = ["  ".join(head.ljust(width) for head, width in zip(heads, widths, strict=True)).rstrip()]
    lines.append("  ".join("-" * width for width in widths))
    for one in cells:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=False)).rstrip())
        lines.append(f"    {one[4]}")
    return "\n".join(lines)


def page(figures: Sequence[Figure]) -> str:
    """The whole of docs/reference/performance.md."""
    runs = list(dict.fromkeys(one.run for one in figures))
    cells = [(*one.row.cells()[:4], str(runs.index(one.run) + 1), one.row.how) for one in figures]
    lines = [
        "# Performance",
        "",
        "Made by `levaithan bench --write` of the figures in `performance.json`: a run of some parts (`--only`)",
        "replaces theirs alone. The words are in `tests/bench/report.py`.",
        "",
        "## What is promised, and what the last run of each part gave",
        "",
        "| " + " | ".join((*_HEAD[:4], "run", _HEAD[4])) + " |",
        "|" + "---|" * 6,
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells),
        "",
        "The runs:",
        "",
        *(f"{number}. {one.day}: {'; '.join((*one.machine, one.sizes))}" for number, one in enumerate(runs, 1)),
        "",
        _METHOD,
    ]
    return "\n".join(lines)


_METHOD = """\
## How it is measured

- Every limit is a ratio to something measured in the same run, in turns with it (a round measures each once, and each
  round begins with another), so that a slow or a busy machine is slow for both. Medians; N is in the table.
- Processes are started by `posix_spawn` with their input already in a pipe; the time is from the start until the
  process is reaped. The yardstick is `python3 -I -S -c pass`, started the same way with the same input.
- *One fdatasync* is a bare `fdatasync` of a file on the journal's disk after an append of a record's size, once a
  round. A hook's answer leaves only after such a sync (`LEVAITHAN_FSYNC=always`, the default), and no program can make
  the disk faster, so the round trips with a service are allowed one on top.
- The hook round trip is the whole of it: the client starts, reads the event, sends it; the service parses it, runs the
  shipped workflow with the shipped rules, writes the record, syncs; the client prints the answer and ends. The event is
  a recorded `PreToolUse` of a Bash command.
- The ordinary hook is a Python script that imports json and sqlite3, reads the event and inserts one row.
- Throughput is a generator in a process of its own, on connections that stay open, with a bounded number of events on
  their way; it repeats a recorded session under new ids. Counted is until the last event is in the ledger, and then
  the journal's records and the ledger's rows are counted. Memory is the resident size of the service and all its
  children together, seen twice a second.
- What machines share is measured on a Redis of the run's own on this machine: the live stream by its adapter alone,
  from parsed records to the server's answer to the last batch; a halt from before it is set in one home until it is in
  force in another, whose service shares nothing else with the first; the round trip as above, in two homes whose limits
  are the same, of which one asks Redis at each call.
- While a server is hurt answers are timed at the service's socket, frame in to answer out. A stretch's figure is the
  p99 of its median second, and 2 ms where that is less: single seconds are the disk's, for a sync that meets the file
  system's own commit takes 8 to 50 ms with and without a store. What the p99 of all answers grew by stands beside it,
  and that of the quiet, the hurt and the catching up behind it.
- All stores at once are bounded in their lag when none is ever more than 20 s of events behind, and none in the last
  third of the time by over 2 s more, at the median, than in the third before: one that grows slowly has no bound.
- What watching costs is CPU time of the process, not of the clock: the journal of so many events is read, checked and
  folded, a look around is taken and the scrape's text is made, and the sum is what an hour of 1,500 events a second
  needs with a look every five seconds and a scrape every second.
- The whole monitor is the real one at its own pace, its threads included, on a home with a ledger of the last quarter
  of an hour: another process writes 1,500 events and ten lines of the log a second and scrapes. Its CPU time is taken
  over all of it: records, figures, rules, detectors, patterns of the log, the ledger's question, incidents, actions and
  the kept state.
- The two-million ledger is filled through the stores' own adapters and kept in the cache between runs
  (`LEVAITHAN_TEST_CACHE`); the window is the last day of it.

Again: `./system-cli.sh bench` (small sizes: `./system-cli.sh bench --quick`).
"""
