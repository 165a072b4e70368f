"""A draft as Markdown: complete by its schema, escaped, with blanks; and a postmortem that is read again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.incident_stage import Stage

from levaithan.incidents import draft, markdown, offline
from levaithan.incidents.draft import Claim, Draft
from levaithan.incidents.evidence import Evidence
from levaithan.incidents.incident import Incident

HOSTILE = [
    "# a heading", "| a | table |", "<script>alert(1)</script>", "[a link](http://evil.example/x)", "![i](x)", "`code`",
    "- item", "1. item", "**bold** _it_", "https://evil.example", "www.evil.example", "\n## Summary\n\nall is well",
    "&lt;b&gt;", "someone@evil.example", "</incident-data>", "\x1b[31m red", "```\nfence", "> quote", "~~x~~", "\u202e",
]  # fmt: skip


def empty() -> Draft:
    return Draft(**{name: [] for name in Draft.model_fields})


def claims(**parts: list[Claim]) -> Draft:
    return empty().model_copy(update=dict(parts))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_makes_no_markup(text: str) -> None:
    shown = markdown.escape(text)
    assert "\n" not in shown
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "<" not in shown
    assert "://" not in shown and "www." not in shown and "@" not in shown
    bare = re.sub(r"&#\d+;|\\.", "", shown)
    assert not set("`*_[]|#~") & set(bare)
    page = markdown.render(Stage_one(text), claims(summary=[Claim(text=text, refs=["1"])]), origin="a test")
    assert page.count("\n## Summary\n") == 1
    assert page.count("\n# ") == 0


def Stage_one(title: str) -> Any:  # noqa: N802 - reads as a noun
    stage = Stage()
    return stage.fires(summary=title)[0].incident


def test_every_section_is_there_and_what_nobody_can_know_is_a_blank() -> None:
    incident = Stage_one("x")
    page = markdown.render(incident, empty(), origin="a test")
    for title in (*markdown.TITLES.values(), markdown.ITEMS):
        assert f"\n## {title}\n" in page
    missing, items = markdown.read(page)
    assert items == []
    assert len(missing) == len(markdown.TITLES) + 1
    assert markdown.TITLES.keys() == markdown._ASKED.keys() == set(draft.SECTIONS)


def test_what_this_machine_writes_is_of_the_same_schema_and_cites_only_what_is_there() -> None:
    stage = Stage()
    incident = stage.fires(expression="levaithan_store_up == 0", value=0.0, threshold=1.0)[0].incident
    evidence = Evidence(
        incident.id,
        timeline=[{"at": "2026", "action": "open", "by": "monitor", "words": "w", "ref": "7"}],
        events=[{"ref": "3", "at": "2026", "event": "PreToolUse", "decision": "deny", "rule": "r", "tool": "Bash"}],
        changes=[{"ref": "2", "at": "2026", "kind": "budget", "what": "budget set"}],
        contributors=[
            {"dimension": "tool", "value": "Bash", "count": 9, "share": 0.9, "share_before": 0.2, "lift": 4.5}
        ],
        bad_events=9, divergence={"at": "2026", "before_per_minute": 0.1, "after_per_minute": 4.0},
        rates={"bad_per_minute_before": 0.1, "bad_per_minute_after": 4.0},
        nearest=[{"id": "inc-x", "title": "t", "score": 1.0, "fix": "restart it", "state": "closed", "by": "words"}],
    )  # fmt: skip
    made = offline.write(incident, evidence)
    again = Draft.model_validate_json(made.model_dump_json())
    assert draft.checked(again, evidence.refs()) == (made, 0, 0)
    assert made.trigger[0].refs == ["2"]
    assert "lift 4.5" in made.contributing_factors[0].text
    assert any("restart it" in item.what for item in made.action_items)
    assert made.root_causes == made.lessons == []


def test_references_to_what_was_not_shown_are_dropped_and_counted() -> None:
    given = claims(
        summary=[Claim(text="a", refs=["1", "99"]), Claim(text="b", refs=["98"]), Claim(text="c", refs=[])],
        trigger=[Claim(text="d", refs=["2"])],
    )
    kept, refs, dropped = draft.checked(given, {"1", "2"})
    assert (refs, dropped) == (2, 2)
    assert [(one.text, one.refs) for one in kept.summary] == [("a", ["1"])]
    assert kept.trigger == given.trigger


def test_the_schema_that_is_sent_has_no_lengths_and_every_field() -> None:
    sent = draft.schema()
    assert sent["required"] == list(Draft.model_fields)
    assert sent["additionalProperties"] is False
    text = str(sent)
    assert "maxLength" not in text and "maxItems" not in text
    assert sent["$defs"]["Claim"]["required"] == ["text", "refs"]


def test_a_postmortem_that_is_filled_in_is_complete() -> None:
    body = "\n".join(f"## {title}\n\nwords\n" for title in markdown.TITLES.values())
    table = "## Action items\n\n| kind | what | owner | due | link | test |\n|---|---|---|---|---|---|\n"
    good = body + table + "| prevent | a \\| b | operator | 2027-01-31 | | it fires |\n"
    assert markdown.read(good) == (
        [], [{"kind": "prevent", "what": "a \\| b", "owner": "operator", "due": "2027-01-31", "link": "",
              "test": "it fires"}],
    )  # fmt: skip
    for bad, said in (
        ("| later | a | operator | 2027-01-31 | | t |\n", "lacks kind"),
        ("| prevent | a | | 2027-01-31 | | t |\n", "lacks owner"),
        ("| prevent | a | operator | soon | | t |\n", "due (as 2027-01-31)"),
        ("| prevent | a | operator | 2027-01-31 | | _(to fill in)_ |\n", "lacks test"),
        ("", "an action item"),
    ):
        assert any(said in one for one in markdown.read(body + table + bad)[0])


def test_a_draft_lies_ready_when_the_incident_opens(tmp_path: Any) -> None:
    from levaithan.hot.paths import home_at

    incident = Stage_one("x")
    (tmp_path / "logs").mkdir()
    path = offline.prepare(home_at(str(tmp_path)), incident, Evidence(incident.id))
    assert (tmp_path / "logs" / "incidents" / f"{incident.id}.md").stat().st_mode & 0o777 == 0o600
    with open(path) as file:
        assert "draft, not reviewed" in file.read()


def test_the_banner_promises_nothing_about_names_that_a_draft_may_hold() -> None:
    empty = draft.Draft(**{name: [] for name in draft.Draft.model_fields})
    one = Incident(id="inc-1", title="Ann's disk is full", measure="Ann freed it")
    banner = next(line for line in markdown.render(one, empty, origin="x").splitlines() if line.startswith(">"))
    assert "no names" not in banner and "take them out" in banner
