"""A secret in a tool's output is said to the model, marked in the record, and kept out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import hotconf
from levaithan.hot.event import Event
from levaithan.hot.gate import Gate
from levaithan.hot.paths import Home

TOKEN = "ghp_" + "R7tYq2WmZk4NbV8xLs3JdF6hGc1PaT0uEo5i"
Call = Callable[..., Event]


def _seen(scratch: Home, event: Event) -> tuple[str | None, dict[str, Any], bytes]:
    outcome, body = Gate(scratch, hotconf.HotConf(), json.loads).decide(event)
    entry = next(one for one in outcome.hooks if one["hook"] == "output_watch")
    assert outcome.decision.verdict == "allow"
    return outcome.decision.context, entry, body


@pytest.mark.parametrize(
    "response",
    [
        {"stdout": f"remote: https://x:{TOKEN}@github.com", "stderr": ""},
        {"file": {"content": f"a\nTOKEN={TOKEN}\n"}},
        [{"type": "text", "text": TOKEN}],
        TOKEN,
    ],
)
def test_the_model_is_told_and_the_record_is_marked(scratch: Home, call: Call, response: Any) -> None:
    said, entry, body = _seen(scratch, call("PostToolUse", tool_name="Bash", tool_input={}, tool_response=response))
    assert said and "github" in said and "Do not repeat it" in said and TOKEN not in said
    assert entry["rule"] == "secrets.in-output"
    assert TOKEN.encode() not in body


def test_an_error_counts_as_output(scratch: Home, call: Call) -> None:
    said, _, _ = _seen(scratch, call("PostToolUseFailure", tool_name="Bash", tool_input={}, error=f"bad {TOKEN}"))
    assert said


@pytest.mark.parametrize(
    "response",
    [
        {"stdout": "all is well"},
        {"stdout": "token=ghp_" + "x" * 36},
        {"stdout": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
        None,
        7,
        {"a": [[[[]]]]},
    ],
)
def test_what_holds_none_is_passed_over(scratch: Home, call: Call, response: Any) -> None:
    said, entry, _ = _seen(scratch, call("PostToolUse", tool_name="Bash", tool_input={}, tool_response=response))
    assert said is None and "rule" not in entry


def test_a_secret_in_the_input_is_not_of_the_output(scratch: Home, call: Call) -> None:
    event = call("PostToolUse", tool_name="Bash", tool_input={"command": TOKEN}, tool_response={"stdout": "ok"})
    assert _seen(scratch, event)[0] is None


def test_it_can_be_switched_off(scratch: Home, call: Call) -> None:
    Path(scratch.context, "charter.toml").write_text('[secrets]\noutput = "off"\n')
    assert _seen(scratch, call("PostToolUse", tool_name="Bash", tool_input={}, tool_response=TOKEN))[0] is None
