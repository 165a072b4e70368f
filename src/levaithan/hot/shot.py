"""One event from stdin to stdout without a service: the same gate, the same journal, in this process.

It exits with 0 or 2 only, never shows a traceback, and ends itself before Claude Code's timeout would let the tool run.
Standard library only, and as little of it as possible: json, re or socket alone cost as much as a bare Python's start.
"""

from __future__ import annotations

import os
import sys
import time

from levaithan.hot import contract, hotconf, paths
from levaithan.hot.catalogue import GUARDS
from levaithan.hot.event import parse
from levaithan.hot.opinion import Decision
from levaithan.hot.wire import ENVIRONMENT, TRUNCATED_PAYLOAD

try:
    import _signal  # type: ignore[import-not-found]
except ImportError:  # a Python without the private module
    import signal as _signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.gate import Gate
    from levaithan.hot.opinion import Answer
    from levaithan.hot.paths import Home

_TOTAL_S = 8.0
"""From the client's begin to our own end; the client gives up at 9 s, Claude Code at 10 s."""
_LEAST_S = 1.0
_MAX_VALUE = 8 << 10
_LOG_BYTES = 1 << 20


class OutOfTime(BaseException):
    """The whole call took too long."""


class Call:
    """The command line: event, home, and the header of the event as the client would have sent it; sent: whether a
    service may have taken the event already."""

    __slots__ = ("event", "header", "home", "sent")

    def __init__(self, arguments: list[str]) -> None:
        self.event = ""
        self.home: str | None = None
        self.sent = False
        self.header: dict[str, str] = {"path": "oneshot"}
        # --path says which client fell back; the record's path stays "oneshot": that no service decided is what counts.
        named = {"--id": "id", "--started": "started_ns", "--path": "client", "--truncated": "truncated"}
        rest = iter(arguments)
        for argument in rest:
            name, equals, value = argument.partition("=")
            if name == "--home":
                self.home = value if equals else next(rest, None)
            elif name in named:
                self.header[named[name]] = value if equals else next(rest, "")
            elif argument == "--sent":
                self.sent = True
            elif not argument.startswith("-") and not self.event:
                self.event = argument
        self.header["event"] = self.event
        for key, variable in ENVIRONMENT.items():
            text = os.environ.get(variable)
            if text:
                self.header[key] = text[:_MAX_VALUE]
        if not self.header.get("started_ns"):
            self.header["started_ns"] = str(time.time_ns())


def main(arguments: list[str]) -> int:
    """Decide, record and answer the event on stdin; gives the exit code, 0 or 2. Never raises."""
    call = Call(arguments)
    stdout = 1
    home: Home | None = None
    try:
        _open_standard()
        _limit(call)
        stdout = _aside()
        sys.unraisablehook = _unsaid
        # Configuration comes from the arguments alone: the environment is the agent's.
        home = paths.find_home(call.home, {})
        answer = _answer(call, home)
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        return _say(call.event, answer, stdout)
    except BaseException as error:  # the last resort: a guard refuses, all else passes, and the log says why
        return _last_resort(call, home, error, stdout)


def _answer(call: Call, home: Home) -> Answer:
    conf = hotconf.read(home.hot_conf)
    raw, total = read_stdin(conf.max_stdin_bytes)
    if total > len(raw):
        call.header.setdefault("truncated", str(total))
    event = parse(call.header, raw)
    call.event = event.name
    from levaithan.hot.gate import Gate

    gate = Gate(home, conf)
    outcome, body = gate.decide(event)
    name, decision = event.name, outcome.decision
    try:
        name, decision = _journal(call, gate, event, body) or (name, decision)
    except Exception as error:  # JournalError, and whatever else keeps the event from being recorded
        log_error(home, f"{event.name} {event.id} was not recorded: {_words(error)}")
        why = f"LevAIthan could not record this {event.name} ({_words(error)})"
        if conf.journal_failure == "deny" and event.guard:
            if decision.verdict not in ("deny", "halt"):
                decision = Decision(
                    "deny", f"{why}, so it is refused. {contract.NEXT_STEP}", "journal-failure", "journal"
                )
        else:
            outcome.notices.append(f"{why}; what was decided holds. {contract.NEXT_STEP}")
        answer = contract.render(name, decision, outcome.notices)
        answer.stderr = answer.stderr or (why + ". " + contract.NEXT_STEP + "\n").encode("utf-8", "backslashreplace")
        return answer
    return contract.render(name, decision, outcome.notices)


