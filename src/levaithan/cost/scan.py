"""Reads on in every transcript there is, from where the last scan ended, into the record of calls.

The transcripts are those of the ledger's sessions and those that lie in the client's `projects` folders: a session
that ran before LevAIthan was installed cost money, too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from levaithan.hot import usage
from levaithan.hot.paths import regular
from levaithan.hot.plain_json import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from levaithan.cost.calls import Calls

_HEAD_BYTES = 256 << 10


class Answers(Protocol):
    """The part of the ledger that is asked."""

    def rows(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """The answer to one SELECT with `:name` parameters."""


@dataclass(slots=True)
class Sources:
    """Where to read: transcripts by session, and what is known of sessions and agents besides."""

    transcripts: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Scanned:
    """What a scan did: transcripts that had something new, and those looked at."""

    new: int = 0
    files: int = 0


def of_ledger(ledger: Answers, sources: Sources) -> None:
    """Add the sessions and agents of the ledger, the oldest first: a copied call stays with the session it was made in.

    Raises StoreError.
    """
    sql = "SELECT session_id, transcript_path, project FROM sessions ORDER BY first_us, session_id"
    for session, transcript, project in ledger.rows(sql):
        if transcript and transcript.endswith(".jsonl") and Path(transcript).is_absolute():
            sources.transcripts.setdefault(session, transcript)
        if project:
            sources.projects[session] = project
    for agent, kind in ledger.rows("SELECT agent_id, agent_type FROM agents WHERE agent_type IS NOT NULL"):
        sources.agents[agent] = kind


def of_folder(projects: str, sources: Sources) -> None:
    """Add the sessions whose transcripts lie in the client's folder `projects`, the oldest first. Never raises."""
    found: list[tuple[float, str, str]] = []
    for folder in _entries(projects):
        if folder.is_dir(follow_symlinks=False):
            for entry in _entries(folder.path):
                if entry.name.endswith(".jsonl"):
                    try:
                        found.append((entry.stat().st_mtime, entry.name.removesuffix(".jsonl"), entry.path))
                    except OSError:  # it went away meanwhile
                        continue
    for _when, session, path in sorted(found):
        sources.transcripts.setdefault(session, path)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def scan(calls: Calls, sources: Sources, progress: Callable[[int, int], None] | None = None) -> Scanned:
    """Read what is new in all transcripts of `sources`. `progress` is told sessions done and sessions in all.

    Raises sqlite3.Error, which `calls.opened` puts into words.
    """
    done = Scanned()
    for number, (session, transcript) in enumerate(sources.transcripts.items(), 1):
        for path in usage.files(transcript):
            done.files += 1
            done.new += _read_on(calls, path, session, main=path == transcript)
        if progress is not None:
            progress(number, len(sources.transcripts))
    calls.name(sources.projects.items(), sources.agents.items())
    calls.name(_projects_of(calls.projectless(), sources.transcripts), ())
    return done


def _read_on(calls: Calls, path: str, session: str, *, main: bool) -> bool:
    """Whether the transcript at `path` had something new."""
    tail = calls.tail(path)
    begun = tail.place()
    if main:
        calls.resume(tail, session)
    while True:
        tail.read(loads)
        if not main:
            tail.client = None
        if tail.place() == begun:
            return False
        calls.put(tail, session)
        if not tail.more:
            return True


def _projects_of(sessions: set[str], transcripts: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """The project of sessions that the ledger knows none of: the folder that their transcript names first."""
    for session in sorted(sessions & transcripts.keys()):
        folder = _first_folder(transcripts[session])
        if folder:
            yield session, folder


def _first_folder(path: str) -> str | None:
    try:
        with open(path, "rb", opener=regular) as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return None
    for line in head.split(b"\n")[:200]:
        if b'"cwd"' in line:
            try:
                folder = loads(line).get("cwd")
            except (ValueError, RecursionError, AttributeError):
                continue
            if isinstance(folder, str) and Path(folder).is_absolute():
                return folder
    return None
