"""The settings of incidents: part of the one list (see settings). The acknowledgement timers are no setting: they are
the promise of each severity (docs/how-to/incidents.md)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from levaithan.config.core_settings import CoreSettings


class IncidentSettings(BaseSettings):
    """When incidents resolve by themselves, and what the drafts of the Claude API may cost."""

    model_config = CoreSettings.model_config

    incident_quiet_s: int = Field(
        default=1800,
        ge=1,
        le=86_400,
        description="Seconds that a detector must be quiet before its incident counts as resolved; three times the "
        "alert's own waiting time where that is longer",
    )
    incident_flap_reopenings: int = Field(
        default=3,
        ge=2,
        le=20,
        description="Reopenings of one incident within an hour after which no automatic action is taken for it until a "
        "person resolves it",
    )
    claude_api_key: str | None = Field(
        default=None,
        description="Key of the Claude API, with which `incident draft` has a first analysis written; unset = drafts "
        "are made on this machine alone, and nothing is sent anywhere",
    )
    claude_url: str | None = Field(
        default=None, description="Where the Claude API is, when it is not Anthropic's own address"
    )
    claude_model: str = Field(default="claude-opus-5-5", description="The model that writes drafts")
    claude_incident_cents: int = Field(
        default=50, ge=0, le=10_000, description="US cents that the drafts of one incident may cost together"
    )
    claude_day_cents: int = Field(
        default=500, ge=0, le=100_000, description="US cents that all drafts of a day (UTC) may cost together"
    )
    claude_timeout_s: int = Field(
        default=60, ge=1, le=600, description="Seconds that the Claude API may take for a draft, repeats included"
    )
