"""`levaithan config`: what is in force, where it comes from, and the template of all settings."""

from __future__ import annotations

from typing import Annotated

import typer

from levaithan.cli import options, output
from levaithan.cli.state import STATE

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The settings.")


@app.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Also where each value comes from.")] = False,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Each setting and its value in force; passwords are masked."""
    from levaithan.config import origins

    fmt = output.pick(format, json)
    rows = origins.rows(STATE.settings())
    output.emit(rows, ["setting", "value", "origin"] if origin else ["setting", "value"], fmt)


@app.command()
def template(
    markdown: Annotated[bool, typer.Option("--markdown", help="The reference page instead of .env.template.")] = False,
) -> None:
    """Every setting with its meaning and default, in the form of .env."""
    from levaithan.config import template as made

    output.write(made.markdown() if markdown else made.dotenv())
    output.flush()
