"""Our own exam: what must be held up, what must pass, and the ways around, by the rules as they are shipped."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import policy_pack
from levaithan.hot.policy import Policy

CASES = Path(__file__).resolve().parents[2] / "cases"
PACKS = Path(__file__).resolve().parents[3] / ".claude" / "context" / "policies"
HELD = ("deny", "ask")
_PATHS = {"NotebookEdit": "notebook_path", "WebFetch": "url", "Grep": "path", "Glob": "pattern"}
_TOOLS = ("Read", "Write", "Edit", "NotebookEdit", "WebFetch", "Grep", "Glob")


def _cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.toml")):
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        for kind, expect in (("deny", "hold"), ("bypass", "hold"), ("allow", "allow")):
            for number, case in enumerate(found.get(kind, [])):
                yield pytest.param(_case(case), expect, id=f"{path.stem}-{kind}-{number}")
        for number, case in enumerate(found.get("edge", [])):
            yield pytest.param(_case(case), case["expect"], id=f"{path.stem}-edge-{number}")


def _case(case: Any) -> Any:
    """A command line, `TOOL path`, or a table with a command or a tool and its input."""
    if isinstance(case, dict):
        return case["command"] if "command" in case else {"tool": case["tool"], "input": case["input"]}
    tool, _, path = case.partition(" ")
    if tool not in _TOOLS:
        return case
    given = {_PATHS.get(tool, "file_path"): path.replace("~/", "{user}/", 1) if path.startswith("~") else path}
    return {"tool": tool, "input": given | ({"pattern": "x"} if tool == "Grep" else {})}


ALL = list(_cases())


@pytest.fixture(scope="module")
def rules() -> Policy:
    packs = [(str(path), path.read_bytes()) for path in sorted(PACKS.glob("*.toml"))]
    return policy_pack.stage(policy_pack.compile_packs(packs))


@pytest.mark.parametrize(("case", "expect"), ALL)
def test_case(rules: Policy, case: Any, expect: str) -> None:
    said = rules.judge(policy_pack.example_event("the case", case))
    verdict = said.verdict if said else "allow"
    why = f"{case!r}: {said.reason if said else 'no rule met'}"
    assert (verdict in HELD) if expect == "hold" else verdict == expect, why


def test_there_are_enough_and_none_stands_twice() -> None:
    ids = [str(one.id) for one in ALL]
    assert len(ids) >= 600
    assert sum("-bypass-" in one for one in ids) >= 300
    assert len({repr(one.values[0]) for one in ALL}) == len(ALL)
