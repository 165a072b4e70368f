"""Every setting, with its meaning, default and limits: the one list that .env.template and the docs are made from.

pydantic-settings takes the values from the layers (flags > environment > .env > settings.toml > default). May not be
imported by `hot`, which gets its few settings compiled into hot.conf (`hotconf`).
"""

from __future__ import annotations

import difflib
import os
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BeforeValidator, PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from levaithan.config import layers as layers_of
from levaithan.config.action_settings import ActionSettings
from levaithan.config.incident_settings import IncidentSettings
from levaithan.config.metrics_settings import MetricsSettings
from levaithan.config.monitor_settings import MonitorSettings
from levaithan.errors import NotConfigured
from levaithan.hot import paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

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


class Settings(ActionSettings, IncidentSettings, MonitorSettings, MetricsSettings):
    """The settings of one home; `origins` says for each setting where its value is from."""

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
    if info.examples:
        return ", ".join(map(str, info.examples))
    if annotation is int:
        least = next((item.ge for item in info.metadata if hasattr(item, "ge")), None)
        most = next((item.le for item in info.metadata if hasattr(item, "le")), None)
        kind = "a size" if any(isinstance(item, BeforeValidator) for item in info.metadata) else "a whole number"
        return f"{kind} from {least} to {most}" + (", also as 64K, 64M, 64G" if kind == "a size" else "")
    return "a text"
