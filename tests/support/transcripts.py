"""Transcripts as the client writes them, for tests that spend money nobody has."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

_numbers = itertools.count()
MODEL = "claude-opus-5-5"
USD_OUT = 20 / 1_000_000
"""What one token out costs with MODEL."""


class Transcript:
    """One session's transcript in `folder`; `spend` appends a call to the model."""

    def __init__(self, folder: Path, session: str) -> None:
        self.session = session
        self.path = folder / f"{session}.jsonl"

    def spend(self, usd: float, *, at: str = "2026-11-24T10:00:00.000Z", agent: str = "", **more: Any) -> str:
        """A call that costs `usd`; gives its message id."""
        message_id = f"msg_{next(_numbers)}"
        usage = {"input_tokens": 0, "output_tokens": round(usd / USD_OUT)}
        self.line(message_id, usage, at=at, agent=agent, **more)
        return message_id

    def line(
        self, message_id: str, usage: dict[str, Any], *, at: str, agent: str = "", model: str = MODEL, **more: Any
    ) -> None:
        """One line of an assistant's message, as it is written a content block."""
        message = {"id": message_id, "model": model, "role": "assistant", "usage": usage, "content": []}
        row: dict[str, Any] = {"type": "assistant", "sessionId": self.session, "timestamp": at, "message": message}
        path = self.path
        if agent:
            row |= {"isSidechain": True, "agentId": agent}
            path = self.path.with_suffix("") / "subagents" / f"agent-{agent}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row | more) + "\n")
