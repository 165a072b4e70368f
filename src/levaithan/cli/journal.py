"""`levaithan journal`: the record itself: prove it, find it, mend it, and make the stores again from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output
from levaithan.cli.progress import Progress
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, LevaithanError, NotConfigured, StoreError, UsageProblem
from levaithan.stores import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = dict[str, Any]
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The record itself.")

Store = Annotated[
    str,
    typer.Option(
        "--store",
        help="ledger, search, graph, memory, counters, or all.",
        metavar="STORE",
        autocompletion=lambda: [*registry.known(), "all"],
    ),
]


def chosen(store: str) -> Sequence[str]:
    """The stores that --store names. Raises UsageProblem."""
    known = registry.known()
    if store == "all":
        return [name for name in known if registry.in_use(name, STATE.settings())]
    if store not in known:
        raise UsageProblem(f"--store {store!r} is no store.", fix=f"choose {', '.join(known)} or all")
    return (store,)


@app.command()
def path() -> None:
    """Print the folder that holds the journal's segments."""
    output.out(STATE.home().journal)
    output.flush()


@app.command()
def verify(
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="Also a checkpoint kept elsewhere: its file, or a folder.", metavar="FILE"),
    ] = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", help="The key to check signatures with (PEM).", metavar="FILE")
    ] = None,
    directory: Annotated[
        str | None, typer.Option("--directory", help="Another journal's folder, such as a copy.", metavar="DIR")
    ] = None,
    no_ledger: Annotated[bool, typer.Option("--no-ledger", help="Do not compare with the ledger.")] = False,
    json: options.Json = False,
) -> None:
    """Prove that nothing was edited, deleted, inserted, reordered, cut off or rewritten; exit 5 when something was."""
    from levaithan.cli import verifying

    wanted = verifying.Wanted(directory, public_key, against or (), not no_ledger)
    verifying.tell(verifying.verify(wanted), wanted.directory, as_json=json)


@app.command()
def repair(dry_run: options.DryRun = False, json: options.Json = False) -> None:
    """Mend what can be mended without losing a record: torn tails, lost names and seals. Findings stay findings."""
    from levaithan.cli import recording
    from levaithan.journal import repair as repairing

    home = STATE.home()
    done = repairing.repair(home.journal, dry_run=dry_run, journal=None if dry_run else recording.writer(home))
    would = "would be done" if dry_run else "done"
    rows = [{"what": would, "message": one} for one in done.done] + [
        {"what": "left", "message": one} for one in done.left
    ]
    output.emit(rows, ["what", "message"], output.pick(None, json), nothing="nothing to repair")
    if not json:
        output.say("next: `levaithan journal verify`")


@app.command()
def rebuild(store: Store = "all", json: options.Json = False) -> None:
    """Make the stores again from the journal; the old ones answer until the new ones are whole."""
    from levaithan.projector import rebuild as rebuilding

    with Progress("rebuilding", "bytes") as bar:
        done = rebuilding.rebuild(
            STATE.home(), STATE.settings(), chosen(store), progress=lambda _store, did, total: bar(did, total)
        )
    rows = [
        {"store": one.store, "records": one.records, "dead_letters": one.dead_letters, "seconds": round(one.seconds, 3)}
        for one in done
    ]
    output.emit(rows, ["store", "records", "dead_letters", "seconds"], output.pick(None, json))
    for one in done:
        if one.carried:
            output.say(f"{one.carried} of them were pruned from the journal and were taken from the ledger as it was")
        if one.lost:
            output.say(f"{one.store}: {one.lost}")
    if any(one.dead_letters for one in done):
        output.say("some records wait as dead letters: see `levaithan journal dead-letters`")


@app.command("dead-letters")
def dead_letters(
    store: Store = "all", limit: options.Limit = 100, json: options.Json = False, format: options.Format = None
) -> None:
    """What a store could not take, with the reason; the journal has it all the same."""
    fmt = output.pick(format, json)
    found, problem = _each(store, lambda name: _waiting(name, limit))
    rows = found[:limit]
    columns = ["id", "store", "seq", "reason", "attempts", "first_at", "last_at"]
    output.emit(rows, columns, fmt, nothing="no dead letters", problem=problem)
    if rows and fmt == "table":
        output.say("next: `levaithan journal replay` after a fix, or `replay --sanitize` to deliver them made harmless")


def _each(store: str, ask: Callable[[str], list[Row]]) -> tuple[list[Row], LevaithanError | None]:
    """(the rows that `ask` gives of each of the stores that --store names, what the first said that could not be
    asked): one that cannot is no reason to say nothing of the others. Raises what it said where it is the only one."""
    rows, failed = list[Row](), list[LevaithanError]()
    names = chosen(store)
    for name in names:
        try:
            rows += ask(name)
        except (StoreError, NotConfigured) as problem:
            failed.append(problem)
    if len(failed) == len(names) and failed:
        raise failed[0]
    for one in failed[1:]:
        output.say(f"not asked: {one}")
    return rows, failed[0] if failed else None


def _waiting(store: str, limit: int) -> list[dict[str, Any]]:
    from levaithan.cli import reading
    from levaithan.cli.times import iso

    with reading.opened(store, optional=True) as opened:
        letters = opened.dead_letters(limit) if opened is not None else []
    return [
        {
            "id": letter.id or f"{letter.segment}:{letter.offset}",
            "store": letter.store, "seq": letter.seq, "reason": letter.reason, "attempts": letter.attempts,
            "first_at": iso(letter.first_us), "last_at": iso(letter.last_us), "tool_use_id": letter.tool_use_id,
            "segment": letter.segment, "offset": letter.offset,
        }
        for letter in letters
    ]  # fmt: skip


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Which dead letters (default: all).", metavar="ID")] = None,
    store: Store = "all",
    sanitize: Annotated[
        bool, typer.Option("--sanitize", help="Make harmless what the store cannot hold; the row is marked.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Try dead letters again, under the settings of now."""
    from levaithan.projector import replay as replaying

    def tried(name: str) -> list[Row]:
        done = replaying.replay(STATE.home(), STATE.settings(), name, set(ids) if ids else None, sanitize=sanitize)
        rows = [{"id": one, "store": name, "delivered": True, "reason": None} for one in done.delivered]
        return rows + [{"id": one, "store": name, "delivered": False, "reason": why} for one, why in done.waiting]

    rows, failed = _each(store, tried)
    if waiting := sum(not row["delivered"] for row in rows):
        if failed:
            output.say(f"not asked: {failed}")
        failed = FindingsFound(
            f"{waiting} dead letters could still not be delivered.",
            fix="remove the reason shown (say, raise LEVAITHAN_LEDGER_MAX_FIELD_BYTES), or `replay --sanitize`",
        )
    output.emit(
        rows, ["id", "store", "delivered", "reason"], output.pick(None, json), nothing="no dead letters to replay",
        problem=failed,
    )  # fmt: skip
