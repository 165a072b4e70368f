"""The catalogue of events: complete, consistent with itself, and the page made from it is current."""

from __future__ import annotations

from pathlib import Path

from levaithan.hot.catalogue import EVENTS, GUARDS
from levaithan.hot.events_page import page

ROOT = Path(__file__).parents[3]


def test_there_are_33_events_and_four_guards() -> None:
    assert len(EVENTS) == 33
    assert {"PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange"} == GUARDS


def test_what_fails_closed_can_block() -> None:
    assert all(EVENTS[name].can_block for name in GUARDS)


def test_every_event_has_its_timeout_and_the_client_waits_longer_than_our_deadline() -> None:
    assert {spec.name: spec.timeout_s for spec in EVENTS.values() if spec.timeout_s != 10} == {"SessionEnd": 5}


def test_what_a_hook_would_break_is_not_registered_and_says_why() -> None:
    left_out = {spec.name for spec in EVENTS.values() if not spec.registered}
    assert left_out == {"WorktreeCreate", "WorktreeRemove"}
    assert all(EVENTS[name].why for name in left_out)


def test_a_matcher_is_a_field_of_the_event() -> None:
    for spec in EVENTS.values():
        assert spec.matcher_field is None or spec.matcher_field in {field.rstrip("?") for field in spec.fields}


def test_the_page_is_current() -> None:
    kept = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    assert kept == page(), "run: python -m levaithan.hot.events_page > docs/reference/events.md"
