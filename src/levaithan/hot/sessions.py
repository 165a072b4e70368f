"""What is known of each session beyond one event: H/state/sessions/<session>.json, and the same in memory.

The client's version is one reason, not every event carries it; the task that the session works on is the other: a halt
of that stops it. Written at a session's first event and where its task changes, so that it costs the other events
nothing. Its time is the session's heartbeat: set to now by an event, at most once in BEAT_S. Standard library only.
"""

from __future__ import annotations

import errno
import os

from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.paths import Home
    from levaithan.hot.workflow import Context

BEAT_S = 15
BEAT_LIVES_S = 2 * BEAT_S
"""How long a heartbeat counts."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_IN_MEMORY = 4096
_LOOKED_AT = 4000
_KEPT = 2000
_SWEPT_AT_ONCE = 200
_SWEEPS = ("00", "40", "80", "c0")
"""Ends of ids: one session in 64 pays for looking after the folder."""
_OLD_S = 30 * 86400
_TRANSCRIPT_BYTES = 64 << 10
_MAX_TEXT = 4096
_MAX_NAME = 200


def file_name(session_id: str) -> str:
    """The file name of a session: its id, or a hash of an id that is not made of letters, digits and `-`."""
    if 0 < len(session_id) <= 64 and _PLAIN.issuperset(session_id):
        return session_id + ".json"
    from levaithan.hot.bounded import sha256_hex

    return "x-" + sha256_hex(session_id.encode("utf-8", "surrogatepass"))[:48] + ".json"


def client_version(agent: str | None) -> str | None:
    """The version in AI_AGENT (`claude-code_2-1-330_harness` is 2.1.330), or None."""
    if not agent or not agent.startswith("claude-code"):
        return None
    digits = agent[len("claude-code") :].lstrip("_/").replace("/", "_").split("_", 1)[0].replace("-", ".")
    parts = digits.split(".")
    return digits if 2 <= len(parts) <= 4 and all(part.isascii() and part.isdigit() for part in parts) else None


def version_of(event: Event, context: Context) -> str | None:
    """The client's version: of AI_AGENT, else as the session's first event had it, else None."""
    agent = event.env.get("agent")
    memory = context.memory
    versions = memory.get("versions")
    if versions is None:
        versions = memory["versions"] = {}
    if agent:
        if agent not in versions:
            if len(versions) > 256:
                versions.clear()
            versions[agent] = client_version(agent)
        if versions[agent]:
            found: str | None = versions[agent]
            return found
    session = known(event, context)
    version = session.get("client_version") if session else None
    return version if isinstance(version, str) else None


def known(event: Event, context: Context) -> dict[str, Any] | None:
    """What is known of the event's session, from memory or else from its file."""
    session_id = event.session_id
    if not session_id:
        return None
    sessions: dict[str, Any] = context.memory.setdefault("sessions", {})
    if session_id in sessions:
        kept: dict[str, Any] | None = sessions[session_id]
        return kept
    try:
        with open(f"{context.home.sessions}/{file_name(session_id)}", "rb", opener=regular) as file:
            session = context.loads(file.read(1 << 16))
    except (OSError, ValueError):
        return None
    if not isinstance(session, dict):
        return None
    _remember(sessions, session_id, session)
    return session


def register(event: Event, context: Context) -> None:
    """Write down a session at its first event, at each SessionStart, and what it works on. Raises OSError when it
    cannot."""
    session_id = event.session_id
    if not session_id:
        return
    start = event.name == "SessionStart"
    update = event.tool_name == "TaskUpdate" and event.name == "PostToolUse"
    if not start and not update and _beaten(event, context, session_id):
        return
    before = known(event, context) or {}
    task = _task_after(event, before.get("task")) if update else before.get("task")
    if update and before and task == before.get("task"):
        _beaten(event, context, session_id)
        return
    session = {**before, "task": task} if update and before else _describe(event, context, session_id) | {"task": task}
    _remember(context.memory.setdefault("sessions", {}), session_id, session)
    _write(context, session_id, session)
    if start or event.id[-2:] in _SWEEPS:  # sessions without a start come too, and each is a file
        sweep(context.home.sessions, context.now_us / 1_000_000)


def _beaten(event: Event, context: Context, session_id: str) -> bool:
    """Whether the session is written down as it is; then its file says that it was heard of now, or a moment ago."""
    memory = context.memory
    beats = memory.get("beats")
    if beats is None:
        beats = memory["beats"] = {}
    now_us: int = context.now_us
    last = beats.get(session_id)
    if last is not None and 0 <= now_us - last < BEAT_S * 1_000_000 and session_id in memory.get("sessions", ()):
        return True
    session, pid = known(event, context), event.env.get("pid")
    if not session or (pid and pid != session.get("pid")):  # it goes on in another process
        return False
    if len(beats) >= _IN_MEMORY:
        beats.clear()
    beats[session_id] = now_us
    try:
        os.utime(f"{context.home.sessions}/{file_name(session_id)}")
    except FileNotFoundError:
        return False
    except OSError:  # a heartbeat that cannot be set is one that is missing: others wait for longer, nothing else
        return True
    return True


