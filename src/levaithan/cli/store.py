"""`levaithan store`: how the five stores are, whether they can be used, how far behind they are, and whether true."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.actions import holding
from levaithan.cli import options, output, reading, store_roles
from levaithan.cli.progress import Progress
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, LevaithanError, NotConfigured, StoreError, Unhealthy, UsageProblem, sentence
from levaithan.stores import address, looking, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The five stores.")

Roles = Annotated[
    list[str] | None,
    typer.Argument(
        help="ledger, search, graph, memory, counters (default: all in use).",
        metavar="STORE",
        autocompletion=lambda: [*registry.known()],
    ),
]


def chosen(roles: Sequence[str] | None) -> list[str]:
    """The stores that were named, else all in use. Raises UsageProblem."""
    known = registry.known()
    if not roles:
        return [name for name in known if registry.in_use(name, STATE.settings())]
    for name in roles:
        if name not in known:
            raise UsageProblem(f"There is no store {name!r}.", fix=f"choose of: {', '.join(known)}")
    return list(dict.fromkeys(roles))


@app.command()
def status(roles: Roles = None, json: options.Json = False, format: options.Format = None) -> None:
    """Each store: where it is, what it is, what it holds, how far it is behind; exit 3 when one does not answer."""
    fmt = output.pick(format, json)
    rows = _all_told((roles and chosen(roles)) or registry.known())
    if words := holding.all_held({row["store"]: row["held_brief"] for row in rows if row.get("held_brief")}):
        output.say(words)
    output.emit(rows, ["store", "state", "where", "server", "rows", "lag", "dead_letters"], fmt, problem=_unwell(rows))


def _all_told(names: Sequence[str]) -> list[dict[str, Any]]:
    """A row a store, in the order of `names`; they are asked side by side."""
    return list(looking.each(_told, names, STATE.home()))


def _told(name: str) -> dict[str, Any]:
    """One store's row. Never raises: that a store is down is what the row says."""
    from levaithan.projector import feed
    from levaithan.projector import status as projecting

    try:
        with reading.opened(name, fresh=False, optional=True) as store:
            if store is None:
                return {"store": name, "state": "off", "where": "", "problems": []}
            health, held = store.health(), holding.of(STATE.home(), store)
            told = asdict(health) | (held.as_fields() if held else {})
            if not health.ok:
                return {**told, "state": "down", **_last_known(name, address.of(store))}
            lag, stuck = feed.lag(STATE.home().journal, store.cursor()), projecting.stuck(STATE.home(), store)
    except LevaithanError as problem:
        words = {"store": name, "state": "down", "where": "", "problems": [problem.message], "fix": problem.fix}
        return {**words, **_last_known(name, _named(name, problem))}
    if stuck:  # it answers, but nothing gets into it
        why = {"ok": False, "problems": [stuck.message, *health.problems], "fix": stuck.fix}
        return {**told, **why, "state": "down", "lag": lag}
    return {**told, "state": "behind" if lag else "ok", "lag": lag}


def _named(name: str, problem: LevaithanError) -> str:
    """The address that the settings give the store, which cannot be used; "" where they give none."""
    from levaithan.config import lean
    from levaithan.projector import loop

    try:
        return address.of(loop.unusable(name, lean.load(STATE.home_argument), STATE.home(), problem))
    except LevaithanError:  # settings that cannot be read
        return ""


def _last_known(name: str, where: str = "") -> dict[str, Any]:
    """How far a store that does not answer is behind, and what waits: from where the projector last knew it to be.
    Nothing is known of one at `where` ("" = wherever it is) while the projector still speaks of another address."""
    from levaithan.projector import feed
    from levaithan.projector import status as projecting

    told = ((projecting.read(STATE.home()) or {}).get("stores") or {}).get(name)
    if not isinstance(told, dict) or not isinstance(told.get("seq"), int):
        return {"lag": None, "dead_letters": None}
    if where and told.get("where") not in (None, "", where):
        return {"lag": None, "dead_letters": None}
    return {"lag": feed.lag(STATE.home().journal, told["seq"]), "dead_letters": told.get("dead_letters")}


