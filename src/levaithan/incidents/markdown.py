"""A draft as a postmortem in Markdown, and a postmortem read again: is it complete, and what is owed.

What an agent, an alert or a model wrote is escaped: it makes no heading, no table row, no HTML and no link.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from levaithan.hot.redact import redact_text
from levaithan.incidents import fields, owed
from levaithan.incidents.draft import MARK, SECTIONS, Draft
from levaithan.queries.asking import iso

if TYPE_CHECKING:
    from levaithan.incidents.evidence import Evidence
    from levaithan.incidents.incident import Incident

BLANK = "_(to fill in)_"
TITLES = {
    "summary": "Summary", "impact": "Impact", "timeline": "Timeline (UTC)", "detection": "Detection",
    "trigger": "Trigger", "root_causes": "Root causes", "contributing_factors": "Contributing factors",
    "five_whys": "Five whys", "went_well": "What went well", "went_wrong": "What went wrong",
    "got_lucky": "Where we got lucky", "lessons": "Lessons",
}  # fmt: skip
ITEMS = "Action items"
_ASKED = {
    "summary": "what happened, to whom, for how long, in three sentences",
    "impact": "tasks failed, events late, money, data",
    "timeline": "from the first bad moment to the last", "detection": "how it was seen, and why not earlier",
    "trigger": "what set it off", "root_causes": "what made it possible", "contributing_factors": "what made it worse",
    "five_whys": "why, five times, each with its record", "went_well": "what to keep", "went_wrong": "what to change",
    "got_lucky": "what could have made it worse, and did not", "lessons": "what others should know",
}  # fmt: skip
_COLUMNS = ("kind", "what", "owner", "due", "link", "test")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MOST_BYTES = 64_000


def escape(text: str, longest: int = 1500) -> str:
    """`text` as plain words of Markdown on one line: nothing in it is markup, and no address a link."""
    shown = "".join(char if char.isprintable() else " " for char in fields.text(text, longest))
    shown = _SPECIAL.sub(r"\\\1", shown.replace("&", "&amp;")).replace("\\<", "&lt;").replace("\\>", "&gt;")
    shown = shown.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")
    return re.sub(r"^(\s*)([-+=]|\d+[.)])", r"\1\\\2", shown)


def render(incident: Incident, draft: Draft, evidence: Evidence | None = None, *, origin: str) -> str:
    """The postmortem of `incident` as Markdown; what the draft has nothing of is a blank with its question."""
    lines = [f"# Postmortem of {incident.id}: {escape(incident.title, 200)}", ""]
    lines += [
        f"> **{MARK}**: {escape(origin)}. Blameless: write roles and agent types; names that the "
        "records hold may stand in it, take them out.",
        "",
    ]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {name} | {escape(str(value), 500)} |" for name, value in _facts(incident) if value]
    for name in SECTIONS:
        claims = getattr(draft, name)
        lines += ["", f"## {TITLES[name]}", ""]
        lines += [f"- {escape(one.text)} [{', '.join(escape(ref, 64) for ref in one.refs)}]" for one in claims]
        if not claims:
            lines.append(f"{BLANK} {_ASKED[name]}")
    lines += ["", f"## {ITEMS}", "", f"Kinds: {', '.join(owed.KINDS)}. Each needs an owner, a day and a test.", ""]
    lines += [f"| {' | '.join(_COLUMNS)} |", "|" + "---|" * len(_COLUMNS)]
    for item in draft.action_items:
        cells = (item.kind, escape(item.what), BLANK, BLANK, "", escape(item.success_test))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *_appendix(evidence)]) + "\n"


def _facts(incident: Incident) -> list[tuple[str, Any]]:
    times = (
        ("began", incident.started_s), ("detected", incident.detected_s), ("acknowledged", incident.acknowledged_s),
        ("mitigated", incident.mitigated_s), ("resolved", incident.resolved_s),
    )  # fmt: skip
    return [
        ("severity", incident.severity), ("state", incident.state), ("detection", incident.detection),
        ("alert", incident.alert), ("project", incident.project), ("store", incident.store),
        *((name, iso(int(at_s * 1e6))) for name, at_s in times if at_s),
        ("measure", incident.measure), ("fix", incident.fix), ("owed because of", ", ".join(owed.reasons(incident))),
    ]  # fmt: skip


def _appendix(evidence: Evidence | None) -> list[str]:
    """The evidence under the draft, for whoever fills it in."""
    if evidence is None:
        return []
    lines = ["", "## Evidence", ""]
    for one in evidence.nearest:
        fix = escape(one["fix"] or "none said", 300)
        lines.append(f"- nearest: {one['id']} ({one['score']:g}): {escape(one['title'], 200)}; fix: {fix}")
    lines += [
        f"- connected: {escape(one['kind'])} {escape(one['key'], 300)}, {one['hops']} hops"
        for one in evidence.neighbours[:15]
    ]
    lines += [f"- rule {escape(one['rule'])}: {one['count']} x {escape(one['decision'])}" for one in evidence.rules]
    lines += [f"- {_figure(one)}" for one in evidence.metrics[:15]]
    lines += [f"- changed at {one['at']}: {escape(one['what'])}" for one in evidence.changes[-20:]]
    lines += [f"- not known: {escape(one)}" for one in evidence.left_out]
    return lines if len(lines) > 3 else []


def _figure(one: dict[str, Any]) -> str:
    """A figure around the start, on one line."""
    after = one.get("least_after"), one.get("most_after")
    told = f"{after[0]:g}" if after[0] == after[1] else f"{after[0]:g} to {after[1]:g}"
    before = f"{one['before']:g}" if "before" in one else "unknown"
    return f"measured: {escape(one['name'], 200)}: {before} in the half hour before, {told} in the quarter after"


def read(text: str) -> tuple[list[str], list[dict[str, Any]]]:
    """(what is missing, in words; the action items) of a postmortem that a person filled in."""
    parts = _parts(text)
    missing = []
    for title in (*TITLES.values(), ITEMS):
        body = parts.get(title)
        if body is None:
            missing.append(f"the section {title}")
        elif not body.strip() or BLANK in body:
            missing.append(f"{title} has a blank")
    items = _items(parts.get(ITEMS, ""))
    if not items:
        missing.append("an action item")
    for number, item in enumerate(items, 1):
        lacking = [name for name in ("owner", "test") if not item[name]]
        lacking += [] if item["kind"] in owed.KINDS else ["kind"]
        lacking += [] if _DAY.fullmatch(item["due"]) else ["due (as 2027-01-31)"]
        if lacking:
            missing.append(f"action item {number} lacks {', '.join(lacking)}")
    return missing[:30], items


def _parts(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    at: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("## "):
            at = found.setdefault(line[3:].strip(), [])
        elif at is not None:
            at.append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def _items(body: str) -> list[dict[str, Any]]:
    found = []
    for line in body.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if len(cells) != len(_COLUMNS) or cells[0] in (_COLUMNS[0], "") or set(cells[0]) <= {"-", ":"}:
            continue
        row = {name: fields.text(redact_text(cell)[0], 500) for name, cell in zip(_COLUMNS, cells, strict=True)}
        found.append({name: "" if value == BLANK else value for name, value in row.items()})
    return found[: owed.MOST_ITEMS]
