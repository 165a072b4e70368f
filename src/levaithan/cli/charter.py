"""`levaithan charter`: what people have laid down, and whether the files that say so are good."""

from __future__ import annotations

import json as json_of
import os
from pathlib import Path  # Typer reads the annotations
from typing import Annotated, Any

import typer

from levaithan.cli import options, output
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, UsageProblem

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What people laid down.")
_SECTIONS = ("secrets", "approvals", "pace", "leases", "budgets")


@app.command()
def show(
    project: Annotated[
        str | None,
        typer.Option("--project", help="With what this folder's .claude/levaithan.toml adds.", metavar="DIR"),
    ] = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The charter in force: every setting with its value, the directives, and what is wrong."""
    from levaithan.hot import charter

    fmt = output.pick(format, json)
    loaded = charter.load(STATE.home(), os.path.realpath(project) if project else None)
    rows: list[dict[str, Any]] = [
        {"section": "directive", "key": one["id"], "value": _directive(one)} for one in loaded.directives
    ]
    rows += [{"section": "policy", "key": "off", "value": name} for name in sorted(loaded.off)]
    rows += [
        {"section": "policy.rules", "key": name, "value": said | ({"by": "project"} if by_project else {})}
        for name, said, by_project in loaded.overrides
    ]
    rows += [{"section": "approvals", "key": "required", "value": one} for one in loaded.required]
    for section in _SECTIONS:
        values: dict[str, Any] = getattr(loaded, section)
        rows += [{"section": section, "key": key, "value": value} for key, value in values.items() if key != "required"]
    for problem in loaded.problems:
        output.say(problem)
    if fmt == "table":
        rows = [row | {"value": _plain(row["value"])} for row in rows]
    output.emit(rows, ["section", "key", "value"], fmt)


@app.command()
def validate(
    file: Annotated[
        Path | None,
        typer.Argument(help="Default: the home's charter, and this folder's levaithan.toml.", metavar="[FILE]"),
    ] = None,
    json: options.Json = False,
) -> None:
    """Check a charter, or a project's levaithan.toml; exit 5 when it is not good. Nothing is changed."""
    from levaithan.hot import charter
    from levaithan.hot.charter_file import CharterError, compiled

    home = STATE.home()
    project = Path(str(Path.cwd()) + charter.PROJECT_FILE)
    chosen = [file] if file else [path for path in (Path(home.context + charter.FILE), project) if path.exists()]
    rows = []
    for path in chosen:
        problem = None
        try:
            compiled(str(path), path.read_bytes(), of_project=path.name == project.name)
        except OSError as error:
            raise UsageProblem(f"{path} cannot be read: {error.strerror}.", fix="name a charter file") from None
        except CharterError as error:
            problem = str(error)
        rows.append({"path": str(path), "ok": problem is None, "problem": problem})
    rows += _not_followed(project) if not file else []
    output.emit(rows, ["path", "ok", "problem"], output.pick(None, json), nothing="there is no charter")
    for row in rows:
        if row["problem"]:
            output.say(str(row["problem"]))
    if not all(row["ok"] for row in rows):
        raise FindingsFound("The charter is not good.", fix="correct what is named above")


def _not_followed(project: Path) -> list[dict[str, Any]]:
    """What is well written and means nothing here: a rule that is not there, a loosening that is not followed."""
    from levaithan.hot import charter, policy

    folder = str(project.parent.parent) if project.exists() else None
    loaded = policy.load(STATE.home(), None, folder)
    known = charter.load(STATE.home(), folder).problems
    return [
        {"path": STATE.home().context + charter.FILE, "ok": False, "problem": problem}
        for problem in loaded.problems
        if problem not in known and ("charter" in problem or "levaithan.toml" in problem)
    ]


def _directive(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "id"}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json_of.dumps(value, ensure_ascii=False)
