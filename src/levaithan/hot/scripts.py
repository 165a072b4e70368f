"""What a command runs that stands in a file: a script, a recipe, a package's script. It is judged as what it runs.

The file is read at the moment of the run: whoever wrote it, and by whatever means. A file that the same line writes
(`cat > x.sh <<EOF`, `echo ... > x.sh`) is taken from the line. Programs of the system are not read, nor is what is
large or no text. Standard library only; loaded when a command names a file to run.
"""

from __future__ import annotations

import os

from levaithan.hot.paths import regular
from levaithan.hot.shell_options import INTERPRETERS, joined, operands_on, values_of
from levaithan.hot.shell_text import printed
from levaithan.hot.shell_wrap import SHELLS
from levaithan.hot.wrappers import MAKES, PACKAGERS, PROGRAMS_OF_FILES, SYSTEM, may_run_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.shell import Line, Simple

SHELL, CODE = "shell", "code"
MOST_BYTES = 64 << 10
MOST_FILES = 20
_OWN = ("levaithan", "system-cli.sh", "setup.sh")
_SHELL_VALUED = "oO rcfile init-file"
_CODE_VALUED = "WXmMrICecQ"


class Script:
    """A text that is run. name: as the command has it; kind: SHELL or CODE; program: what runs it; cwd: where."""

    __slots__ = ("cwd", "kind", "name", "program", "text")

    def __init__(self, name: str, kind: str, program: str, text: str, cwd: str | None) -> None:
        self.name = name
        self.kind = kind
        self.program = program
        self.text = text
        self.cwd = cwd


def line_of(script: Script, user_home: str) -> Line:
    """What `script` runs; of program text, the run itself and what it would start. Never raises."""
    from levaithan.hot import shell, shell_wrap

    if script.kind == SHELL:
        return shell.split(script.text, script.cwd, user_home)
    line = shell.Line()
    line.commands.append(shell.Simple([script.program, "-c", script.text], [], script.cwd, None))
    variables = {"HOME": user_home, "IFS": " \t\n"}
    try:
        shell_wrap.starts(script.text, shell.Reader("", line, variables, script.cwd, 0), whole_file=True)
    except RecursionError:
        line.unsure = "it is nested too deeply"
    return line


def of_commands(commands: Sequence[Simple], user_home: str) -> Iterator[Script]:
    """Every text that `commands` run from files."""
    written: dict[str, str] = {}
    for made in commands:
        if made.words:
            if may_run_file(made.words[0], made.name):
                yield from _run_by(made, written, user_home)
            _note_written(made, written, user_home)


def _note_written(made: Simple, written: dict[str, str], user_home: str) -> None:
    """Remembers what the line itself puts into files."""
    targets = [(operator, target) for operator, target in made.redirects if operator in (">", ">>", ">|")]
    if made.name == "tee":
        targets += [(">", word) for word in made.words[1:] if word[:1] != "-"]
    if made.name in ("cp", "mv", "ln") and len(made.words) > 2:
        source = _text(_path(made.words[-2], made.cwd, user_home), written)
        if source is not None:
            written[_path(made.words[-1], made.cwd, user_home) or ""] = source
    text = printed(made) if targets else None
    for operator, target in targets:
        path = _path(target, made.cwd, user_home)
        if path and text is not None:
            written[path] = (written.get(path) or "") + text if operator == ">>" else text


def _run_by(made: Simple, written: dict[str, str], user_home: str) -> Iterator[Script]:
    if made.name in MAKES:
        yield from _recipes(made, written, user_home)
        return
    if made.name in PACKAGERS:
        yield from _package_scripts(made, written, user_home)
        if made.name != "bun":
            return
    file = _file_of(made)
    if not file or "\x00" in file or file.rpartition("/")[2] in _OWN:
        return
    text = _text(_path(file, made.cwd, user_home), written)
    if text is not None:
        kind, program = _kind(made, text)
        yield Script(file, kind, program, text, made.cwd)


