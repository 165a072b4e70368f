"""Program text on a command line (python -c, node -e, awk, a here-document into an interpreter) and what it would run.

No parser of any language: string literals are looked at, and what is called around them. Standard library only.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.shell import Simple

_MOST = 60
_LONGEST = 4096
_FLAG = re.compile(r"-[A-Za-z]{0,6}[ceEpir]|--eval|--print|eval")
_LITERAL = re.compile(r"'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"|`([^`\n]*)`")
_RUNS = re.compile(
    r"system|subprocess|popen|exec|spawn|shell script|passthru|execute|\.!|`|%x|\bqx\b|check_output|check_call|\brun\(|"
    r"getline|\|\s{0,3}\"",
    re.I,
)
_CALLS = re.compile(
    r"(?:\bsystem|popen\d?|\brun|check_call|check_output|\bcall|exec\w{0,8}|spawn\w{0,8}|passthru|shell_exec|%x|\bqx|getoutput)"
    r"\s?\(\s{0,12}[\[(]?\s{0,12}[bfru]{0,2}$",
    re.I,
)
_DELETES_TREE = re.compile(
    r"(?:rmtree|rm_rf!?|rm_r|remove_dir|remove_entry\w{0,8}|rmSync|rmdirSync|removeSync|removeAll|remove_tree|remove_dir_all|rimraf)\W{1,4}$"
)
_DELETES_ONE = re.compile(
    r"(?:os\.remove|os\.rmdir|\bunlink|unlinkSync|os\.unlink|File\.delete|FileUtils\.rm(?:_f)?|\brm|Deno\.remove(?:Sync)?|remove_file|rmdir|removeFile|deleteFile)"
    r"(?:\W{1,4}|\s{0,2}\(?\s{0,2}glob\W{1,4})$"
)
_LISTS = re.compile(
    r"(?:listdir|scandir|glob|iglob|readdir(?:Sync)?|Dir\.(?:entries|children|each_child)|\bDir|\bwalk)\W{1,3}$"
)
_DELETES_LISTED = re.compile(
    r"(?:os\.remove|os\.unlink|unlink(?:Sync)?|File\.delete|rmtree|rm_rf?|rmSync|\.unlink|\.rmdir)\s?\(?"
)
_QUOTED_RUN = re.compile(r"(?:\bqx|%x)\s?[({\[|/!]([^)}\]|!\n]{1,2000})[)}\]|/!]")
_RECURSIVE = re.compile(r"['\"]?\s?,[^;)]{0,60}recursive\W{1,5}(?:true|T\b)", re.I)
_BARE_RUN = re.compile(r"(?:^|[\n;\[{])\s*(?:exec|spawn|!)\s*([a-z][^\]\n;'\"(]+)")
"""exec and spawn of Tcl and Expect, and the ! of IPython, whose words stand without quotes."""
_DELETED = re.compile(r"['\"]?\s?\)\.(?:unlink|rmdir|delete|rmtree|rm_rf|delete_all)\b")


def pieces(made: Simple) -> list[str]:
    """The program texts that `made`, an interpreter, is given in its words or on its stdin."""
    if made.code is None or made.code[0] is not made.stdin:
        made.code = made.stdin, _pieces(made)
    return made.code[1]


def _pieces(made: Simple) -> list[str]:
    words, name = made.words, made.name
    operands = [word for word in words[1:] if word[:1] != "-" and word not in ("/dev/stdin", "\x00")]
    reads = [made.stdin] if made.stdin and not operands else []
    if name == "sqlite3":
        return [" ".join([*words[1:], made.stdin or ""])]
    if name.endswith("awk"):
        return operands
    found = [words[i + 1] for i, word in enumerate(words[:-1]) if i and _FLAG.fullmatch(word)]
    found += [word.partition("=")[2] for word in words[1:] if word.startswith(("--eval=", "--print="))]
    if found and name.startswith(("perl", "ruby")):
        found = [" ".join(words[1:])]
    return found + reads


def literals(code: str) -> list[str]:
    """The string literals in `code`, as written."""
    return [match[match.lastindex or 1] for match in _LITERAL.finditer(code)]


def commands_in(code: str, *, whole_file: bool = False) -> list[str]:
    """The command lines that `code` may hand to a shell or start, and what it deletes as such a line.

    In a line of code any text may be the command; in a whole file only what stands in a call that runs one.
    """
    found: list[str] = []
    runs = not whole_file and _RUNS.search(code) is not None
    row: list[str] = []
    after = 0
    for match in _LITERAL.finditer(code):
        text = match[match.lastindex or 1]
        if len(found) >= _MOST:
            break
        deletion = _deletion(code, match, listed=not whole_file and text[:1] in ("/", "~"))
        if deletion:
            found.append(f"{deletion} -- {_quoted(text)}")
        if row and code[after : match.start()].strip(" [\n\t") != ",":
            found += _started(row)
            row = []
        called = runs or bool(row) or (whole_file and _CALLS.search(code[max(match.start() - 40, 0) : match.start()]))
        row += [text] if called and len(text) <= _LONGEST else []
        after = match.end()
    found += [match[1] for match in _QUOTED_RUN.finditer(code)] if "q" in code or "%x" in code else []
    found += [match[1] for match in _BARE_RUN.finditer(code)] if not whole_file else []
    return found + _started(row)


def _deletion(code: str, match: re.Match[str], *, listed: bool) -> str:
    """How the path in a literal is deleted: `rm -rf`, `rm`, or "" for not at all. listed: what is listed may go."""
    before = code[max(match.start() - 40, 0) : match.start()]
    if _DELETES_TREE.search(before) or (listed and _LISTS.search(before) and _DELETES_LISTED.search(code)):
        return "rm -rf"
    if _DELETES_ONE.search(before):
        return "rm -rf" if _RECURSIVE.match(code, match.end()) else "rm"
    called = _DELETED.match(code, match.end())
    return "" if called is None else "rm -rf" if "rm" in called[0][-8:] and called[0][-5:] != "rmdir" else "rm"


def _started(row: list[str]) -> list[str]:
    """One literal is a command line; several with commas between them are the words of one."""
    if len(row) < 2:
        return row
    return [" ".join(map(_quoted, row)), *row]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
