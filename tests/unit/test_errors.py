"""Every error says what happened and what to do next."""

from __future__ import annotations

import pickle

import pytest

from levaithan import errors
from levaithan.errors import LevaithanError, StoreError, UsageProblem
from levaithan.stores.roles import StoreDownError


def every_kind(kind: type[LevaithanError] = LevaithanError) -> list[type[LevaithanError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in every_kind(below))]


OURS = [kind for kind in every_kind() if kind.__module__ == "levaithan.errors"]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_each_kind_has_a_message_a_code_an_exit_status_and_a_next_step(kind: type[LevaithanError]) -> None:
    values = {name: f"<{name}>" for name in ("reason", "path", "home", "store", "what", "name")}
    error = kind(**values)
    assert error.message == str(error) and error.message.strip()
    assert "{" not in error.message + error.fix
    assert error.exit_code in (1, 2, 3, 4, 5, 130)
    assert set(error.as_dict()) == {"code", "message", "fix"} and all(error.as_dict().values())


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in OURS]
    assert len(codes) == len(set(codes))


def test_a_message_and_a_fix_given_win_over_the_class() -> None:
    error = errors.StoreError("Exactly this.", fix="do that")
    assert (error.message, error.fix) == ("Exactly this.", "do that")


def test_braces_in_values_and_missing_values_do_no_harm() -> None:
    assert "{0.__class__}" in errors.StoreError(store="ledger", reason="{0.__class__}").message
    assert errors.StoreError(store="ledger").message == "The ledger store failed: {reason}."


def test_a_subclass_without_a_docstring_says_what_its_parent_says() -> None:
    class Quiet(errors.StoreError):
        code = "quiet"

    assert Quiet(store="x", reason="y").message == "The x store failed: y."


def test_an_error_survives_a_pickle() -> None:
    again = pickle.loads(pickle.dumps(errors.StoreError(store="ledger", reason="gone", fix="wait")))
    assert (type(again), again.message, again.fix) == (errors.StoreError, "The ledger store failed: gone.", "wait")


@pytest.mark.parametrize("reason", ["Connection refused", "Connection refused.", "Connection refused. ", "refused..."])
def test_what_a_driver_ends_with_a_full_stop_has_one_in_our_message(reason: str) -> None:
    told = StoreDownError(store="counters", role="COUNTERS", where="redis://h", reason=reason)
    assert str(told) == f"The counters store at redis://h does not answer: {reason.rstrip(' .')}."
    assert told.values["reason"] == reason
    assert str(StoreError(store="graph", reason=ValueError("It failed."))) == "The graph store failed: It failed."


def test_a_failure_of_a_store_promises_nothing_that_is_for_whoever_asked_to_keep() -> None:
    """The same error is met by the projector, which goes on by itself, and by a command, which nobody gives again."""
    stores = [kind for kind in every_kind(StoreError) if kind.__module__.startswith("levaithan.stores.")]
    assert {"StoreBusyError", "StoreDownError", "StoreTimeoutError"} <= {kind.__name__ for kind in stores}
    for kind in stores:
        said = f"{kind.__doc__} {kind.fix}".lower()
        assert not any(words in said for words in ("lost", "tried again", "by itself")), kind
    passing = {kind.__name__ for kind in every_kind() if kind.passes}
    assert passing == {"StoreBusyError", "StoreDownError", "StoreTimeoutError"}


@pytest.mark.parametrize("reason", ["Is it running?", ValueError("Is it running?")])
def test_what_a_driver_asks_has_no_full_stop_behind_it(reason: object) -> None:
    assert str(StoreError(store="graph", reason=reason)) == "The graph store failed: Is it running?"
    assert errors.sentence("Is it running?") == "Is it running?"
    assert [errors.sentence(one) for one in ("it is.", "it is", "it is. ")] == ["it is."] * 3


def test_a_full_stop_that_is_the_message_s_own_stays() -> None:
    assert str(UsageProblem(reason="Use one. ")) == "Use one. "
    assert str(StoreError(store="graph", reason=".")) == "The graph store failed: .."
