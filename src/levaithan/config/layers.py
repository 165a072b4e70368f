"""Where a setting's value may come from, and which place wins: flags > environment > .env > settings.toml.

Standard library only: `settings` hands these layers to pydantic-settings, and the CLI's reads take the two or three
values they need from here without loading pydantic (see `lean`). Nothing is checked here but the files' form.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from levaithan.errors import SettingsUnreadable
from levaithan.hot import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "LEVAITHAN_"
STORES = ("ledger", "search", "graph", "memory", "counters")
OPAQUE = ("notify_urls", "notify_urls_next", "notify_urls_last")
"""Secrets that are shown in no part: a webhook's path is as good as a password."""
SECRETS = (
    "checkpoint_export",
    "watchdog_url",
    "metrics_push_url",
    "otel_endpoint",
    "claude_api_key",
    "claude_url",
    *OPAQUE,
    *(f"{role}_url" for role in STORES),
    *(f"{of}_password" for of in ("ledger", "ledger_writer", "ledger_reader", "ledger_owner", "search", "counters")),
    *(f"{role}_api_key" for role in ("search", "graph", "memory")),
)
"""Settings that may hold a password: each may be given as NAME_FILE too, and is masked wherever it is shown. A test
holds them against the names of all settings, which cost too much to load here."""

NOT_SETTINGS = frozenset({"debug", "require_stores"})
"""Names after the prefix that are no setting of a home but switches of a single process."""


@dataclass(slots=True)
class Layer:
    """The values that one place gives (setting's name in lower case -> text or TOML value), and where each stands."""

    title: str
    values: dict[str, object] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: object, place: str) -> None:
        """Set `name`, found at `place`; an empty text means "not set", as an empty line of .env does."""
        if value not in ("", None):
            self.values[name] = value
            self.places[name] = place


def checkout_of_home(root: str) -> str | None:
    """The checkout whose own home `root` is, or None."""
    top, name = os.path.split(root)
    return paths.checkout_of(top + "/src") if name == ".claude" else None


def env_file(root: str) -> str:
    """The .env of the home `root`: beside setup.sh when the home is a checkout's own, else in the home.

    It depends on the home alone, so that the service (which gets --home) and every command read the same one.
    """
    return (checkout_of_home(root) or root) + "/.env"


def toml_file(root: str) -> str:
    """The settings file of the home `root`."""
    return root + "/context/settings.toml"


def collect(root: str, flags: Mapping[str, object], environ: Mapping[str, str]) -> list[Layer]:
    """The layers of the home `root`, the winning one first. Raises SettingsUnreadable for a file it cannot use."""
    return [
        _flag_layer(flags),
        _variable_layer("environment", [(key, value, key) for key, value in environ.items()]),
        _dotenv_layer(env_file(root)),
        _toml_layer(toml_file(root)),
    ]


def merge(layers: Sequence[Layer]) -> tuple[dict[str, object], dict[str, str]]:
    """(value, place) of each setting that any layer gives; the first layer that has a setting wins."""
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.values.items():
            if name not in values:
                values[name] = value
                places[name] = layer.places[name]
    return values, places


def _flag_layer(flags: Mapping[str, object]) -> Layer:
    layer = Layer("flag")
    for name, value in flags.items():
        layer.put(name, value, "flag --" + name.replace("_", "-"))
    return layer


def _variable_layer(title: str, found: Sequence[tuple[str, str, str]]) -> Layer:
    """A layer from variables (key, value, place); NAME_FILE of a secret is replaced by what that file holds."""
    layer = Layer(title)
    for key, value, place in found:
        if key.startswith(PREFIX):
            name = key[len(PREFIX) :].lower()
            where = f"{title} ({key})" if place == key else place
            if name not in NOT_SETTINGS and not _is_secret_file(name):
                layer.put(name, value, where)
    for key, value, _place in found:
        name = key[len(PREFIX) :].lower() if key.startswith(PREFIX) else ""
        if _is_secret_file(name) and value and name[:-5] not in layer.values:
            layer.put(name[:-5], read_secret(value, key), f"file {value} ({key})")
    return layer


def _is_secret_file(name: str) -> bool:
    return name.endswith("_file") and name[:-5] in SECRETS


def read_secret(path: str, key: str) -> str:
    """The secret in the file `path`, without the newline at its end; `key` names the setting in the error."""
    try:
        return Path(path).expanduser().read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsUnreadable(
            path=path, reason=_why(error), fix=f"make the file that {key} names readable, or unset {key}"
        ) from None


def _dotenv_layer(path: str) -> Layer:
    text = _read(path)
    return _variable_layer(".env", parse_dotenv(text, path)) if text is not None else Layer(".env")


def parse_dotenv(text: str, path: str) -> list[tuple[str, str, str]]:
    """(key, value, "path line N") of each assignment. Quotes, `export`, and comments after a blank are understood."""
    found = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, value = stripped.partition("=")
        if not equals:
            raise SettingsUnreadable(path=path, reason=f"line {number} is not KEY=value: {stripped[:60]!r}")
        found.append((key.strip(), _unquote(value.strip()), f"{path} line {number}"))
    return found


def _unquote(value: str) -> str:
    if value[:1] in ("'", '"'):
        end = value.find(value[0], 1)
        if end > 0:
            return value[1:end]
    cut = value.find(" #")
    return "" if value.startswith("#") else (value[:cut].rstrip() if cut >= 0 else value)


def _toml_layer(path: str) -> Layer:
    text = _read(path)
    layer = Layer("settings.toml")
    if text is None:
        return layer
    import tomllib  # noqa: PLC0415 - most homes have no such file, and the parser costs 6 ms

    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsUnreadable(path=path, reason=str(error)) from None
    for name, value in table.items():
        if _is_secret_file(name) and isinstance(value, str):
            layer.put(name[:-5], read_secret(value, name), f"file {value} ({path})")
        else:
            layer.put(name, value, path)
    return layer


def _read(path: str) -> str | None:
    """The text of a file, None when there is none."""
    try:
        with open(path, encoding="utf-8", opener=paths.regular) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsUnreadable(path=path, reason=_why(error)) from None


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"
