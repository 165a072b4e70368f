"""docs/reference/cli.md is made from the commands."""

from __future__ import annotations

from pathlib import Path

from levaithan.cli import reference
from levaithan.cli.commands import COMMANDS

PAGE = Path(__file__).parents[3] / "docs/reference/cli.md"


def test_the_page_is_that_of_the_code() -> None:
    again = "run: python -m levaithan.cli.reference > docs/reference/cli.md"
    assert PAGE.read_text(encoding="utf-8") == reference.markdown(), again


def test_the_page_names_every_command() -> None:
    page = reference.markdown()
    assert [name for name in COMMANDS if f"\n## levaithan {name}\n" not in page] == []
    for path in ("audit list", "journal verify", "hooks run", "halt set", "config show", "service install"):
        assert f"\n### levaithan {path}\n" in page
