"""What a session used, read from its transcripts as they grow: a call to a model counts once, however often it stands.

The client writes a line a content block, and each repeats the call's usage; a resumed, forked or compacted session
copies lines of another. So a call is its `message.id`, and of its lines in one file the last counts. A transcript is
the agent's to write: nothing in it may raise here. Standard library only, and lean: budgets read it while Claude Code
waits.
"""

from __future__ import annotations

import os

from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Loads = Callable[[bytes], Any]

SYNTHETIC = "<synthetic>"
"""The client's own messages, such as errors: no model was called."""
_INSIDE = ("compaction", "advisor_message")
"""Calls that the API makes by itself inside of one: billed, but in `usage.iterations` only."""
_MOST_TOKENS = 10**12
_MOST_TEXT = 256
_MOST_AGENTS = 10_000
_MARK = 1024
"""Bytes before a place that must be the same for a read to go on there: more than what ends every line alike."""
FIELDS = (
    "message_id", "model", "session_id", "agent_id", "time", "mode", "input", "output", "cache_read",
    "cache_write_5m", "cache_write_1h", "web_search",
)  # fmt: skip


class Call:
    """One call to a model. time: ISO 8601 as the client wrote it; mode: "", "fast" or "batch", which cost differently;

    agent_id: "" for the main thread; input excludes what was read from or written to the cache; all counts in tokens,
    web_search in requests.
    """

    __slots__ = FIELDS

    def __init__(  # noqa: PLR0917 - Call(*row)
        self, message_id: str, model: str, session_id: str = "", agent_id: str = "", time: str = "", mode: str = "",
        input: int = 0, output: int = 0, cache_read: int = 0, cache_write_5m: int = 0, cache_write_1h: int = 0,
        web_search: int = 0,
    ) -> None:  # fmt: skip
        self.message_id = message_id
        self.model = model
        self.session_id = session_id
        self.agent_id = agent_id
        self.time = time
        self.mode = mode
        self.input = input
        self.output = output
        self.cache_read = cache_read
        self.cache_write_5m = cache_write_5m
        self.cache_write_1h = cache_write_1h
        self.web_search = web_search

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt, the cached ones included: what prices by length go by."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.prompt + self.output

    def row(self) -> list[Any]:
        """Its values in the order of FIELDS, as JSON keeps them: Call(*row) is the same call."""
        return [getattr(self, name) for name in FIELDS]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and self.row() == other.row()

    def __hash__(self) -> int:
        return hash(self.message_id)

    def __repr__(self) -> str:
        return f"Call({', '.join(repr(value) for value in self.row())})"


def files(transcript_path: str) -> list[str]:
    """The session's transcript and those of its subagents, in order of their names; never raises."""
    found = [transcript_path]
    folder = transcript_path.removesuffix(".jsonl") + "/subagents"
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("agent-") and entry.name.endswith(".jsonl"):
                    found.append(entry.path)
                    if len(found) > _MOST_AGENTS:
                        break
    except (OSError, ValueError):
        return found
    return [transcript_path, *sorted(found[1:])]


