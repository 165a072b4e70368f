"""Every setting, with its meaning, default and limits: the one list that .env.template and the docs are made from.

pydantic-settings takes the values from the layers (flags > environment > .env > settings.toml > default). May not be
imported by `hot`, which gets its few settings compiled into hot.conf (`hotconf`).
"""

from __future__ import annotations

import difflib
import os
import re
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from levaithan.config import layers as layers_of
from levaithan.errors import NotConfigured
from levaithan.hot import paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"\s*(\d{1,20})\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)


def _size(value: object) -> object:
    """Bytes, from a number or from `64M`, `64MiB` (powers of 1024 either way)."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2].lower()] if found else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Size = Annotated[int, BeforeValidator(_size)]
Fsync = Annotated[Literal["always", "interval", "never"], BeforeValidator(_lower)]
OnFailure = Annotated[Literal["decide", "deny"], BeforeValidator(_lower)]
Level = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]


_LAYERS: ContextVar[list[layers_of.Layer]] = ContextVar("layers", default=[])  # noqa: B039 - never changed in place


class _LayerSource(PydanticBaseSettingsSource):
    """One layer, as a source of pydantic-settings."""

    def __init__(self, settings_cls: type[BaseSettings], layer: layers_of.Layer) -> None:
        super().__init__(settings_cls)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._layer.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._layer.values)


class Settings(BaseSettings):
    """The settings of one home. `home` is its root folder; `origins` says for each setting where its value is from."""

    model_config = SettingsConfigDict(env_prefix=layers_of.PREFIX, extra="forbid", frozen=True, validate_default=True)

    home: str = Field(
        default="",
        description="The root folder of the home. Only by --home or the environment: it says which .env is read. "
        "Default: .claude of the checkout, else ${XDG_STATE_HOME:-~/.local/state}/levaithan",
    )
    fsync: Fsync = Field(
        default="always",
        description="When the journal is synced to the disk: always = before each answer (nothing that Claude Code was "
        "told is ever lost), interval = every fsync_interval_ms, never = when the system does",
    )
    fsync_interval_ms: int = Field(default=200, ge=1, le=60_000, description="Milliseconds between syncs, for interval")
    segment_bytes: Size = Field(
        default=64 << 20, ge=4096, le=1 << 40, description="Size at which a new journal segment is begun"
    )
    journal_max_bytes: Size = Field(
        default=10 << 30,
        ge=0,
        le=1 << 60,
        description="Size that the whole journal may have; the oldest delivered segments go first. 0 = no bound",
    )
    journal_failure: OnFailure = Field(
        default="decide",
        description="When the journal cannot be written (disk full): decide = the gate still decides and the loss is "
        "counted, deny = guard events are denied until it can be written again",
    )
    wait_ms: int = Field(
        default=2000, ge=1, le=5000, description="Milliseconds a hook waits for the service before it decides by itself"
    )
    deadline_ms: int = Field(
        default=1500, ge=10, le=4000, description="Milliseconds all hooks of one event may take together"
    )
    max_stdin_bytes: Size = Field(
        default=64 << 20, ge=1 << 20, le=1 << 30, description="Largest input of a hook that is read whole"
    )
    max_record_bytes: Size = Field(
        default=16 << 20,
        ge=64 << 10,
        le=256 << 20,
        description="Largest journal record; longer texts are cut, and marked",
    )
    checkpoint_interval_s: int = Field(
        default=60, ge=1, le=86_400, description="Seconds of activity between two signed checkpoints"
    )
    checkpoint_export: str | None = Field(
        default=None,
        description="Where checkpoints are also kept, best off this machine: a folder, or an http(s) URL to POST to",
    )
    signing_key_file: str | None = Field(
        default=None,
        description="The Ed25519 private key (PEM) that signs checkpoints. Default: keys/journal.key of the home",
    )
    ledger_url: str | None = Field(default=None, description="The ledger's database; unset = SQLite in the home")
    ledger_max_field_bytes: Size = Field(
        default=1 << 20,
        ge=1024,
        le=1 << 30,
        description="Largest text the ledger takes; a longer one waits in the dead letters",
    )
    search: bool = Field(default=True, description="Keep a full-text index of all events (on, off)")
    log_level: Level = Field(default="info", description="How much the service writes to logs/service.log")
    log_max_bytes: Size = Field(default=10 << 20, ge=4096, le=1 << 40, description="Size at which that log is rotated")
    log_backups: int = Field(default=5, ge=0, le=1000, description="How many rotated logs are kept")
    canary_interval_s: int = Field(
        default=86_400,
        ge=0,
        le=31_536_000,
        description="Seconds between two canaries: a call that must be denied and one that must pass, sent through the "
        "registered command. 0 = only when the service starts",
    )
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The layers of the load that runs, in their order."""
        return (init_settings, *(_LayerSource(settings_cls, layer) for layer in _LAYERS.get()))

    @property
    def origins(self) -> dict[str, str]:
        """Where each setting's value is from: "default", "flag --x", "environment (X)", or a file and its line."""
        return self._origins

    @property
    def signing_key_path(self) -> str:
        """The signing key's file, as an absolute path."""
        return str(Path(self.signing_key_file or self.home + "/keys/journal.key").expanduser().absolute())


