"""Our reader of command lines against a whole grammar of Bash: no command that tree-sitter sees may be missed.

One reader judges in the service and in the one-shot path, so that neither allows what the other stops. That it sees
enough is shown here, on every case there is: a line that the grammar takes apart without an error must give us each
command with a plain name, and a line that it cannot read must not be read by us into something else in silence.
"""

from __future__ import annotations

from typing import Any

import pytest
import tree_sitter_bash
from tests.unit.policy.test_cases import ALL
from tree_sitter import Language, Parser

from levaithan.hot import shell

PARSER = Parser(Language(tree_sitter_bash.language()))
LINES = sorted({one.values[0] for one in ALL if isinstance(one.values[0], str)})
_NO_COMMANDS = frozenset(("[", "[[", "unset", "export", "declare", "local", "readonly", "typeset"))
"""The grammar has nodes of their own for these."""


def _names(line: str) -> set[str] | None:
    """The plain names of the commands in `line`; None when the grammar finds an error in it."""
    tree = PARSER.parse(line.encode())
    if tree.root_node.has_error:
        return None
    found: set[str] = set()
    todo: list[Any] = [tree.root_node]
    while todo:
        node = todo.pop()
        todo += node.children
        if node.type == "command_name" and node.child_count == 1 and node.children[0].type == "word":
            text = node.text.decode()
            if not set(text) & set("\\*?{}[]~"):
                found.add(text.rpartition("/")[2])
    return found - _NO_COMMANDS


@pytest.mark.parametrize("line", LINES)
def test_no_command_is_missed(line: str) -> None:
    names = _names(line)
    if names is None:
        return
    ours = {made.name for made in shell.split(line, "/home/dev/demo", "/home/dev").commands}
    assert names <= ours, f"{sorted(names - ours)} of {line!r}"


def test_the_grammar_reads_nearly_all_of_them() -> None:
    """Or the test above would show nothing."""
    assert sum(_names(line) is not None for line in LINES) > len(LINES) * 0.9
