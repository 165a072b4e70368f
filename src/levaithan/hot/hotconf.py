"""The few settings that the hot path needs, in a form that C and a bare Python read without a parser.

`levaithan.config.hotconf` compiles the file from the full settings. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FSYNC = ("always", "interval", "never")
ON_FAILURE = ("decide", "deny")

_TEXT = {"python": "", "src": ""}
_CHOICE = {"fsync": FSYNC, "journal_failure": ON_FAILURE}
_NUMBER = {
    "wait_ms": (2000, 1, 5000),
    "deadline_ms": (1500, 10, 4000),
    "fsync_interval_ms": (200, 1, 60_000),
    "segment_bytes": (64 << 20, 4096, 1 << 40),
    "journal_max_bytes": (10 << 30, 0, 1 << 60),
    "max_stdin_bytes": (64 << 20, 1 << 20, 1 << 30),
    "max_record_bytes": (16 << 20, 64 << 10, 256 << 20),
}


class HotConf:
    """The settings of the hot path. Times are milliseconds, sizes bytes; `problems` says which lines were ignored."""

    __slots__ = (
        "deadline_ms",
        "fsync",
        "fsync_interval_ms",
        "journal_failure",
        "journal_max_bytes",
        "max_record_bytes",
        "max_stdin_bytes",
        "problems",
        "python",
        "segment_bytes",
        "src",
        "wait_ms",
    )

    python: str
    src: str
    fsync: str
    journal_failure: str
    wait_ms: int
    deadline_ms: int
    fsync_interval_ms: int
    segment_bytes: int
    journal_max_bytes: int
    max_stdin_bytes: int
    max_record_bytes: int
    problems: list[str]

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.problems = []
        given = values or {}
        for key, text in _TEXT.items():
            setattr(self, key, given.get(key, text))
        for key, allowed in _CHOICE.items():
            setattr(self, key, self._choice(key, given.get(key), allowed))
        for key, (default, least, most) in _NUMBER.items():
            setattr(self, key, self._number(key, given.get(key), default, least, most))

    def _choice(self, key: str, text: str | None, allowed: tuple[str, ...]) -> str:
        if text is None or text in allowed:
            return text or allowed[0]
        self.problems.append(f"{key}={text}: not one of {', '.join(allowed)}; {allowed[0]} is used")
        return allowed[0]

    def _number(self, key: str, text: str | None, default: int, least: int, most: int) -> int:
        if text is None:
            return default
        if text.isascii() and text.isdigit() and least <= int(text[:20]) <= most:
            return int(text)
        self.problems.append(f"{key}={text[:40]}: not a whole number from {least} to {most}; {default} is used")
        return default


def keys() -> tuple[str, ...]:
    """Every key that hot.conf may hold."""
    return (*_TEXT, *_CHOICE, *_NUMBER)


def read(path: str) -> HotConf:
    """The settings in the file `path`; never raises: what is missing or wrong gets its default, see `problems`."""
    try:
        with open(path, "rb", opener=regular) as file:
            text = file.read(1 << 20).decode("utf-8", "replace")
    except FileNotFoundError:
        return HotConf()
    except OSError as error:
        conf = HotConf()
        conf.problems.append(
            f"{path} cannot be read ({error.strerror}); defaults are used: run `levaithan doctor --fix`"
        )
        return conf
    values = {}
    for line in text.split("\n"):
        key, found, value = line.partition("=")
        if found:
            values[key.strip()] = value.strip()
    return HotConf(values)