def _journal(call: Call, gate: Gate, event: Event, body: bytes) -> tuple[str, Decision] | None:
    """Record the event, synced. Gives what a service had recorded of it already, or None; raises as Journal."""
    from levaithan.hot.journal import Journal

    conf = gate.conf
    journal = Journal(
        gate.home.journal,
        fsync=conf.fsync,
        fsync_interval_ms=conf.fsync_interval_ms,
        segment_bytes=conf.segment_bytes,
        max_record_bytes=conf.max_record_bytes,
        machine=gate.machine,
    )
    appended = journal.append([(event.id, body)], replay=call.sent)[0]
    journal.sync()
    if appended.duplicate is None:
        return None
    try:
        return contract.recorded(appended.duplicate)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None  # another kind of record under this id: our own decision is as good


def read_stdin(limit: int) -> tuple[bytes, int]:
    """(stdin, its whole length). Over `limit` bytes only the first MiB is kept; the rest is drained, not stored."""
    parts: list[bytes] = []
    total = 0
    while True:
        try:
            part = os.read(0, 1 << 20)
        except OSError:  # closed, or a folder
            break
        if not part:
            break
        total += len(part)
        if total <= limit:
            parts.append(part)
        elif total - len(part) <= limit:
            parts = [b"".join((*parts, part))[:TRUNCATED_PAYLOAD]]
    return b"".join(parts), total


def _limit(call: Call) -> None:
    """End this process in time, counted from when the client began (if its clock is sane)."""
    left = _TOTAL_S
    started = call.header["started_ns"]
    if started.isascii() and started.isdigit() and len(started) < 20:
        gone = (time.time_ns() - int(started)) / 1e9
        if 0 <= gone < 60:
            left = max(_TOTAL_S - gone, _LEAST_S)

    def ring(_number: int, _frame: Any) -> None:
        raise OutOfTime("it took too long")

    _signal.signal(_signal.SIGALRM, ring)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGALRM,))  # a mask is inherited: no timer would ring
    _signal.setitimer(_signal.ITIMER_REAL, left)


def _open_standard() -> None:
    """Fill closed descriptors: the journal must not become fd 1. Read only, so that a deny to nowhere is noticed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open("/dev/null", os.O_RDONLY)


def _aside() -> int:
    """Move stdout away, so that a hook that prints cannot garble the answer; gives the descriptor to answer on."""
    try:
        kept = os.dup(1)
    except OSError:
        return 1
    try:
        os.dup2(2, 1)
    except OSError:
        pass
    return kept


def _unsaid(_unraisable: object) -> None:
    """What cannot be raised (in a hook's destructor, where a time limit may ring as well) shows no traceback."""


def _say(event: str, answer: Answer, stdout: int) -> int:
    """Write the answer. A deny that could not be written must not become an allow."""
    try:
        _write(stdout, answer.stdout)
    except OSError:
        if event in GUARDS:
            _write_anyway(2, b"LevAIthan: the answer could not be written; the call is refused, try again\n")
            return 2
    _write_anyway(2, answer.stderr)
    return answer.exit_code


def _last_resort(call: Call, home: Home | None, error: BaseException, stdout: int) -> int:
    why = _words(error)
    answer = contract.last_resort(call.event, why)
    try:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        if home is not None:
            log_error(home, f"{call.event} {call.header.get('id', '')}: {why}")
    except BaseException:  # noqa: S110 - the answer is what matters now
        pass
    return _say(call.event, answer, stdout)


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:
        return type(error).__name__


def log_error(home: Home, text: str) -> None:
    """One redacted line in H/logs/hook-errors.log, which is bounded; says nothing when it cannot be written."""
    path = home.logs + "/hook-errors.log"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        from levaithan.hot.redact import redact_text

        line = f"{stamp} {redact_text(text)[0]}".replace("\n", " ")[:2000] + "\n"
        os.makedirs(home.logs, mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            full = _add_line(descriptor, line.encode("utf-8", "backslashreplace")) > _LOG_BYTES
        finally:
            os.close(descriptor)
        if full:
            os.replace(path, path + ".1")
    except Exception:  # noqa: S110 - an error about an error helps nobody
        pass


def _add_line(descriptor: int, line: bytes) -> int:
    """Append a line, all of it or nothing; the file's size. Never waits for another writer."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(descriptor).st_size
    except OSError:
        size = -1
    if os.write(descriptor, line) < len(line) and size >= 0:
        os.ftruncate(descriptor, size)
    return os.fstat(descriptor).st_size


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _write_anyway(descriptor: int, data: bytes) -> None:
    try:
        _write(descriptor, data)
    except OSError:
        pass
