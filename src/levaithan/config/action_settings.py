"""The settings of automatic actions and of notifications: a part of the one list (see settings)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings

from levaithan.config.core_settings import CoreSettings, lower

DryRun = Annotated[Literal["stopping", "all", "off"], BeforeValidator(lower)]
_URLS = "apprise URLs, several with blanks between them, the first one first (https://github.com/caronc/apprise/wiki)"


class ActionSettings(BaseSettings):
    """What the monitor may do by itself, and whom it tells."""

    model_config = CoreSettings.model_config

    action_dry_run: DryRun = Field(
        default="stopping",
        description="Which automatic actions are only recorded: stopping = those that stop work, but for P0 incidents; "
        "all = every one; off = none. What a person runs is done",
    )
    action_hourly_limit: int = Field(
        default=10, ge=0, le=100, description="Automatic actions in an hour, all together; then people only"
    )
    action_throttle_per_minute: int = Field(
        default=10, ge=1, le=10_000, description="Tool calls a minute that a throttled session is left"
    )
    action_platform_up: str | None = Field(
        default=None,
        description="The platform's own command to scale up, run without a shell and without anything of an event in "
        "it; unset = none",
    )
    action_platform_down: str | None = Field(
        default=None, description="The command that takes that back; unset = it stays scaled up"
    )
    action_platform_timeout_s: int = Field(
        default=60, ge=1, le=600, description="Seconds that such a command may take before it is ended"
    )
    notify_urls: str | None = Field(default=None, description=f"Who is told of incidents: {_URLS}; unset = nobody")
    notify_urls_next: str | None = Field(
        default=None, description=f"Who is told as well when nobody acknowledges (page level 1): {_URLS}"
    )
    notify_urls_last: str | None = Field(
        default=None, description=f"Who is told as well after that (page level 2 and above): {_URLS}"
    )
    notify_receipt_s: int = Field(
        default=60, ge=1, le=3600, description="Seconds in which a message must arrive before the next URL is tried"
    )
    notify_digest_hour: int = Field(
        default=8, ge=0, le=23, description="The hour (UTC) at which the daily digest of P3 incidents is sent"
    )