def _unwell(rows: Sequence[dict[str, Any]]) -> LevaithanError | None:
    down = [row for row in rows if row["state"] == "down"]
    whys = ["; ".join(row["problems"]) or "it does not answer" for row in down]
    said = [f"The {row['store']} store cannot be used: {why}" for row, why in zip(down, whys, strict=True)]
    if len(down) < 2:
        return Unhealthy(said[0], fix=down[0].get("fix") or _CHECK) if down else None
    names = " ".join(row["store"] for row in down)
    return Unhealthy(" ".join(map(sentence, said)), fix=f"`{_CHECK} {names}` says what to do about each")


_CHECK = "levaithan store check"
_LAG = ("store", "state", "lag", "dead_letters")
_KINDS = ("missing", "altered", "extra")
_FOLDS = {"ledger": "sessions, agents, calls or sums that differ", "graph": "nodes that differ"}
_COMPARED = (
    "store", "equal", "journal", "stored", "missing_count", "altered_count", "extra_count", "folds_differ_count",
    "waiting", "behind", "dropped",
)  # fmt: skip


@app.command()
def check(roles: Roles = None, json: options.Json = False, format: options.Format = None) -> None:
    """Try each store as it will be used: connection, password, certificate, version, schema, clock, space."""
    from levaithan.config import lean
    from levaithan.install import checks_stores

    fmt = output.pick(format, json)
    settings = lean.load(STATE.home_argument)
    found = checks_stores.of_stores(chosen(roles), settings, STATE.home())
    failed = [one for one in found if one.status == "fail"]
    said, remedies = [one.message for one in failed], list(dict.fromkeys(one.remedy for one in failed))
    problem = Unhealthy(" ".join(map(sentence, said)), fix="; ".join(remedies)) if failed else None
    output.emit([one.as_row() for one in found], ["status", "check", "message", "remedy"], fmt, problem=problem)


