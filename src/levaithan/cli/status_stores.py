"""The part of `levaithan status` about the stores: one row a store, what it waits for, and who brings it along.

What the running service says of a store counts beside what is seen from here: it may be unable to use one that
answers, for its settings are those of its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.actions import holding
from levaithan.cli import reading
from levaithan.errors import LevaithanError, NotConfigured, sentence
from levaithan.stores import address, looking, registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.paths import Home

Row = dict[str, Any]


def rows(home: Home, told: dict[str, Any] | None) -> Iterator[Row]:
    """A row a store. told: what the service said, None when none answers."""
    known = ((told or {}).get("projector") or {}).get("stores") or {}
    along = _along(told)

    def look(name: str) -> list[Row]:
        return list(_opened(home, name, known.get(name) or {}, along))

    for found in looking.each(look, registry.known(), home):
        yield from found


def nobody(told: dict[str, Any]) -> str:
    """Why no projector brings stores along beside a service that runs, in words; "" when one does, or is starting."""
    from levaithan.projector import status as projecting

    projector, loop = told.get("projector") or {}, (told.get("loops") or {}).get("projector") or {}
    if "child" in projector and not projector["child"]:
        return str(loop.get("last_error") or "it does not run")
    if projector.get("pid") == projector.get("child") and "updated" in projector and projecting.silent(projector):
        return f"it has said nothing since {projector['updated']}"
    return ""


def _along(told: dict[str, Any] | None) -> str:
    """What a person does about a store that is behind, though nothing is wrong with it."""
    if told is None:
        return "it catches up at the next read, or with the service: levaithan start"
    return "levaithan restart (nobody brings it along)" if nobody(told) else "nothing: it catches up by itself"


def once(found: Sequence[Row]) -> Iterator[Row]:
    """The rows, but that only a store's own says why it fails: what could not be looked at for it says so."""
    names = registry.known()
    failing = [one for one in found if one["item"] in names and one["status"] == "fail"]
    for one in found:
        store = next((each["item"] for each in failing if str(each["value"]).startswith(str(one["value"]))), "")
        if store and one["status"] == "fail" and one["item"] not in names:
            yield _row(one["item"], "warn", f"not known: the {store} store cannot be asked", f"see the row {store}")
        else:
            yield one


def _opened(home: Home, name: str, known: dict[str, Any], along: str) -> Iterator[Row]:
    try:
        with reading.opened(name, fresh=False, optional=True) as store:
            if store is None:
                yield _row(name, "ok", "switched off")
            else:
                yield from _store(home, store, known, along)
    except LevaithanError as problem:  # its settings: no reason to say nothing of the others
        yield _failing(home, name, problem, known)


def _failing(home: Home, name: str, problem: LevaithanError, known: dict[str, Any]) -> Row:
    """A store that cannot be asked, with what waits for it as far as the running service knows: it fails there too."""
    from levaithan.projector import feed

    error, seq = known.get("error"), known.get("seq")
    if not error:
        return _row(name, "fail", problem.message, problem.fix)
    lag = feed.lag(home.journal, seq) if isinstance(seq, int) else None
    words = f"{sentence(problem.message)} {lag} records wait for it" if lag else problem.message
    return _row(name, "fail", words, problem.fix, lag=lag, since=error.get("since"))


def _store(home: Home, store: Any, known: dict[str, Any], along: str) -> Iterator[Row]:
    """One store, in one row. known: what the service says of it; with an error it does not catch up by itself."""
    from levaithan.projector import feed

    name, held, error = store.name, holding.of(home, store), known.get("error")
    where = holding.running_at(home, name)
    since = {"since": error.get("since")} if error else {}
    told = held.as_fields() if held else {}
    try:
        store.check_version()
        cursor = store.cursor()
        dead = len(store.dead_letters(1000))
    except LevaithanError as problem:
        if held:  # that it fails is said by whoever held it, but for what the service itself has met
            yield _row(name, "fail" if error else "warn", f"held: {held.why}", held.remedy, **told, **since)
        else:
            yield _failing(home, name, problem, known)
        return
    lag = feed.lag(home.journal, cursor)
    behind = f"{lag} records behind" if lag else "up to date"
    if held:
        yield _row(name, "warn", f"held, {behind}: {held.why}", held.remedy, lag=lag, **told, **since)
    elif error and error.get("code") == NotConfigured.code:  # it was mended since
        words = f"{behind}: the running service could not use it when it started ({error.get('message')})"
        yield _row(name, "fail", words, "levaithan restart", lag=lag, **since)
    elif error:
        yield _row(name, "fail", f"{behind}: {error.get('message')}", str(error.get("fix")), lag=lag, **since)
    elif where not in ("", address.of(store)):
        words = f"{behind}: the running service has it at {where}, for the settings changed since it started"
        yield _row(name, "warn", words, "levaithan restart", lag=lag)
    else:
        yield _row(name, "warn" if lag else "ok", behind, along if lag else "", lag=lag)
    if dead:
        words = f"{dead}{'+' if dead == 1000 else ''} {name} records wait"
        yield _row("dead letters", "warn", words, "levaithan journal dead-letters", store=name, waiting=dead)


def _row(item: str, state: str, value: str, remedy: str = "", **data: Any) -> Row:
    """See status.row."""
    return {"item": item, "status": state, "value": value, "remedy": remedy, "data": data}
