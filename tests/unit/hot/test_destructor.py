"""A hook whose destructor fails, or hangs until the time limit rings in it: nothing of that reaches Claude Code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import calls, homes

from levaithan.hot import paths

SOURCE = """
class Fails:
    def __del__(self):
        {body}


def hook(event, context):
    Fails()
"""
BODIES = {"fails": 'raise RuntimeError("in the destructor")', "hangs": "while True: pass"}


DEADLINE_MS = {"fails": 4000, "hangs": 300}
"""A busy machine may need more than a short one for a hook that hangs nowhere."""


@pytest.mark.parametrize(("name", "body"), BODIES.items(), ids=BODIES)
def test_a_destructor_shows_no_traceback(tmp_path: Path, name: str, body: str) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False, deadline_ms=DEADLINE_MS[name]))
    Path(home.hooks, "untidy.py").write_text(SOURCE.format(body=body))
    flows = Path(home.context, "workflows.toml")
    before = flows.read_text()
    flows.write_text(before.replace('["halt_check", "policy_check"', '["untidy", "halt_check", "policy_check"', 1))
    assert flows.read_text() != before
    answered = calls.call(home.root, "oneshot", calls.tool_call("touch x"))
    assert (answered.code, answered.words) == (0, "")
    assert answered.denied is (name == "hangs"), "what hangs is stopped, and a guard that was stopped refuses"
