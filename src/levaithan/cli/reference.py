"""Makes docs/reference/cli.md from the commands themselves: `python -m levaithan.cli.reference`; a test compares."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from levaithan.cli.commands import COMMANDS
from levaithan.cli.main import load

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# The command line

Made from the code by `python -m levaithan.cli.reference`; a test compares.

- Data goes to stdout, words to stderr. Colours and progress bars only on a terminal; `NO_COLOR` is heeded.
- `--home DIR` (or `LEVAITHAN_HOME`) names the home and may stand anywhere on the line.
- Reads: `--json` = `{"schema_version":1,"ok":true,"rows":[...],"next":null}`; errors then are
  `{"ok":false,"error":{"code","message","fix"}}` on stdout, too. `--format table|json|jsonl|csv`.
- `--since`/`--until`: `30s`, `10m`, `2h`, `1d`, `1h30m`, `now`, `today`, `yesterday`, ISO (local without a zone); the
  window is said in UTC on stderr. `--limit`, and `--cursor` with the `next` of the page before.
- Exit codes: 0 ok, 1 failed, 2 usage, 3 unhealthy, 4 not configured, 5 findings, 130 interrupted. `hooks run` gives
  what the hook gave.
- An unexpected error is written to `logs/cli-errors.log` of the home; `LEVAITHAN_DEBUG=1` shows it at once.
- Text that an agent wrote is shown with its control characters escaped; CSV cells never begin a formula.
- Completion: `levaithan --install-completion`.
"""


def markdown() -> str:
    """The whole page."""
    return _HEAD + "".join(part for name in COMMANDS for part in _command(load(name), f"levaithan {name}", 2))


def _command(command: Any, path: str, depth: int) -> Iterator[str]:
    below = getattr(command, "commands", {})
    yield f"\n{'#' * depth} {path}\n\n{' '.join((command.help or '').split())}\n"
    if below:
        for name, one in below.items():
            yield from _command(one, f"{path} {name}", depth + 1)
        return
    words = [_argument(param) for param in command.params if param.param_type_name == "argument"]
    yield f"\n    {' '.join([path, '[OPTIONS]', *words])}\n"
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    if options:
        yield "\n| option | meaning |\n|---|---|\n"
    for param in options:
        yield f"| {_option(param)} | {_meaning(param)} |\n"


def _argument(param: Any) -> str:
    name = (param.metavar or param.name.upper()) + ("..." if param.nargs == -1 else "")
    return name if param.required else f"[{name}]"


def _option(param: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    return names if param.is_flag else f"{names} `{param.metavar or param.name.upper()}`"


def _meaning(param: Any) -> str:
    text = " ".join((param.help or "").split()).replace("|", "\\|")
    default = param.default
    shown = not param.is_flag and default not in (None, "", [], ()) and not callable(default)
    return f"{text} Default: {default}." if shown else text


if __name__ == "__main__":
    sys.stdout.write(markdown())