@app.command()
def migrate(  # noqa: PLR0917 - an option each
    roles: Roles = None,
    make_roles: store_roles.Wanted = False,
    writer_password_file: store_roles.WriterFile = None,
    reader_password_file: store_roles.ReaderFile = None,
    owner_password_file: store_roles.OwnerFile = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Make the schemas, or bring older ones up to date; nothing is lost (see docs/how-to/stores.md)."""
    names = chosen(roles)
    files = (writer_password_file, reader_password_file, owner_password_file)
    store_roles.check(make_roles, names, files)
    rows = [_migrated(name, dry_run, make_roles) for name in names]
    if make_roles:
        rows += store_roles.make(files, dry_run=dry_run)
    columns = ["store", "done", *(["role", "password_file"] if make_roles else [])]
    output.emit(rows, columns, output.pick(None, json))
    for row in rows:
        for words in row["found"]:
            output.say(f"{row['store']}: {words}")


def _migrated(name: str, dry_run: bool, make_roles: bool = False) -> dict[str, Any]:
    from levaithan.projector.lock import lock_of

    store = registry.open_store(name, STATE.settings(), STATE.home(), owner=True)
    try:
        there = store.current()
        if not make_roles:
            store_roles.check_usable(name, store)
        if not dry_run and (not there or store.remote):  # a server that is up to date may have to be told a new setting
            with lock_of(STATE.home(), store) as lock:
                lock.take(10.0)
                store.migrate()
        done = "up to date" if there else "would be made or brought up" if dry_run else "made or brought up"
        return {"store": name, "done": done, "found": list(store.found)}
    finally:
        store.close()


@app.command()
def rebuild(roles: Roles = None, json: options.Json = False) -> None:
    """Make stores again from the journal; one that other machines share keeps answering, and keeps their rows."""
    from levaithan.projector import rebuild as rebuilding

    with Progress("rebuilding", "bytes") as bar:
        done = rebuilding.rebuild(
            STATE.home(), STATE.settings(), chosen(roles), progress=lambda _store, did, total: bar(did, total)
        )
    output.emit([asdict(one) for one in done], ["store", "records", "dead_letters", "seconds"], output.pick(None, json))


@app.command()
def lag(
    roles: Roles = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Again every second, until interrupted.")] = False,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """How many records each store is behind the journal; of one that is down, from where it was last known to be. That
    is no failure of this command: `levaithan store status` ends with exit 3 then."""
    fmt = output.pick(format, json)
    while True:
        rows = [{key: one.get(key) for key in _LAG} for one in _all_told(chosen(roles))]
        output.emit(rows, _LAG, fmt)
        if not follow:
            return
        time.sleep(1.0)


@app.command()
def compare(roles: Roles = None, json: options.Json = False, format: options.Format = None) -> None:
    """Hold every record of the journal against each store; exit 5 when something is missing, altered or too much."""
    fmt, rows, failed = output.pick(format, json), [], dict[str, LevaithanError]()
    names = chosen(roles)
    for name, down in zip(names, looking.each(_down, names, STATE.home()), strict=True):
        try:
            rows.append(_compared(name, down))
        except (StoreError, NotConfigured) as error:  # one that is down is no reason to say nothing of the others
            failed[name] = error
    wrong = [row for row in rows if not row["equal"]]
    if failed and not rows:
        raise _uncompared(failed)
    for one in failed.values() if wrong else ():
        output.say(f"not compared: {one}")
    output.emit(rows, _COMPARED, fmt, problem=_untrue(wrong) if wrong else _uncompared(failed) if failed else None)


def _down(name: str) -> LevaithanError | None:
    """Why the store `name` cannot be asked, before it is waited for as one that can."""
    from levaithan.stores.roles import StoreDamagedError

    try:
        with reading.opened(name, fresh=False) as store:
            store.check_version()
            store.cursor()
    except StoreDamagedError:  # catching up makes it anew
        return None
    except (StoreError, NotConfigured) as error:
        return error
    return None


def _compared(name: str, down: LevaithanError | None) -> dict[str, Any]:
    """The row of one store. Raises `down`, StoreError, also for one that answers and that the service cannot bring
    along: what is not there is not compared, and would pass for equal."""
    from levaithan.projector import compare as comparing
    from levaithan.projector import feed
    from levaithan.projector import status as projecting

    if down is not None:
        raise down
    with reading.opened(name) as store, Progress(f"comparing {name}", "bytes") as bar:
        stuck = projecting.stuck(STATE.home(), store)
        if stuck and feed.lag(STATE.home().journal, store.cursor()):
            raise stuck
        done = comparing.compare(STATE.home(), store, bar)
    return {**asdict(done), "equal": done.equal}


def _uncompared(failed: dict[str, LevaithanError]) -> LevaithanError:
    """Why each of these stores was not compared, as one error of the first one's kind."""
    first = next(iter(failed.values()))
    if len(failed) == 1:
        return first
    fix = f"`{_CHECK} {' '.join(failed)}` says what to do about each"
    return type(first)(" ".join(str(one) for one in failed.values()), fix=fix)


def _untrue(wrong: Sequence[dict[str, Any]]) -> FindingsFound:
    """Which stores are not what the journal says, and by how much."""
    said = [f"The {row['store']} store is not what the journal says: {_counts(row)}." for row in wrong]
    names = " ".join(row["store"] for row in wrong)
    fix = f"levaithan journal verify proves the journal; then levaithan store rebuild {names}"
    return FindingsFound(" ".join(said), fix=fix)


def _counts(row: dict[str, Any]) -> str:
    counts = {kind: row[f"{kind}_count"] for kind in _KINDS}
    counts[_FOLDS.get(row["store"], _FOLDS["ledger"])] = row["folds_differ_count"]
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
