"""The options that many commands share, so that each means the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON: the same as --format json.")]
Format = Annotated[str | None, typer.Option("--format", help="table (default), json, jsonl or csv.", metavar="FORMAT")]
Since = Annotated[
    str | None, typer.Option("--since", help="Not before: 2h, 1d, today, yesterday, or ISO time.", metavar="TIME")
]
Until = Annotated[str | None, typer.Option("--until", help="Before: the same forms as --since.", metavar="TIME")]
Limit = Annotated[int, typer.Option("--limit", help="At most so many rows.", min=1, max=100_000)]
Cursor = Annotated[
    str | None, typer.Option("--cursor", help="Go on where the last page ended (its `next`).", metavar="CURSOR")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Project = Annotated[
    str | None, typer.Option("--project", help="The project's folder (default: this one).", metavar="DIR")
]
OfProject = Annotated[str | None, typer.Option("--project", help="Of this project: its folder.", metavar="DIR")]
User = Annotated[bool, typer.Option("--user", help="The user's own settings: every project.")]
