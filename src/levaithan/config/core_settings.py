"""The settings of hot path, journal, service and log: the first part of the one list (see settings).

May not be imported by `hot`, which gets its few settings compiled into hot.conf (`hotconf`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from levaithan.config import layers as layers_of

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"\s*(\d{1,20})\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)


def _size(value: object) -> object:
    """Bytes, from a number or from `64M`, `64MiB` (powers of 1024 either way)."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2].lower()] if found else value


def lower(value: object) -> object:
    """A text in small letters, whatever else as it is."""
    return value.lower() if isinstance(value, str) else value


Size = Annotated[int, BeforeValidator(_size)]
Fsync = Annotated[Literal["always", "interval", "never"], BeforeValidator(lower)]
OnFailure = Annotated[Literal["decide", "deny"], BeforeValidator(lower)]
Level = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)]


class CoreSettings(BaseSettings):
    """`home` is the root folder of the home."""

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
