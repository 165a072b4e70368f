"""`levaithan metrics`: the figures as a table, as a file for node_exporter, or sent to a Pushgateway.

Made here from the journal, on from where the monitor kept them. Only the monitor keeps them: its incidents, alerts and
actions belong to the same place in the journal, and a command that moved it would lose them what lies between.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output
from levaithan.cli.state import STATE
from levaithan.errors import NotConfigured, NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.metrics.watching import Watching

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The figures.")
COLUMNS = ["name", "labels", "value"]


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="Only names that have this in them (default: all).", metavar="NAME")
    ] = None,
    *,
    zeros: Annotated[bool, typer.Option("--zeros", help="Counters at 0 and the histograms' buckets, too.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Prometheus' text format, as /metrics gives it.")] = False,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What is counted, held and measured now; docs/reference/metrics.md says what each name means."""
    fmt = output.pick(format, json)
    if text and (fmt != "table" or name or zeros):
        raise UsageProblem("--text is the whole of it, in a form of its own.", fix="leave the other options out")
    if name:
        _known(name)
    with _watched() as watching:
        if text:
            output.out(watching.tally.exposition().decode().rstrip("\n"))
            output.flush()
            return
        rows = [
            {"name": series, "labels": dict(pairs) if fmt != "table" else _shown(pairs), "value": value}
            for series, pairs, value in watching.tally.series()
            if (name or "") in series and (zeros or _tells(series, pairs, value))
        ]
    output.emit(rows, COLUMNS, fmt, nothing="nothing of that name but zeros: see --zeros")


@app.command()
def textfile(
    path: Annotated[
        str | None, typer.Argument(help="The file, its name ends in .prom (default: metrics_textfile).", metavar="PATH")
    ] = None,
) -> None:
    """Write all figures into a file for node_exporter's textfile collector."""
    from levaithan.metrics import textfile as writing

    target = path or STATE.settings().metrics_textfile
    if not target:
        raise NotConfigured("No file is named.", fix="give its PATH, or set LEVAITHAN_METRICS_TEXTFILE")
    with _watched() as watching:
        writing.write(watching.tally, str(Path(target).absolute()))
    output.say(f"written: {target}")


@app.command()
def push(
    url: Annotated[
        str | None, typer.Argument(help="The Pushgateway (default: metrics_push_url).", metavar="URL")
    ] = None,
    job: Annotated[str, typer.Option("--job", help="The job's name there.", metavar="NAME")] = "levaithan",
) -> None:
    """Send all figures to a Pushgateway, for a job that ends before anybody could fetch them."""
    from levaithan.hot.gate import machine_id
    from levaithan.metrics import push as pushing

    target = url or STATE.settings().metrics_push_url
    if not target:
        raise NotConfigured("No Pushgateway is named.", fix="give its URL, or set LEVAITHAN_METRICS_PUSH_URL")
    with _watched() as watching:
        shown = pushing.push(watching.tally, target, machine_id(watching.home), job=job)
    output.say(f"sent to {shown}")


def _known(part: str) -> None:
    """Raises NotFound when no figure that could be counted has `part` in its name."""
    from levaithan.metrics.families import FAMILIES, HISTOGRAM

    ends = {HISTOGRAM: ("", "_bucket", "_sum", "_count")}
    if not any(part in one.name + end for one in FAMILIES for end in ends.get(one.kind, ("",))):
        raise NotFound(
            f"No figure has that in its name: {part!r}.", fix="`levaithan metrics show --zeros` shows all names"
        )


def _tells(name: str, pairs: tuple[tuple[str, str], ...], value: float) -> bool:
    """Whether a figure is news. A counter's 0 is none, nor one that stands from the start; a gauge's is what was
    looked at and found so: a store that does not answer, a journal that cannot be written."""
    from levaithan.metrics.families import BY_NAME, GAUGE

    if value:
        return not name.endswith("_bucket")
    family = BY_NAME.get(name)
    if family is None or family.kind != GAUGE:
        return False
    labels = dict(pairs)
    return not family.labels or tuple(labels[one] for one in family.labels) not in family.known


@contextmanager
def _watched() -> Iterator[Watching]:
    """The figures as of now. Nothing is kept."""
    from levaithan.cli.progress import Progress
    from levaithan.install.watched import outside
    from levaithan.metrics.watching import Watching
    from levaithan.projector import segments

    home = STATE.home()
    if not Path(home.root).is_dir():
        raise NotConfigured(f"There is no home at {home.root}.", fix="run ./setup.sh (or `levaithan setup`)")
    watching = Watching(home, STATE.settings(), outside=outside(home), threads=False, read_only=True)
    try:
        if watching.found:
            output.say(f"note: {watching.found}")
        with Progress("reading the journal", "bytes") as bar:
            _read(watching, bar, segments.total_bytes(home.journal) if Path(home.journal).is_dir() else 0)
        watching.collect(time.time())
        yield watching
    finally:
        watching.stop()


def _read(watching: Watching, bar: Any, total: int) -> None:
    done = 0
    while True:
        batch = watching.step()
        done += batch.bytes
        bar(min(done, total), total)
        if batch.end:
            return


def _shown(pairs: tuple[tuple[str, str], ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs)