def _file_of(made: Simple) -> str:
    """The file that `made` runs: a shell's or an interpreter's first operand, its stdin, or the program itself."""
    words, name = made.words, made.name
    if name in ("source", "."):
        return words[1] if len(words) > 1 else ""
    if name in SHELLS:
        if any(word[:1] == "-" != word[1:2] and "c" in word for word in words[1:]):
            return ""
        rest = operands_on(words, _SHELL_VALUED)
    elif name in PROGRAMS_OF_FILES:
        rest = [word for word in words[1:] if word[:1] != "-" and word not in ("run", "test", "watch")]
    elif name.startswith(INTERPRETERS):
        if name.endswith(("awk", "sqlite3")) or any(word in ("-c", "-e", "-m", "-p") for word in words[1:]):
            return ""
        rest = operands_on(words, _CODE_VALUED)
    else:
        return words[0]
    if rest:
        return rest[0]
    return next((target for operator, target in made.redirects if operator == "<"), "")


def _kind(made: Simple, text: str) -> tuple[str, str]:
    """Whether `text` is for a shell or for an interpreter: by who runs it, else by its first line."""
    if made.name in SHELLS or made.name in ("source", "."):
        return SHELL, "sh"
    if made.name in PROGRAMS_OF_FILES or made.name.startswith(INTERPRETERS):
        return CODE, made.name
    first = text.partition("\n")[0]
    if not first.startswith("#!"):
        return SHELL, "sh"
    program = (first[2:].strip().split() or ["sh"])[-1].rpartition("/")[2]
    return (SHELL, "sh") if program in SHELLS else (CODE, program)


def _recipes(made: Simple, written: dict[str, str], user_home: str) -> Iterator[Script]:
    from levaithan.hot import recipes

    folder = next(values_of(made.words, "C", "--directory"), "")
    cwd = joined(made.cwd, folder) if folder else made.cwd
    named = next(values_of(made.words, "f", "--file"), "") or next(values_of(made.words, "", "--makefile"), "")
    if {"-n", "--dry-run", "--just-print", "--recon", "--list", "-l", "--version", "--help"} & set(made.words):
        return
    for name in (named,) if named else recipes.NAMES[made.name == "just"]:
        text = _text(_path(name, cwd, user_home), written)
        if text is not None:
            goals = [word for word in _goals(made.words) if "=" not in word]
            given = dict(word.split("=", 1) for word in made.words[1:] if "=" in word and word[:1] != "-")
            yield Script(f"{made.name} {' '.join(goals)}".rstrip(), SHELL, "sh", recipes.of(text, goals, given), cwd)
            return


def _goals(words: list[str]) -> list[str]:
    """Goals and assignments of make: what is neither an option nor an option's value."""
    from levaithan.hot.shell_options import operands

    return operands(words, "CfIjloW directory file makefile include-dir jobs load-average justfile working-directory")


def _package_scripts(made: Simple, written: dict[str, str], user_home: str) -> Iterator[Script]:
    """npm run X, npm test, yarn X: `scripts` of package.json, with what stands before and after it by name."""
    from levaithan.hot import recipes

    folder = next(values_of(made.words, "C", "--prefix"), "") or next(values_of(made.words, "", "--cwd"), "")
    cwd = joined(made.cwd, folder) if folder else made.cwd
    text = _text(_path("package.json", cwd, user_home), written)
    if text is not None:
        for name, line in recipes.package_scripts(text, made.name, made.words[1:]):
            yield Script(f"{made.name} run {name}", SHELL, "sh", line, cwd)


def _path(word: str, cwd: str | None, user_home: str) -> str | None:
    """`word` as an absolute path, its text alone; None when it cannot be told."""
    if "\x00" in word or not word:
        return None
    if word == "~" or word.startswith("~/"):
        word = user_home + word[1:]
    if not word.startswith("/"):
        if cwd is None:
            return None
        word = f"{cwd}/{word}"
    return os.path.normpath(word)


def _text(path: str | None, written: dict[str, str]) -> str | None:
    """What stands in the file: as the line writes it, else as the disk has it. None for no text, or none of ours."""
    if path is None:
        return None
    if path in written:
        return written[path]
    if path.startswith(SYSTEM):
        return None
    try:
        with open(path, "rb", opener=regular) as file:
            data = file.read(MOST_BYTES)
    except (OSError, ValueError):
        return None
    return None if b"\x00" in data[:4096] else data.decode("utf-8", "replace")
