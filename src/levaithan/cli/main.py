"""The entry of the CLI: a root group that loads only the command it runs, and the one place where errors end.

May not import a driver, SQLAlchemy, pydantic or rich: `levaithan --help` is held to 1.5 times `import typer`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from levaithan import __version__, errors
from levaithan.cli import output, plain
from levaithan.cli.commands import COMMANDS
from levaithan.cli.state import STATE

if TYPE_CHECKING:
    from collections.abc import Sequence


class LazyGroup(TyperGroup):
    """A group whose commands are names in a table until one of them is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_where, words) in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean `levaithan {near[0]}`? " if near else ""
            raise errors.UsageProblem(f"There is no command {args[0]!r}.", fix=hint + "`levaithan --help` lists them")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from typer._click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=words) for name, (_, words) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*found, *super(TyperGroup, self).shell_complete(ctx, incomplete)]


def load(name: str) -> Any:
    """The Typer command or group of one line of COMMANDS."""
    where, words = COMMANDS[name]
    module, _, function = where.partition(":")
    loaded = import_module(module)
    if not function:
        command = typer.main.get_command(loaded.app)
    else:
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        callback = getattr(loaded, function)
        single.command(name, help=words, context_settings=getattr(callback, "context_settings", None))(callback)
        command = typer.main.get_command(single)
    command.name = name
    return command


root = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.out(f"levaithan {__version__}")
        raise typer.Exit


@root.callback()
def _root(
    home: Annotated[str | None, typer.Option(help="The home to work on; also LEVAITHAN_HOME.", metavar="DIR")] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """LevAIthan: the flight recorder and control tower of Claude Code.

    Data goes to stdout, words to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 unhealthy, 4 not configured,
    5 findings, 130 interrupted.
    """
    STATE.home_argument = home


def run(argv: Sequence[str] | None = None) -> None:
    """The console script: runs the command line and exits with its code."""
    arguments = _home_first(list(sys.argv[1:] if argv is None else argv))
    STATE.as_json = wants_json(arguments)
    STATE.home_argument = _named_home(arguments)
    _stand_in_for_closed()
    _encode_anything()
    _leave(_guarded(arguments))


def _leave(code: int) -> NoReturn:
    """End with `code`. A question to a store that was given up (incidents.evidence) may be amid native code, which ends
    the process by SIGABRT when the interpreter winds up around it: then it is not wound up."""
    threads = sys.modules.get("threading")
    if threads is not None and any(one.name.startswith("evidence-") for one in threads.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _home_first(arguments: list[str]) -> list[str]:
    """--home may stand anywhere (but after `--`): it is moved to the front, where the root group takes it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front: list[str] = []
    rest: list[str] = []
    at = 0
    while at < end:
        words = arguments[at : at + 2] if arguments[at] == "--home" else arguments[at : at + 1]
        (front if words[0].partition("=")[0] == "--home" else rest).extend(words)
        at += len(words)
    return [*front, *rest, *arguments[end:]]


def _named_home(arguments: list[str]) -> str | None:
    """The home at the front, known before anything is parsed: an error on the way there belongs into its log."""
    if not arguments or arguments[0].partition("=")[0] != "--home":
        return None
    _word, equals, value = arguments[0].partition("=")
    return value if equals else (arguments[1] if len(arguments) > 1 else None)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether errors are to be JSON too; looked up by hand because a usage error comes before any parsing."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    pairs = zip(own, [*own[1:], ""], strict=False)
    return any(
        word == "--json" or (word == "--format" and value.startswith("json")) or word.startswith("--format=json")
        for word, value in pairs
    )


def _stand_in_for_closed() -> None:
    """A standard stream that was closed (`>&-`) becomes the null device: else the next file that is opened, such as
    the ledger, would take its number and get what is meant for the stream."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, "r" if number == 0 else "w", encoding="utf-8"))


def _encode_anything() -> None:
    """A terminal of another encoding gets escapes instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _guarded(arguments: list[str]) -> int:
    """Run, and turn whatever comes out into an exit code; a person never sees a traceback unasked."""
    try:
        plain.install()
        code = root(args=arguments, prog_name="levaithan", standalone_mode=False)
        output.flush()
    except (typer.Exit, SystemExit) as leaving:
        code = leaving.exit_code if isinstance(leaving, typer.Exit) else leaving.code
    except (Exception, KeyboardInterrupt) as problem:  # the last fence: nothing passes it but an exit code
        return _told(problem)
    return code if isinstance(code, int) else errors.OK


def _told(problem: BaseException) -> int:
    """Tell the person (or the program) of an error: what, and what to do next. Gives the exit code."""
    if os.environ.get("LEVAITHAN_DEBUG"):
        import traceback

        traceback.print_exc()
    if type(problem).__name__ == "NoArgsIsHelpError":
        output.say(problem.ctx.get_help())  # type: ignore[attr-defined]
        return errors.USAGE
    known = _explained(problem)
    with suppress(typer.Exit):  # nobody reads any more: the exit code still says it
        output.error(known, as_json=STATE.as_json)
    return known.exit_code


def _explained(problem: BaseException) -> errors.LevaithanError:
    if isinstance(problem, errors.LevaithanError):
        return problem
    if isinstance(problem, (KeyboardInterrupt, typer.Abort)):
        return errors.Interrupted()
    if isinstance(problem, TyperException):  # a command line that cannot be parsed
        context = getattr(problem, "ctx", None)
        path = context.command_path if context is not None else "levaithan"
        return errors.UsageProblem(problem.format_message(), fix=f"see `{path} --help`")
    from levaithan.cli.unexpected import explained

    return explained(problem)
