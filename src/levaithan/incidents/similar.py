"""Incidents that were alike, and what ended them: by what they are, where they are, and the words they have in common.
Works with no store; the memory's nearness by meaning comes on top of it where there is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from levaithan.incidents.incident import DUPLICATE, FALSE_POSITIVE
from levaithan.queries.asking import iso

if TYPE_CHECKING:
    from levaithan.incidents.book import Book
    from levaithan.incidents.incident import Incident

_WORD = re.compile(r"[a-z0-9_]{3,}")
LEAST = 0.25
MOST_LOOKED_AT = 5_000


def nearest(incident: Incident, book: Book, most: int) -> list[dict[str, Any]]:
    """The `most` nearest other incidents with their fixes, the nearest first; see `score`."""
    others = sorted(book.incidents.values(), key=lambda one: one.detected_s, reverse=True)[:MOST_LOOKED_AT]
    words = _words(incident)
    found = [
        row(other, nearness, "words")
        for other in others
        if other.id != incident.id and other.state not in (DUPLICATE, FALSE_POSITIVE)
        and (nearness := score(incident, other, words)) >= LEAST
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one["score"], one["id"]))[:most]


def score(one: Incident, other: Incident, words: frozenset[str]) -> float:
    """From 0 to 1: the same trouble again is 1; else the share of common words (Jaccard's index) counts for half, the
    same alert and the same place for a quarter each."""
    if one.fingerprint and one.fingerprint == other.fingerprint:
        return 1.0
    theirs = _words(other)
    common = len(words & theirs) / len(words | theirs) if words or theirs else 0.0
    alert = 0.25 if one.alert and one.alert == other.alert else 0.0
    places = ((one.session_id, other.session_id), (one.store, other.store), (one.project, other.project))
    place = 0.25 if any(mine and mine == its for mine, its in places) else 0.0
    return round(0.5 * common + alert + place, 3)


def row(other: Incident, nearness: float, by: str) -> dict[str, Any]:
    """An incident that is alike, as evidence and drafts have it."""
    return {
        "id": other.id, "title": other.title[:200], "score": round(nearness, 3), "by": by, "state": other.state,
        "fix": (other.fix or other.measure)[:300], "started_at": iso(int(other.started_s * 1e6)),
    }  # fmt: skip


def merged(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both lists as one, each incident once with its better score, the nearest first."""
    found: dict[str, dict[str, Any]] = {}
    for one in (*first, *second):
        known = found.get(one["id"])
        if known is None or one["score"] > known["score"]:
            found[one["id"]] = one
    return sorted(found.values(), key=lambda one: (-one["score"], one["id"]))


def _words(incident: Incident) -> frozenset[str]:
    return frozenset(_WORD.findall(f"{incident.title} {incident.text} {incident.alert} {incident.detection}".lower()))
