"""`levaithan bench`: the benchmarks of a checkout, which a wheel does not carry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from levaithan.errors import NotConfigured
from levaithan.hot import paths


def bench(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed on: --quick, --only PART, --json, --write.")
    ] = None,
) -> None:
    """Measure this checkout against its targets."""
    folder = Path(paths.source_folder()).parent / "tests" / "bench"
    if not (folder / "__main__.py").is_file():
        raise NotConfigured(
            f"The benchmarks are part of a checkout, and {folder.parent.parent} is none.",
            fix="clone the repository, run ./setup.sh there, then ./system-cli.sh bench",
        )
    done = subprocess.run([sys.executable, str(folder), *(arguments or [])], check=False)
    raise typer.Exit(done.returncode)


bench.context_settings = {"ignore_unknown_options": True}  # type: ignore[attr-defined]