def heartbeat(home: Home, session_id: str) -> tuple[float, bool | None]:
    """When a session was last heard of (Unix seconds, 0 for never), and whether its process of Claude Code is there
    (None where that cannot be told). Never raises."""
    from levaithan.hot.client_process import alive
    from levaithan.hot.plain_json import loads

    try:
        with open(f"{home.sessions}/{file_name(session_id)}", "rb", opener=regular) as file:
            at_s = os.fstat(file.fileno()).st_mtime
            session = loads(file.read(1 << 16))
    except (OSError, ValueError, RecursionError):
        return 0.0, None
    if not isinstance(session, dict):
        return at_s, None
    return at_s, alive(session.get("pid"), session.get("pid_began"))


def _task_after(event: Event, before: str | None) -> str | None:
    """The task that the session works on after a TaskUpdate."""
    named, status = event.tool_input.get("taskId"), event.tool_input.get("status")
    if not isinstance(named, str) or len(named) > _MAX_NAME:
        return before
    if status == "in_progress":
        return named
    return None if named == before and status in ("completed", "deleted", "pending") else before


def task_of(home: Home, session_id: str | None) -> str | None:
    """The task that a session says it works on, None where it said none. Never raises."""
    from levaithan.hot.plain_json import loads

    if not session_id:
        return None
    try:
        with open(f"{home.sessions}/{file_name(session_id)}", "rb", opener=regular) as file:
            session = loads(file.read(1 << 16))
    except (OSError, ValueError, RecursionError):
        return None
    task = session.get("task") if isinstance(session, dict) else None
    return task if isinstance(task, str) else None


def _describe(event: Event, context: Context, session_id: str) -> dict[str, Any]:
    from levaithan.hot.bounded import short
    from levaithan.hot.client_process import began

    transcript = event.text("transcript_path")
    pid = event.env.get("pid", "")[:16] or None
    version = client_version(event.env.get("agent"))
    if version is None and transcript and event.name == "SessionStart":
        version = transcript_version(transcript)
    return {
        "version": 1,
        "session_id": short(session_id, _MAX_TEXT),
        "project": short(event.project or "", _MAX_TEXT) or None,
        "cwd": short(event.cwd or "", _MAX_TEXT) or None,
        "transcript_path": short(transcript or "", _MAX_TEXT) or None,
        "client_version": version,
        "source": short(event.text("source") or "", 64) or None,
        "model": short(event.text("model") or "", 128) or None,
        "attended": event.env.get("attended", "")[:8] or None,
        "pid": pid,
        "pid_began": began(pid),
        "first_event": event.name,
        "seen_us": context.now_us,
    }


def transcript_version(path: str) -> str | None:
    """The `"version"` of a transcript's first lines, or None. Reads a bounded part of a regular file only."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe there must not hold us
    except (OSError, ValueError):
        return None
    try:
        if (os.fstat(descriptor).st_mode & 0o170000) != 0o100000:
            return None
        head = os.read(descriptor, _TRANSCRIPT_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    at = head.find(b'"version":"')
    text = head[at + 11 : at + 43].split(b'"', 1)[0] if at >= 0 else b""
    parts = text.split(b".")
    return text.decode() if 2 <= len(parts) <= 4 and all(part.isdigit() for part in parts) else None


def _remember(sessions: dict[str, Any], session_id: str, session: dict[str, Any]) -> None:
    if len(sessions) >= _IN_MEMORY:
        for old in list(sessions)[: _IN_MEMORY // 4]:
            del sessions[old]
    sessions[session_id] = session


def _write(context: Context, session_id: str, session: dict[str, Any]) -> None:
    from levaithan.hot.plain_json import dumps
    from levaithan.hot.redact import encode_redacted

    folder = context.home.sessions
    body, _ = encode_redacted(session, dumps)
    target = f"{folder}/{file_name(session_id)}"
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        descriptor = _create(temporary)
    except FileNotFoundError:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor = _create(temporary)
    try:
        try:
            if os.write(descriptor, body) < len(body):
                raise OSError(errno.ENOSPC, "only a part of it could be written")
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except OSError:
        os.unlink(temporary)
        raise


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def sweep(folder: str, now_s: float) -> int:
    """Remove what is older than thirty days, and the oldest above two thousand, a bounded number a call; how many."""
    found: list[tuple[float, str]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) >= _LOOKED_AT:
                    break
                found.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
    except OSError:
        return 0
    if len(found) <= _KEPT and not any(now_s - when > _OLD_S for when, _ in found):
        return 0
    found.sort()
    excess = len(found) - _KEPT
    removed = 0
    for place, (when, path) in enumerate(found[:_SWEPT_AT_ONCE]):
        if place >= excess and now_s - when <= _OLD_S:
            break
        try:
            os.unlink(path)
            removed += 1
        except OSError:
            continue
    return removed
