"""`levaithan journal`: the record itself: prove it, find it, mend it, and make the stores again from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output
from levaithan.cli.progress import Progress
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The record itself.")

STORES = ("ledger", "search")
Store = Annotated[
    str,
    typer.Option("--store", help="ledger, search, or all.", metavar="STORE", autocompletion=lambda: [*STORES, "all"]),
]


def chosen(store: str) -> Sequence[str]:
    """The stores that --store names. Raises UsageProblem."""
    if store == "all":
        return STORES
    if store not in STORES:
        raise UsageProblem(f"--store {store!r} is no store.", fix="choose ledger, search or all")
    return (store,)


@app.command()
def path() -> None:
    """Print the folder that holds the journal's segments."""
    output.out(STATE.home().journal)
    output.flush()


@app.command()
def rebuild(store: Store = "all", json: options.Json = False) -> None:
    """Make the stores again from nothing but the journal; the old ones answer until the new ones are whole."""
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
    if any(one.dead_letters for one in done):
        output.say("some records wait as dead letters: see `levaithan journal dead-letters`")


@app.command("dead-letters")
def dead_letters(
    store: Store = "all", limit: options.Limit = 100, json: options.Json = False, format: options.Format = None
) -> None:
    """What a store could not take, with the reason; the journal has it all the same."""
    fmt = output.pick(format, json)
    rows = [row for name in chosen(store) for row in _waiting(name, limit)][:limit]
    columns = ["id", "store", "seq", "reason", "attempts", "first_at", "last_at"]
    output.emit(rows, columns, fmt, nothing="no dead letters")
    if rows and fmt == "table":
        output.say("next: `levaithan journal replay` after a fix, or `replay --sanitize` to deliver them made harmless")


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

    rows: list[dict[str, object]] = []
    for name in chosen(store):
        done = replaying.replay(STATE.home(), STATE.settings(), name, set(ids) if ids else None, sanitize=sanitize)
        rows += [{"id": one, "store": name, "delivered": True, "reason": None} for one in done.delivered]
        rows += [{"id": one, "store": name, "delivered": False, "reason": why} for one, why in done.waiting]
    output.emit(
        rows, ["id", "store", "delivered", "reason"], output.pick(None, json), nothing="no dead letters to replay"
    )
    waiting = sum(not row["delivered"] for row in rows)
    if waiting and not json:
        raise FindingsFound(
            f"{waiting} dead letters could still not be delivered.",
            fix="remove the reason shown (say, raise LEVAITHAN_LEDGER_MAX_FIELD_BYTES), or `replay --sanitize`",
        )
    if waiting:
        raise typer.Exit(FindingsFound.exit_code)
