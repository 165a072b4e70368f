"""Whether a tool call only looks: what a session that may read only is still allowed.

By lists of what is known to change nothing, never by what is known to change something: a tool or a program that is not
here counts as one that may write. Deeds (scene.py) find what a reading program is told to write all the same.
Standard library only; loaded where a session may read only.
"""

from __future__ import annotations

from levaithan.hot import policy
from levaithan.hot.deed import shown
from levaithan.hot.scene import SHELL_TOOLS, Scene

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.event import Event
    from levaithan.hot.simple import Simple
    from levaithan.hot.workflow import Context

TOOLS = frozenset(
    "Read Grep Glob LS NotebookRead LSP TodoRead TodoWrite TaskList TaskGet TaskOutput TaskStop BashOutput KillShell "
    "AskUserQuestion ExitPlanMode ToolSearch ListMcpResourcesTool".split()
)
"""Tools that read, or change nothing but the session's own list of things to do."""
PROGRAMS = frozenset(
    "ls cat head tail wc grep egrep fgrep stat du df pwd echo whoami id uname which type true false "
    "cut tr nl tac rev column comm diff cmp join paste fold basename dirname realpath readlink md5sum sha1sum "
    "sha256sum sha512sum cksum od hexdump strings seq uptime free nproc arch groups tty printenv ps".split()
)
"""Programs that no option makes write a file or start another program."""
_LOOKING_DEEDS = frozenset(("read", "list"))
_GIT = frozenset("status log diff show blame shortlog describe rev-parse ls-files ls-tree cat-file rev-list".split())
_GIT_OPTIONS = frozenset(
    "abbrev abbrev-commit no-abbrev-commit oneline pretty format graph decorate no-decorate date relative-date source "
    "parents children count max-count skip since after until before author committer grep all-match invert-grep "
    "regexp-ignore-case extended-regexp fixed-strings perl-regexp merges no-merges first-parent reverse topo-order "
    "date-order author-date-order follow full-history left-right left-only right-only cherry cherry-pick cherry-mark "
    "boundary no-walk walk-reflogs all branches tags remotes objects merge-base patch no-patch raw stat shortstat "
    "numstat dirstat compact-summary summary name-only name-status patch-with-stat word-diff word-diff-regex "
    "color-words color no-color color-moved renames no-renames find-renames find-copies find-copies-harder "
    "diff-filter diff-algorithm minimal patience histogram unified inter-hunk-context function-context text binary "
    "full-index exit-code quiet check pickaxe-regex pickaxe-all ignore-all-space ignore-space-change "
    "ignore-space-at-eol ignore-blank-lines ignore-cr-at-eol no-ext-diff no-textconv relative no-relative no-prefix "
    "src-prefix dst-prefix cached staged short branch porcelain long verbose untracked-files ignored ignore-submodules "
    "ahead-behind no-ahead-behind show-stash column line-porcelain incremental root show-stats show-name show-number "
    "show-email numbered email group always match exclude exact-match contains dirty candidates show-toplevel "
    "show-prefix show-cdup git-dir absolute-git-dir git-common-dir is-inside-work-tree is-inside-git-dir "
    "is-bare-repository abbrev-ref verify symbolic symbolic-full-name others modified deleted stage unmerged "
    "exclude-standard error-unmatch full-name full-tree directory deduplicate eol batch batch-check batch-all-objects "
    "end-of-options".split()
)
"""Long options of these that read and start nothing, written in full: git takes the beginning of one for it, which a
list of what writes (--ext-diff, --textconv, --output) would have to know too."""
_DATE_OPTIONS = ("-u", "-R", "-I", "--utc", "--universal", "--iso-8601", "--rfc-email", "--debug")
_DATE_VALUED = ("+", "-d", "-r", "-I", "--date=", "--reference=", "--iso-8601=", "--rfc-3339=")
_TESTS_NAMES = ("-v", "-R")
_FIND_DOES = ("-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprintf", "-fls", "-fprint0")
_UNKNOWN = "\x00"


def changes(event: Event, context: Context) -> str:
    """What `event` may change, in words; "" for a call that only looks."""
    tool, command = event.tool_name or "", event.tool_input.get("command")
    if tool not in SHELL_TOOLS:
        return "" if tool in TOOLS else f"{tool[:80] or 'this tool'} may write"
    if tool != "Bash" or not isinstance(command, str):
        return f"{tool} may write"
    if event.tool_input.get("run_in_background") or event.tool_input.get("dangerouslyDisableSandbox"):
        return "this call is to run in the background, or outside of the sandbox"
    return _of_command(command, event, context)


