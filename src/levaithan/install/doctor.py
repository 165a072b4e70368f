"""Looks at an installation: checks as data, each with its remedy, and a fix where a machine can make one.

A check is a function that yields results, listed in CHECKS; adding one is that function and one line. The service is
above this room: its start is handed in as a fix by whoever stands there. Imports no service.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import LevaithanError
from levaithan.install import checks_home, checks_hooks, checks_monitor, checks_record, checks_state, checks_stores
from levaithan.install.finding import Asked, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def checks() -> dict[str, Callable[[Asked], Iterable[Result]]]:
    """Every check by its id, in the order in which they are run."""
    return {
        **checks_home.CHECKS,
        **checks_state.CHECKS,
        **checks_record.CHECKS,
        **checks_stores.CHECKS,
        **checks_monitor.CHECKS,
        **checks_hooks.CHECKS,
    }


def run(
    asked: Asked,
    *,
    only: Iterable[str] | None = None,
    fixes: Mapping[str, Callable[[], str]] | None = None,
    progress: Callable[[int, int, str], None] = lambda _done, _total, _name: None,
) -> list[Result]:
    """Run the checks (all, or `only` those). Never raises for what it finds: a check that breaks is a failure itself.

    `fixes` gives checks of this room a fix from above (id -> function). progress(done, total, id of the next one).
    """
    wanted = {name: look for name, look in checks().items() if only is None or name in set(only)}
    if not Path(asked.home.root).is_dir():
        return [
            Result("home", "fail", f"there is no home at {asked.home.root}", "run ./setup.sh (or `levaithan setup`)")
        ]
    found: list[Result] = []
    for number, (name, look) in enumerate(wanted.items()):
        progress(number, len(wanted), name)
        found += _looked(name, look, asked)
    progress(len(wanted), len(wanted), "")
    given = fixes or {}
    return [
        replace(one, fix=given[one.id]) if one.fix is None and one.status != "ok" and one.id in given else one
        for one in found
    ]


def _looked(name: str, look: Callable[[Asked], Iterable[Result]], asked: Asked) -> list[Result]:
    try:
        return list(look(asked))
    except LevaithanError as problem:
        return [Result(name, "fail", problem.message, problem.fix)]
    except OSError as problem:  # mostly a folder above it, which a check of its own tells and mends
        words = f"{problem.filename or name} cannot be looked at ({problem.strerror or problem})"
        return [Result(name, "fail", words, "levaithan doctor --fix; if it stays, see that it is yours")]
    except Exception as problem:  # a check that breaks must not hide the others
        words = f"the check itself failed ({type(problem).__name__}: {problem})"
        return [Result(name, "fail", words, "see that the home's files are yours and readable, then run doctor again")]


def mend(look: Callable[[], list[Result]]) -> tuple[list[Result], list[tuple[str, bool, str]]]:
    """Look, fix what a machine can, look again; again while that brings something new to fix: what could not be looked
    at before a folder was mended. Gives the last look, and all that was done as `fix` does."""
    results, done = look(), []
    for _ in range(_ROUNDS):
        again = fix(results)
        done += again
        if not any(fixed for _, fixed, _ in again):
            break
        results = look()
    return results, done


_ROUNDS = 4


def fix(results: Iterable[Result]) -> list[tuple[str, bool, str]]:
    """Apply the fixes of all results that are not ok: (check, done, what was said). One that fails keeps no other."""
    done = []
    for one in results:
        if one.status == "ok" or one.fix is None:
            continue
        try:
            done.append((one.id, True, one.fix()))
        except LevaithanError as problem:
            done.append((one.id, False, f"{problem.message} {problem.fix}"))
        except OSError as problem:
            done.append((one.id, False, f"{problem}: see that you may write there"))
    return done
