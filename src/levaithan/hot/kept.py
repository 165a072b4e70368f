"""A JSON file that is kept from one process to the next, with the hash of its content in front.

What is compiled once and believed ever after must not change its meaning by one bad bit: a bit in the name of a
workflow would leave a guard without its checks. A file that is not whole is as good as none. Standard library only,
and lean: the one-shot path reads two of them while Claude Code waits.
"""

from __future__ import annotations

import os

from levaithan.hot.bounded import sha256_hex
from levaithan.hot.paths import regular
from levaithan.hot.plain_json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FRONT, _MIDDLE = b'{"sha256":"', b'","kept":'
_MOST = 16 << 20


def read(path: str) -> Any:
    """What was kept; None when there is nothing, or it is not what was written. Never raises."""
    try:
        with open(path, "rb", opener=regular) as file:
            data = file.read(_MOST)
        front, middle, text = data[:75], data[75:84], data[84:-1]
        if front[:11] != _FRONT or middle != _MIDDLE or data[-1:] != b"}":
            return None
        return loads(text) if sha256_hex(text).encode() == front[11:] else None
    except Exception:  # whatever it is: it is no reason to fail, it is made again
        return None


def write(path: str, value: Any) -> bool:
    """Keep `value` by temporary file and rename; False where nothing can be written: it is made again next time."""
    made = dumps(value)
    text = made.encode() if isinstance(made, str) else made
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(_FRONT + sha256_hex(text).encode() + _MIDDLE + text + b"}")
        os.replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        return False
    return True