def _of_command(command: str, event: Event, context: Context) -> str:
    rules = policy.load(context.home, context.conf, event.project or event.cwd or "")
    scene = Scene(rules.protected, rules.user_home, event)
    for deed in scene.deeds():
        if deed.kind not in _LOOKING_DEEDS:
            return f"`{_line(deed.seen)}` may do more ({deed.kind})"
    if not scene.commands or scene.sets:
        return f"`{_line(command)}` may do more"
    for made in scene.commands:
        if not _looks(made):
            return f"`{_line(shown(made.words))}` may write"
        if made.name == "git":
            from levaithan.hot import git_config

            why = git_config.starts_programs(made.words, made.cwd)
            if why:
                return f"`{_line(shown(made.words))}` may start a program: {_line(why)}"
    return ""


def _looks(made: Simple) -> bool:
    """Whether the simple command `made` only looks."""
    words = made.words
    if not words:  # a redirection alone: its deed says what it writes
        return bool(made.redirects)
    program = words[0]
    if "/" in program and program not in ("/bin/" + made.name, "/usr/bin/" + made.name):
        return False
    if made.name in PROGRAMS:
        return True
    judge = _JUDGES.get(made.name)
    if judge is None:
        return False
    if made.name != "printf" and any(_UNKNOWN in word for word in words):  # it may be the option that writes
        return False
    return judge(words[1:])


def _git_looks(rest: list[str]) -> bool:
    if rest[:1] in (["--no-pager"], ["-P"]):
        rest = rest[1:]
    if not rest or rest[0] not in _GIT:
        return False
    for word in rest[1:]:
        if word[:2] == "-O" or "%G" in word:  # %G: a program of the settings looks at the signature
            return False
        if word.startswith("--") and word != "--" and word[2:].partition("=")[0] not in _GIT_OPTIONS:
            return False
    return True


def _date_looks(rest: list[str]) -> bool:
    """Whether date shows a time: a word that is no option and begins without a `+` is the clock's new time."""
    i = 0
    while i < len(rest):
        word = rest[i]
        i += 1
        if word in ("-d", "-r", "--date", "--reference"):
            i += 1
        elif word not in _DATE_OPTIONS and not word.startswith(_DATE_VALUED):
            return False
    return True


def _printf_looks(rest: list[str]) -> bool:
    """Whether printf only prints: the word -v, which stands before the format, sets a variable, and runs what is in
    the brackets of `a[$(...)]`."""
    return not rest or rest[0] == "--" or (rest[0][:1] != "-" and _UNKNOWN not in rest[0])


def _test_looks(rest: list[str]) -> bool:
    """Whether test asks for no variable by its name: -v runs what is in the brackets of `a[$(...)]`."""
    return not any(word in _TESTS_NAMES for word in rest)


def _without(letters: str, *starts: str) -> Callable[[list[str]], bool]:
    """A judge: none of the words is an option with one of `letters`, nor begins with one of `starts`."""
    return lambda rest: not any(_short(word, letters) or word.startswith(starts) for word in rest)


def _one_operand(rest: list[str]) -> bool:
    """Whether there is no second operand, which would be written to."""
    return "--" not in rest and len([word for word in rest if word == "-" or word[:1] != "-"]) <= 1


def _short(word: str, letters: str) -> bool:
    """Whether `word` is a group of one-letter options with one of `letters` in it."""
    return word[:1] == "-" != word[1:2] and any(letter in word for letter in letters)


def _line(text: str) -> str:
    """`text` on one bounded line that shows nothing but letters."""
    short = text[:100] + ("..." if len(text) > 100 else "")
    return "".join(char if char.isprintable() else "?" for char in short)


_JUDGES: dict[str, Callable[[list[str]], bool]] = {
    "find": lambda rest: not any(word in _FIND_DOES for word in rest),
    "sort": _without("oT", "--o", "--c", "--te"),
    "rg": _without("z", "--pre", "--hostname-bin", "--search-zip"),
    "tree": _without("oR", "--output"),
    "file": _without("C", "--c"),
    "date": _date_looks,
    "git": _git_looks,
    "printf": _printf_looks,
    "test": _test_looks,
    "[": _test_looks,
    "cd": _one_operand,
    "uniq": _one_operand,
}
"""Programs that some options make write, or start something: whether the words after the name hold none of those."""