def names() -> list[str]:
    """Every setting's name, in the order of the template."""
    return list(Settings.model_fields)


def load(home_argument: str | None = None, *, environ: Mapping[str, str] | None = None, **flags: object) -> Settings:
    """The settings in force for the home that `home_argument` (or the environment) names.

    `flags` are settings given on the command line, None = not given. Raises NotConfigured for a value that is not
    allowed or a name nobody knows, SettingsUnreadable for a file that cannot be read.
    """
    env = os.environ if environ is None else environ
    root = paths.find_home(home_argument, env).root
    layers = layers_of.collect(root, flags, env)
    _refuse_unknown(layers)
    _merged, places = layers_of.merge(layers)
    settings = _build(root, layers, places)
    settings._origins.update({name: places.get(name, "default") for name in names()})
    settings._origins["home"] = home_origin(home_argument, env)
    return settings


def home_origin(argument: str | None, environ: Mapping[str, str]) -> str:
    """Where the choice of the home came from."""
    if argument:
        return "flag --home"
    return "environment (LEVAITHAN_HOME)" if environ.get("LEVAITHAN_HOME") else "default"


def _build(root: str, layers: list[layers_of.Layer], places: Mapping[str, str]) -> Settings:
    token = _LAYERS.set(layers)
    try:
        return Settings(home=root)
    except ValidationError as error:
        raise _explained(error, places) from None
    finally:
        _LAYERS.reset(token)


def _refuse_unknown(layers: list[layers_of.Layer]) -> None:
    """A misspelt setting in a file or flag is an error; in the environment it is dropped, for it may be another's."""
    known = [name for name in names() if name != "home"]
    for layer in layers:
        for name in [name for name in layer.values if name not in known]:
            if layer.title == "environment":
                del layer.values[name]
                continue
            if name == "home":
                raise NotConfigured(
                    f"{layer.places[name]} sets the home, which is known before this file is read.",
                    fix="remove it there; give --home, or set LEVAITHAN_HOME in the environment",
                )
            near = difflib.get_close_matches(name.lower(), known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise NotConfigured(
                f"{layer.places[name]} sets {name}, which is no setting.",
                fix=f"{hint}remove it there; `levaithan config template` lists every setting",
            )


def _explained(error: ValidationError, places: Mapping[str, str]) -> NotConfigured:
    """The first problem in words: which value, from where, and what would be allowed."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "home"
    shown = "(hidden)" if name in layers_of.SECRETS else repr(first.get("input"))
    return NotConfigured(
        f"{name} = {shown} is not allowed ({places.get(name, 'default')}). Allowed: {allowed(name)}.",
        fix=f"correct {layers_of.PREFIX}{name.upper()} there; `levaithan config template` explains each setting",
    )


def allowed(name: str) -> str:
    """What a setting may be, in words: its choices, or its range."""
    info = Settings.model_fields[name]
    annotation = info.annotation
    choices = getattr(annotation, "__args__", ())
    if getattr(annotation, "__origin__", None) is Literal:
        return ", ".join(str(choice) for choice in choices)
    if annotation is bool:
        return "on, off"
    if annotation is int:
        least = next((item.ge for item in info.metadata if hasattr(item, "ge")), None)
        most = next((item.le for item in info.metadata if hasattr(item, "le")), None)
        kind = "a size" if any(isinstance(item, BeforeValidator) for item in info.metadata) else "a whole number"
        return f"{kind} from {least} to {most}" + (", also as 64K, 64M, 64G" if kind == "a size" else "")
    return "a text"
