"""What a draft of an analysis says: one schema for both who write it, this machine alone and the Claude API.

Each claim cites the records that it rests on; a reference to a record that was not shown is dropped and counted, and so
is a claim that is left with none. A draft decides nothing: a person reads it, and copies what is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Collection

MARK = "draft, not reviewed"
_SENT = ("type", "properties", "items", "enum", "$defs", "$ref", "required", "additionalProperties", "anyOf", "const")

Text = Annotated[str, Field(max_length=1500)]


class Claim(BaseModel):
    """One sentence or two, and the records that show it."""

    model_config = ConfigDict(extra="forbid")

    text: Text
    refs: list[Annotated[str, Field(max_length=64)]] = Field(max_length=40)


class ActionItem(BaseModel):
    """What should be done so that it does not come again, is seen earlier or does less. No names: a role."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["prevent", "detect", "mitigate", "process"]
    what: Text
    owner_role: Annotated[str, Field(max_length=100)]
    success_test: Text


Claims = Annotated[list[Claim], Field(max_length=20)]


class Draft(BaseModel):
    """Every section of a postmortem that can be begun for its author. An empty one is a blank for a person."""

    model_config = ConfigDict(extra="forbid")

    summary: Claims
    impact: Claims
    timeline: Annotated[list[Claim], Field(max_length=60)]
    detection: Claims
    trigger: Claims
    root_causes: Claims
    contributing_factors: Claims
    five_whys: Claims
    went_well: Claims
    went_wrong: Claims
    got_lucky: Claims
    lessons: Claims
    action_items: Annotated[list[ActionItem], Field(max_length=20)]


SECTIONS = tuple(name for name in Draft.model_fields if name != "action_items")


def checked(draft: Draft, known: Collection[str]) -> tuple[Draft, int, int]:
    """(`draft` with what it can show, references dropped, claims dropped): see the module."""
    refs = claims = 0
    kept: dict[str, Any] = {"action_items": draft.action_items}
    for name in SECTIONS:
        held = []
        for claim in getattr(draft, name):
            good = [one for one in claim.refs if one in known]
            refs += len(claim.refs) - len(good)
            if good:
                held.append(Claim(text=claim.text, refs=good))
            else:
                claims += 1
        kept[name] = held
    return Draft(**kept), refs, claims


def schema() -> dict[str, Any]:
    """The JSON schema of a draft as the Claude API takes it: every field required, none added, no lengths (those are
    checked when the reply is here)."""
    found = _plain(Draft.model_json_schema())
    if not isinstance(found, dict):
        raise TypeError("a schema is an object")
    return found


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {}
    for name, value in node.items():
        if name in ("properties", "$defs"):
            kept[name] = {key: _plain(one) for key, one in value.items()}
        elif name in _SENT:
            kept[name] = _plain(value)
    if kept.get("type") == "object":
        kept["required"], kept["additionalProperties"] = list(kept.get("properties", {})), False
    return kept
