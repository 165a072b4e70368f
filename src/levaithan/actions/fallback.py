"""Where a message goes that no channel has taken: a file of the home, which `levaithan status` names.

One JSON object a line, bounded by beginning the file anew; the older half is kept beside it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot.halts import stamp
from levaithan.hot.paths import regular

if TYPE_CHECKING:
    from levaithan.actions.message import Message
    from levaithan.hot.paths import Home

MOST_BYTES = 1 << 20


def path_of(home: Home) -> Path:
    """The file."""
    return Path(home.logs, "undelivered.jsonl")


def keep(home: Home, message: Message, now_s: float) -> str:
    """Put `message` into the file; the file's path, "" where it cannot be written. Never raises."""
    path = path_of(home)
    line = json.dumps({"at": stamp(int(now_s * 1_000_000)), "title": message.title, **message.as_dict()}) + "\n"
    try:
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.replace(path.with_suffix(".jsonl.1"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "ab") as file:  # noqa: PTH123 - a descriptor
            file.write(line.encode())
    except OSError:
        return ""
    return str(path)


def last(home: Home, most: int = 100) -> list[dict[str, Any]]:
    """The last messages of the file, the newest last; [] when there is none or it cannot be read."""
    try:
        with open(path_of(home), "rb", opener=regular) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_BYTES))
            lines = file.read(MOST_BYTES + 1).splitlines()[-most:]
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            one = json.loads(line)
        except ValueError:  # cut off at the front
            continue
        if isinstance(one, dict):
            found.append(one)
    return found


def clear(home: Home) -> int:
    """A person has seen them: set the file aside; how many there were. Raises OSError."""
    count = len(last(home, 1_000_000))
    path = path_of(home)
    if path.exists():
        path.replace(path.with_suffix(".jsonl.1"))
    return count
