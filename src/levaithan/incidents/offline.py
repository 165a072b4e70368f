"""Writes a draft out of the evidence alone: no network, no model, the same schema. What only a person can judge stays
blank. It is there when the incident opens, and it is what stands in when the Claude API does not answer."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

from levaithan.incidents.draft import ActionItem, Claim, Draft
from levaithan.incidents.markdown import render

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.incidents.evidence import Evidence
    from levaithan.incidents.incident import Incident

ORIGIN = "made on this machine, from the journal alone"
_MOST = 10


def write(incident: Incident, evidence: Evidence) -> Draft:
    """The draft that can be made without judgement."""
    opened = [one["ref"] for one in evidence.timeline if one["action"] == "open" and one.get("ref")]
    events = [one["ref"] for one in evidence.events]
    return Draft(
        summary=_claims([(_summary(incident, evidence), opened or events[:3])]),
        impact=_claims([(_impact(evidence), events[:20])]) if evidence.bad_events else [],
        timeline=_timeline(evidence),
        detection=_claims([(_detection(incident), opened)]),
        trigger=[_changed(one) for one in evidence.changes[-_MOST:] if one.get("ref")],
        root_causes=[],
        contributing_factors=_contributors(evidence),
        five_whys=[],
        went_well=_went_well(evidence),
        went_wrong=_went_wrong(evidence),
        got_lucky=[],
        lessons=[],
        action_items=_items(incident, evidence),
    )


def _claims(found: list[tuple[str, list[str]]]) -> list[Claim]:
    return [Claim(text=text[:1500], refs=refs[:40]) for text, refs in found if text and refs]


def _summary(incident: Incident, evidence: Evidence) -> str:
    seen = f" It was seen by {incident.source}: {incident.expression}." if incident.expression else ""
    value = f" The value was {incident.value:g}" if incident.value is not None else ""
    value += (
        f" (threshold {incident.threshold:g})." if value and incident.threshold is not None else "." if value else ""
    )
    start = evidence.window.get("start") or "an unknown time"
    what = f"{incident.title} ({incident.severity}, {incident.detection or 'opened by hand'})"
    return f"{what} began at {start}.{seen}{value}"


def _impact(evidence: Evidence) -> str:
    rates, split = evidence.rates, evidence.divergence
    told = f"{evidence.bad_events} refused or failed calls around the start."
    before, after = rates.get("bad_per_minute_before"), rates.get("bad_per_minute_after")
    if before is not None and after is not None:
        told += f" Bad calls a minute: {before:g} in the hour before, {after:g} after."
    if split:
        told += (
            f" The rate changed at {split['at']}, from {split['before_per_minute']:g} to {split['after_per_minute']:g}."
        )
    return told


def _timeline(evidence: Evidence) -> list[Claim]:
    """Steps, changes and bad events in one order; the same again and again is one line."""
    lines: list[tuple[str, str, list[str]]] = []
    for one in evidence.timeline:
        if one.get("ref"):
            words = f"{one['action'].replace('_', ' ')} by {one['by']}: {one['words']}".rstrip(": ")
            lines.append((str(one["at"]), words, [one["ref"]]))
    lines += [
        (str(one["at"]), f"{one['kind']}: {one['what']}", [one["ref"]]) for one in evidence.changes if one.get("ref")
    ]
    for run in _runs(evidence.events):
        first, last = run[0], run[-1]
        times = f", {len(run)} times until {last['at']}" if len(run) > 1 else ""
        lines.append((str(first["at"]), f"{_what(first)}{times}", [one["ref"] for one in run[:10]]))
    return [Claim(text=f"{at} {words}"[:1500], refs=refs) for at, words, refs in sorted(lines)][:60]


def _runs(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The events in order, those that say the same one after another together."""
    return [list(run) for _, run in itertools.groupby(events, key=_what)]


def _what(one: dict[str, Any]) -> str:
    words = f"{one.get('event', '')} {one.get('tool', '')} {one.get('decision', '')}".strip()
    return f"{words} ({one.get('rule') or 'no rule'})"


def _detection(incident: Incident) -> str:
    late_s = max(0.0, incident.detected_s - incident.started_s)
    return f"Detected {late_s:.0f} s after the first bad moment, by {incident.source} ({incident.alert or 'by hand'})."


def _changed(one: dict[str, str]) -> Claim:
    return Claim(text=f"In the 24 hours before, at {one['at']}: {one['what']}"[:1500], refs=[one["ref"]])


def _contributors(evidence: Evidence) -> list[Claim]:
    refs: dict[tuple[str, str], list[str]] = {}
    for one in evidence.events:
        for name in ("tool", "project", "rule"):
            refs.setdefault((name, str(one.get(name, ""))), []).append(one["ref"])
    found = []
    for one in evidence.contributors:
        now, before = f"{one['share']:.0%}", f"{one['share_before']:.0%}"
        what = f"{one['dimension']} {one['value']}"
        text = f"{what} is in {now} of the bad calls, {before} in the week before (lift {one['lift']:g})."
        found.append(
            (text, refs.get((one["dimension"], one["value"]), [])[:10] or [e["ref"] for e in evidence.events[:3]])
        )
    return _claims(found)


def _went_well(evidence: Evidence) -> list[Claim]:
    good = [one for one in evidence.timeline if one.get("ref") and one["action"] == "mitigate"]
    return _claims([(f"{one['action']} at {one['at']}: {one['words']}".rstrip(": "), [one["ref"]]) for one in good[:5]])


def _went_wrong(evidence: Evidence) -> list[Claim]:
    bad = [one for one in evidence.timeline if one.get("ref") and one["action"] in ("page", "reopen")]
    return _claims([(f"{one['action']} at {one['at']}: {one['words']}".rstrip(": "), [one["ref"]]) for one in bad[:5]])


def _items(incident: Incident, evidence: Evidence) -> list[ActionItem]:
    """What the record itself suggests: a fix that held before, and a case that fails when it comes again."""
    found = [
        ActionItem(
            kind="detect", what="Add a case that fails when this comes again", owner_role="owner of the rule or test",
            success_test=f"the case fails without the fix of {incident.id} and passes with it",
        )
    ]  # fmt: skip
    for one in evidence.nearest[:2]:
        if one["fix"]:
            found.append(
                ActionItem(
                    kind="prevent", what=f"Look whether what ended {one['id']} ends this too: {one['fix']}"[:1500],
                    owner_role="commander", success_test="the detector stays quiet for a week",
                )
            )  # fmt: skip
    return found


def prepare(home: Home, incident: Incident, evidence: Evidence) -> str:
    """Write the postmortem's beginning when the incident opens; its path. Raises OSError."""
    from levaithan.hot.paths import ensure_private  # noqa: PLC0415 - a pure module but for this

    folder = f"{home.logs}/incidents"
    ensure_private(folder)
    path = f"{folder}/{incident.id}.md"
    text = render(incident, write(incident, evidence), evidence, origin=ORIGIN)
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    return path
