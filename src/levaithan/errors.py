"""The error tree: a class's docstring is its message, with {values} filled in; each says what to do next.

Every room above `hot` raises these; the surfaces (CLI, API) only print them. Imports nothing, so that it costs
nothing. `hot` has small exceptions of its own, which the rooms above wrap into these.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would cost more than the whole of this module
if TYPE_CHECKING:
    from collections.abc import Mapping

OK = 0
FAILED = 1
USAGE = 2
UNHEALTHY = 3
NOT_CONFIGURED = 4
FINDINGS = 5
INTERRUPTED = 130
_ENDS = ("?", "!")


class LevaithanError(Exception):
    """{reason}"""

    code = "failed"
    exit_code = FAILED
    fix = "run `levaithan doctor`: it looks at the installation and names the remedy"
    passes = False
    """Whether the same may be asked again as it is, once its cause is gone. Who does that is for whoever catches it to
    say: the projector by itself (projector.status), a person with the command (cli.output)."""

    def __init__(self, message: str | None = None, /, *, fix: str | None = None, **values: object) -> None:
        """`message` replaces the docstring, `fix` the class's; `values` fill the {names} of both templates."""
        self.values: Mapping[str, object] = values
        self.message = message if message is not None else _fill(_template(type(self)), values)
        self.fix = fix if fix is not None else _fill(type(self).fix, values)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> dict[str, str]:
        """What `--json` and the API print of it: code, message, fix."""
        return {"code": self.code, "message": self.message, "fix": self.fix}


class _Values(dict[str, object]):
    """A {name} without a value stays as it is: an error about an error helps nobody."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _template(kind: type) -> str:
    """The nearest docstring on one line; `python -OO` has none, then whatever values there are will do."""
    for base in kind.__mro__:
        if base is Exception:
            break
        if base.__doc__:
            return " ".join(base.__doc__.split())
    return f"{kind.__name__}: {{reason}}"


def sentence(words: str) -> str:
    """`words` with one mark at the end: a driver's come with a full stop, without one, or as a question."""
    bare = words.rstrip(" .")
    return bare if bare.endswith(_ENDS) else f"{bare}."


def _fill(template: str, values: Mapping[str, object]) -> str:
    for name, said in values.items():
        if str(said).endswith(_ENDS):
            template = template.replace(f"{{{name}}}.", f"{{{name}}}")
    try:
        return template.format_map(_Values({name: _fitting(name, said, template) for name, said in values.items()}))
    except (ValueError, IndexError, AttributeError):
        return template


def _fitting(name: str, said: object, template: str) -> object:
    """`said` without its full stop where the template has one behind it: words of a driver come with one or without."""
    ends = isinstance(said, (str, Exception)) and f"{{{name}}}." in template
    return (str(said).rstrip(" .") or said) if ends else said


class UsageProblem(LevaithanError):  # noqa: N818 - named for people, as are those below
    """{reason}"""

    code = "usage"
    exit_code = USAGE
    fix = "see `levaithan --help`, or `levaithan COMMAND --help`"


class NotFound(LevaithanError):  # noqa: N818
    """There is no {what} {name} here."""

    code = "not_found"
    exit_code = FAILED
    fix = "look at the list first, or widen --since"


class NotConfigured(LevaithanError):  # noqa: N818
    """{reason}"""

    code = "not_configured"
    exit_code = NOT_CONFIGURED
    fix = "run `levaithan setup`, or see `levaithan config show --origin`"


class SettingsUnreadable(LevaithanError):  # noqa: N818
    """The settings in {path} cannot be read: {reason}."""

    code = "settings_unreadable"
    exit_code = FAILED
    fix = "mend or remove {path}; `levaithan config template` prints a good one"


class Unhealthy(LevaithanError):  # noqa: N818
    """{reason}"""

    code = "unhealthy"
    exit_code = UNHEALTHY
    fix = "run `levaithan doctor --fix`"


class ServiceUnreachable(Unhealthy):
    """The service of {home} does not answer: {reason}."""

    code = "service_unreachable"
    fix = "run `levaithan start`; hooks are decided and recorded without it meanwhile"


class FindingsFound(LevaithanError):  # noqa: N818
    """{reason}"""

    code = "findings"
    exit_code = FINDINGS
    fix = "look at the findings; docs/reference/journal-format.md says what each kind means"


class JournalUnavailable(LevaithanError):  # noqa: N818
    """The journal in {path} cannot be used: {reason}."""

    code = "journal_unavailable"
    exit_code = FAILED
    fix = "see that {path} is there, yours to write, and that its disk has room; then `levaithan journal verify`"


class StoreError(LevaithanError):
    """The {store} store failed: {reason}."""

    code = "store_failed"
    exit_code = FAILED
    fix = "run `levaithan status`; `levaithan journal rebuild` makes a store again from the journal"


class InstallError(LevaithanError):
    """{path} was left as it is: {reason}."""

    code = "install_failed"
    exit_code = FAILED
    fix = "mend {path} by hand, then run the command again; nothing was changed"


class Interrupted(LevaithanError):  # noqa: N818
    """Interrupted."""

    code = "interrupted"
    exit_code = INTERRUPTED
    fix = "run the command again: what was done stays done, the rest follows"
