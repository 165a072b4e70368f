"""Reads what Alertmanager's webhook sends (version 4 of its payload) as signals. What is in it is anybody's text: sizes
are bounded, secrets taken out, control characters made blanks, and no field decides anything but what it stands for.

Source of the form: Alertmanager's documentation, "webhook_config".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from levaithan.detectors import rules
from levaithan.detectors.signal import NO_SEVERITY, SEVERITIES, Signal, fingerprint_of
from levaithan.errors import LevaithanError
from levaithan.hot.redact import redact_text
from levaithan.incidents import fields
from levaithan.incidents.incident import LONGEST_TEXT

MOST_BYTES = 32 << 20
"""A storm of 10,000 alerts with all their annotations; Alertmanager does not repeat what is refused."""
MOST_ALERTS = 10_000
MOST_LABELS = 64
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_OTHERS = {"critical": "P1", "page": "P1", "error": "P2", "warning": "P2", "info": "P3", "none": NO_SEVERITY}
"""Severities as other people's rules name them."""
_UNKNOWN = "P1"
"""Of what has none that is known, or none at all: as people are told of it (deploy/alertmanager), so that a typing
mistake hides nothing."""
_NOT_PLACES = ("alertname", "severity", "detection", "job", "instance", "prometheus", "receiver")


class AlertsUnreadable(LevaithanError):  # noqa: N818 - named for people
    """What came is no message of Alertmanager's: {reason}."""

    code = "bad_request"
    fix = "send Alertmanager's webhook (webhook_configs: url) here, version 4; deploy/alertmanager/ has an example"


_Texts = Annotated[dict[str, str], Field(default_factory=dict, max_length=MOST_LABELS)]


class _Alert(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)

    status: Literal["firing", "resolved"]
    labels: _Texts
    annotations: _Texts
    starts_at: datetime = Field(alias="startsAt")
    generator: str = Field(default="", alias="generatorURL", max_length=65_536)


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: list[_Alert] = Field(max_length=MOST_ALERTS)


def parse(payload: bytes, at_s: float | None = None) -> list[Signal]:
    """The signals of one message, each (fingerprint, startsAt, state) once. at_s: when it came (default: now).

    Raises AlertsUnreadable, which says what is wrong, for whatever is no such message.
    """
    if len(payload) > MOST_BYTES:
        raise AlertsUnreadable(reason=f"it has {len(payload)} bytes, at most {MOST_BYTES} are read")
    try:
        message = _Message.model_validate_json(payload)
    except ValidationError as error:
        raise AlertsUnreadable(reason=_said(error)) from None
    came_s = datetime.now(UTC).timestamp() if at_s is None else at_s
    found: dict[tuple[str, float, bool], Signal] = {}
    for number, alert in enumerate(message.alerts):
        signal = _signal(alert, number, came_s)
        found[signal.fingerprint, signal.started_s, signal.firing] = signal
    return list(found.values())


def _said(error: ValidationError) -> str:
    """The first problem: where, and what; without the text that came."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:100]
    return fields.text(f"{where or 'the whole'}: {first['msg']}", 300)


def _signal(alert: _Alert, number: int, came_s: float) -> Signal:
    labels = {_plain(name, 128): _plain(value) for name, value in alert.labels.items()}
    name = labels.get("alertname", "")
    if not name:
        raise AlertsUnreadable(reason=f"alerts.{number}.labels: there is no alertname")
    begun = alert.starts_at if alert.starts_at.tzinfo else alert.starts_at.replace(tzinfo=UTC)
    if not _EARLIEST < begun < _LATEST:
        raise AlertsUnreadable(reason=f"alerts.{number}.startsAt: {begun.year} is not of this time")
    said = {_plain(key, 128): _plain(value, LONGEST_TEXT) for key, value in alert.annotations.items()}
    places = {key: value for key, value in labels.items() if key and key not in _NOT_PLACES}
    detection = labels.get("detection", "") or "alertmanager"
    return Signal(
        fingerprint=fingerprint_of(detection, name, places), alert=name, detection=detection,
        severity=_severity(labels.get("severity", "")), firing=alert.status == "firing",
        started_s=begun.timestamp(), at_s=came_s, labels=places, value=_number(said.get("value", "")),
        expression=_expression(alert.generator), summary=said.get("summary") or said.get("description") or name,
        fix=_fix(name), runbook=said.get("runbook_url", "")[:1000], source="alertmanager",
    )  # fmt: skip


def _fix(alert: str) -> str:
    """The command that our own rule of that name gives; "" for an alert that is none of ours. Never what came: people
    are asked to run it."""
    rule = rules.default().get(alert)
    return "" if rule is None else rule.fix


def _plain(value: str, longest: int = fields.LONGEST_NAME) -> str:
    """A text on one line, without secrets and controls; cut before it is looked at, for no label is so long."""
    shown = "".join(char if char.isprintable() else " " for char in value[: longest * 2])
    return fields.text(redact_text(shown)[0], longest)


def _severity(label: str) -> str:
    return label if label in (*SEVERITIES, NO_SEVERITY) else _OTHERS.get(label.lower(), _UNKNOWN)


def _number(text: str) -> float | None:
    try:
        return fields.maybe(float(text[:64]))
    except ValueError:
        return None


def _expression(url: str) -> str:
    """The rule's PromQL, which Prometheus puts into its own link as g0.expr."""
    try:
        found = parse_qs(urlsplit(url).query, max_num_fields=50).get("g0.expr", [""])
    except ValueError:
        return ""
    return _plain(found[0], LONGEST_TEXT)
