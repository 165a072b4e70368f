"""What `journal verify` holds the journal against, and how it tells what it found."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.cli import output, reading, table
from levaithan.cli.progress import Progress
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, LevaithanError, NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.hot.paths import Home
    from levaithan.journal.report import Report
    from levaithan.journal.seal import Checkpoint


class Wanted:
    """What is verified: the folder, the key (PEM), the checkpoints of --against, and whether the ledger is asked."""

    def __init__(self, directory: str | None, public_key: str | None, against: Sequence[str], ledger: bool) -> None:
        home = STATE.home()
        self.directory = directory or home.journal
        self.own = directory is None
        self.ledger = ledger and self.own
        self.notes: list[str] = []
        self.key = _key(public_key, home)
        self.checkpoints = [one for path in against for one in self._from_file(path)]
        if not Path(self.directory).is_dir():
            raise NotFound(
                f"There is no journal at {self.directory}.",
                fix="name its folder with --directory, or its home with --home",
            )

    def _from_file(self, path: str) -> list[Checkpoint]:
        from levaithan.journal import checkpoints

        try:
            found, problems = checkpoints.load(path)
        except OSError as problem:
            raise UsageProblem(
                f"--against {path}: {problem.strerror}.", fix="name a checkpoint's file or folder"
            ) from None
        if problems or not found:
            raise UsageProblem(
                f"--against {path}: {problems[0] if problems else 'there is no checkpoint in it'}.",
                fix="name a file of checkpoints as the journal or the export folder has them",
            )
        return found


def _key(given: str | None, home: Home) -> bytes | None:
    """The public key that signatures are checked with: the one named, else the home's own where there is one."""
    path = Path(given) if given else Path(home.keys) / "journal.pub"
    if path.is_fifo() and not given:
        raise UsageProblem(f"{path} is a pipe, no key.", fix="put the public key back, or name one with --public-key")
    try:
        return path.read_bytes()
    except OSError as problem:
        if not given and isinstance(problem, FileNotFoundError):
            return None
        raise UsageProblem(f"--public-key {path}: {problem.strerror}.", fix="name the PEM file of the key") from None


def verify(wanted: Wanted) -> Report:
    """Read the whole journal and hold it against everything there is. Raises UsageProblem for a bad key."""
    import time

    from levaithan.journal.verify import verify as prove
    from levaithan.metrics import verification

    begun = time.time()
    with ExitStack() as stack:
        seen, hashes = list(wanted.checkpoints), None
        if wanted.own:
            seen += _exported(wanted)
        if wanted.ledger:
            found, hashes = _from_ledger(wanted, stack)
            seen += found
        bar = stack.enter_context(Progress("verifying", "bytes"))
        try:
            report = prove(wanted.directory, public_key=wanted.key, checkpoints=seen, hashes=hashes, progress=bar)
        except ValueError as problem:
            raise UsageProblem(f"--public-key: {problem}.", fix="name the PEM file of an Ed25519 public key") from None
    report.notes += wanted.notes
    if wanted.own:
        verification.note(STATE.home(), report, begun)
    return report


def _exported(wanted: Wanted) -> list[Checkpoint]:
    """The checkpoints that this home exported to a folder, when it is there to look at."""
    from levaithan.journal import checkpoints

    try:
        target = STATE.settings().checkpoint_export
        if not target or "://" in target:
            return []
        found, problems = checkpoints.load(str(Path(target).expanduser()))
    except (LevaithanError, OSError) as problem:
        wanted.notes.append(f"the exported checkpoints could not be read: {problem}")
        return []
    wanted.notes += problems
    return found


def _from_ledger(wanted: Wanted, stack: ExitStack) -> tuple[list[Checkpoint], Any]:
    """The ledger's checkpoints and its question for hashes; as it is, for catching up would take a forged tail in."""
    from levaithan.journal import seal
    from levaithan.queries import journal_copy

    try:
        ledger = stack.enter_context(reading.ledger(fresh=False))
        rows = journal_copy.checkpoints(ledger) if ledger.current() else None
    except LevaithanError as problem:
        wanted.notes.append(f"the ledger could not be asked: {problem.message}")
        return [], None
    if rows is None:
        wanted.notes.append("there is no ledger to compare with")
        return [], None
    found = []
    for row in rows:
        try:
            found.append(seal.from_record(json.loads(row["body"]), "the ledger"))
        except ValueError:
            wanted.notes.append(f"the ledger's checkpoint {row['seq']} is none")
    return found, partial(journal_copy.hashes, ledger)


def tell(report: Report, directory: str, *, as_json: bool) -> None:
    """The report as data: findings are the rows; a person also gets what was read and what limits the proof.

    Ends the command with exit code 5 when there are findings.
    """
    rows = [asdict(one) for one in report.findings]
    if as_json:
        whole = asdict(report) | {"ok": report.ok, "directory": directory}
        del whole["findings"]
        output.out(output.envelope(rows, problem=_problem(report), report=whole))
        output.flush()
    else:
        _print(report, rows, directory)
    problem = _problem(report)
    if problem is not None:
        output.ended(problem, told=as_json)


def _problem(report: Report) -> FindingsFound | None:
    if report.ok:
        return None
    first = report.findings[0]
    where = ", ".join(word for word in (first.kind, first.segment) if word)
    return FindingsFound(f"The journal is not as it was written: {first.message} ({where}).")


def _print(report: Report, rows: list[dict[str, Any]], directory: str) -> None:
    for line in table.render(rows, ["seq", "kind", "segment", "message"], table.terminal_width()) if rows else []:
        output.out(line)
    if rows:
        output.out("")
    facts = [
        ("verdict", "whole: nothing was edited, deleted, inserted, reordered or cut off" if report.ok else "NOT whole"),
        ("journal", f"{report.journal} in {directory}"),
        ("records", f"{report.records} ({report.first} to {report.last}) in {report.segments} segments"),
        ("head", report.head or None),
        ("proven to", f"record {report.proven_to}, by signed checkpoints" if report.proven_to else None),
        ("compared", f"{report.checkpoints} checkpoints, {report.hashes} hashes of the ledger"),
        ("notes", "\n".join(report.notes) or None),
    ]
    for line in table.facts(facts):
        output.out(line)
    output.flush()