class Tail:
    """One transcript, read on from where the last read ended.

    calls: by message id; skipped: lines that could not be understood; more: whether `most_bytes` ended the last read;
    client: the client's own sum, its last `cost-state` line, and client_until: the time of the first line after it
    ("" = there is none). Keep `place()` and the calls to go on in another process: Tail(path, *place, known=calls).
    """

    __slots__ = ("_inside", "calls", "client", "client_until", "inode", "mark", "more", "offset", "path", "skipped")

    def __init__(
        self, path: str, offset: int = 0, inode: int = 0, mark: str = "", *, known: dict[str, Call] | None = None
    ) -> None:
        self.path = path
        self.offset = offset
        self.inode = inode
        self.mark = mark
        self.calls: dict[str, Call] = {} if known is None else known
        self.skipped = 0
        self.more = False
        self.client: dict[str, Any] | None = None
        self.client_until = ""
        self._inside = False

    def place(self) -> tuple[int, int, str]:
        """Where the next read begins, and what that place is known by."""
        return self.offset, self.inode, self.mark

    def read(self, loads: Loads, most_bytes: int = 1 << 24) -> bool:
        """Read the whole new lines, at most about `most_bytes`; whether `calls` or `client` changed. Never raises."""
        self.more = False
        try:
            with open(self.path, "rb", buffering=0, opener=regular) as file:
                seen = os.fstat(file.fileno())
                if seen.st_size == self.offset and seen.st_ino == self.inode:
                    return False
                anew = bool(self.offset) and not self._continues(file, seen)
                if anew:
                    self._begin_anew()
                file.seek(self.offset)
                self.inode = seen.st_ino
                data = _all(file, most_bytes)
        except (OSError, ValueError):
            return False
        self.more = self.offset + len(data) < seen.st_size
        end = data.rfind(b"\n") + 1
        if not end:
            self._too_long(data, most_bytes)
            return anew
        begin = 0
        if self._inside:
            begin, self._inside = data.find(b"\n") + 1, False
        changed = self._take(data, begin, end, loads)
        self._move(data[:end])
        return changed or anew

    def _continues(self, file: Any, seen: os.stat_result) -> bool:
        """Whether it is the file of the last read, and has grown: what stood before the place still does."""
        if (self.inode and seen.st_ino != self.inode) or seen.st_size < self.offset:
            return False
        size = int(self.mark.partition(":")[0] or 0)
        file.seek(self.offset - size)
        return _mark(_all(file, size)) == self.mark or not self.mark

    def _begin_anew(self) -> None:
        self.offset, self.mark, self._inside = 0, "", False
        self.calls.clear()
        self.client, self.client_until = None, ""

    def _move(self, read: bytes) -> None:
        self.offset += len(read)
        self.mark = _mark(read[-_MARK:])

    def _too_long(self, data: bytes, most_bytes: int) -> None:
        """Pass over the part of a line that is longer than one read; the rest of it is passed over as well."""
        if len(data) < most_bytes:
            return
        self.skipped += not self._inside
        self._inside = True
        self._move(data)

    def _take(self, data: bytes, begin: int, end: int, loads: Loads) -> bool:
        changed = self._client(data, begin, end, loads)
        for line in _lines_with(b'"usage"', data, begin, end):
            try:
                found = calls_of(loads(line))
            except Exception:  # whatever is there: it is counted, and no reason to fail
                self.skipped += 1
                continue
            for call in found:
                if self.calls.get(call.message_id) != call:
                    self.calls[call.message_id] = call
                    changed = True
        return changed

    def _client(self, data: bytes, begin: int, end: int, loads: Loads) -> bool:
        """Note the last `cost-state` line, and when the session went on after it."""
        changed = False
        for line in _lines_with(b'"cost-state"', data, begin, end):
            told = _object(line, loads)
            if told.get("type") == "cost-state" and type(told.get("modelUsage")) is dict:
                self.client, self.client_until, changed = told, "", True
                begin = data.index(line, begin) + len(line) + 1
        if self.client is not None and not self.client_until:
            for line in _lines_with(b'"timestamp"', data, begin, end):
                time = _object(line, loads).get("timestamp")
                if type(time) is str and 0 < len(time) <= _MOST_TEXT:
                    self.client_until, changed = time, True
                    break
        return changed


def calls_of(line: Any) -> list[Call]:
    """The calls that a line of a transcript tells of: none, one, or it and those inside it that its usage leaves out.

    Raises ValueError, and what else nonsense may raise.
    """
    message = line.get("message")
    if line.get("type") != "assistant" or type(message) is not dict or type(message.get("usage")) is not dict:
        return []
    usage = message["usage"]
    model, message_id = _text(message.get("model")), _text(message.get("id"))
    if not message_id:
        raise ValueError("a call without an id")
    found = [_call(message_id, model, line, {} if model == SYNTHETIC else usage)]
    for number, inside in enumerate(usage.get("iterations") or ()):
        if inside.get("type") in _INSIDE:
            found.append(_call(f"{message_id}/{number}", _text(inside.get("model")) or model, line, inside))
    return found


def _call(message_id: str, model: str, line: dict[str, Any], usage: dict[str, Any]) -> Call:
    short, long = 0, 0
    created = usage.get("cache_creation")
    if created is not None:
        short, long = _count(created, "ephemeral_5m_input_tokens"), _count(created, "ephemeral_1h_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    if written > short + long:  # what is not said to last an hour lasts five minutes
        short = written - long
    mode = "fast" if usage.get("speed") == "fast" else "batch" if usage.get("service_tier") == "batch" else ""
    tools = usage.get("server_tool_use")
    return Call(
        message_id, model, _text(line.get("sessionId")), _text(line.get("agentId")), _text(line.get("timestamp")), mode,
        _count(usage, "input_tokens"), _count(usage, "output_tokens"), _count(usage, "cache_read_input_tokens"),
        short, long, 0 if tools is None else _count(tools, "web_search_requests"),
    )  # fmt: skip


def _object(line: bytes, loads: Loads) -> dict[str, Any]:
    """The object of a line, {} where it holds none. Never raises."""
    try:
        value = loads(line)
    except Exception:  # whatever is there
        return {}
    return value if type(value) is dict else {}


def _count(table: Any, name: str) -> int:
    value = table.get(name)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= _MOST_TOKENS:
        raise ValueError(f"{name} is no count")
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if type(value) is not str or len(value) > _MOST_TEXT:
        raise ValueError("a name is expected")
    return value


def _lines_with(word: bytes, data: bytes, begin: int, end: int) -> Iterator[bytes]:
    """The lines of `data` that contain `word`, from `begin` (the start of a line) to `end` (after a line's end)."""
    at = data.find(word, begin, end)
    while at >= 0:
        line_end = data.find(b"\n", at)
        yield data[data.rfind(b"\n", begin, at) + 1 or begin : line_end]
        at = data.find(word, line_end, end)


def _mark(data: bytes) -> str:
    from binascii import crc32  # a library of its own: not for who reads nothing

    return f"{len(data)}:{crc32(data)}"


def _all(file: Any, size: int) -> bytes:
    """Up to `size` bytes; a raw read may end early."""
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
