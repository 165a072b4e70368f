"""What shows secrets that lie in no file: variables of the environment, key rings, stores of passwords.

Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import INTERPRETERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.shell import Simple

_FILTERS = frozenset(("grep", "egrep", "rg", "awk", "sed", "ag"))
_SHOWING = frozenset(
    ("cat", "less", "more", "sort", "head", "tail", "tee", "nl", "column", "uniq", "bat", "xargs", "jq")
)
_HIDING = frozenset(("wc", "cut", "sha256sum", "sha1sum", "md5sum", "shasum", "test", "tr"))
_GIVEN_ON = re.compile(r"--password-stdin|--with-token|--token-stdin|--api-key-stdin|-stdin\b|\s-S\b")
"""What takes a secret from a pipe as it is meant to be given."""
_STORES: dict[str, str] = {
    "security": "find-generic-password -w|find-internet-password -w|dump-keychain|export|find-generic-password -g",
    "gpg": "--export-secret-keys|--export-secret-subkeys|--export-secret-key",
    "gpg2": "--export-secret-keys|--export-secret-subkeys",
    "secret-tool": "lookup|search",
    "lazagne": "",
    "mimikatz": "",
    "chainbreaker": "",
    "firefox_decrypt": "",
    "unshadow": "",
    "keyctl": "print|read|pipe",
    "cmdkey": "/list",
    "kwallet-query": "-r|--read-password",
    "procdump": "",
    "gcore": "",
}


def _stores(made: Simple) -> Iterator[Deed]:
    """Tools that hand out what a store of passwords keeps."""
    for asked in _STORES[made.name].split("|"):
        wanted = asked.split()
        if all(word in made.words for word in wanted) and "--help" not in made.words:
            yield Deed("reveal", " ".join([made.name, *wanted]), made.cwd, shown(made.words))
            return


OF = dict.fromkeys(_STORES, _stores)

_SECRET_VARIABLE = re.compile(
    r"\$\{?(?P<name>[A-Z0-9_]*(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_KEY|PRIVATE_KEY|AUTH_TOKEN|_TOKEN|"
    r"CREDENTIALS?|_PAT|_PASS)[A-Z0-9_]*)(?=\}|[^A-Za-z0-9_:#+?=-]|-|$)"
)
_ABOUT_SECRETS = re.compile(r"(?i)secret|token|passw|api[_-]?key|credential|private|aws_|_key\b|\bkey\b|auth")
_PRINTED = re.compile(
    r"(?:print|puts|console\.log|stdout\.write|echo|say)\b.{0,60}(?:environ|getenv|process\.env|ENV)\W{1,4}(?:get\W{1,3})?"
    r"([A-Z0-9_]*(?:SECRET|PASSWORD|API_?KEY|ACCESS_KEY|PRIVATE_KEY|TOKEN|CREDENTIAL)[A-Z0-9_]*)"
)
_PRINTED_WHOLE = re.compile(
    r"print\s?\(\s?(?:dict\(|json\.dumps\(|sorted\(){0,2}os\.environ(?:\.items\(\)|\.copy\(\))?\s?\)"
    r"|console\.(?:log|table)\(process\.env\)|^process\.env$"
    r"|(?:puts|p|pp|print)\s+ENV(?:\.(?:to_a|to_h|inspect))?\s*$|print\s+%ENV|JSON\.stringify\(process\.env\)"
)
_PRINTS = re.compile(r"(?:^|[\s;&|(`'\"])(?:echo|printf|print)\s[^\n;|&]*")


def of_variables(commands: Sequence[Simple], text: str) -> Iterator[Deed]:
    """echo $AWS_SECRET_ACCESS_KEY, printenv GITHUB_TOKEN, env | grep -i secret: what the environment keeps, shown."""
    for made in commands:
        if made.name in ("printenv", "env", "export", "set", "declare", "typeset", "compgen"):
            yield from _dumped(made, commands)
        elif made.name.startswith(INTERPRETERS):
            yield from _printed_by(made)
    if not any(made.name in ("echo", "printf", "print") for made in commands):
        return
    for match in _PRINTS.finditer(text):
        found = _SECRET_VARIABLE.search(match[0])
        after = text[match.end() :].lstrip()
        if found and not _stays(after, match[0]):
            yield Deed("reveal", "$" + found["name"], None, match[0].strip()[:120])


def _printed_by(made: Simple) -> Iterator[Deed]:
    """print(os.environ["X_TOKEN"]), console.log(process.env.X_TOKEN)."""
    for word in made.words[1:]:
        if _PRINTED_WHOLE.search(word) and not made.redirects:
            yield Deed("dump", "the environment", made.cwd, shown(made.words))
        found = _PRINTED.search(word)
        if found:
            yield Deed("reveal", "$" + found[1], made.cwd, shown(made.words))


def _stays(after: str, printed: str) -> bool:
    """Whether what is printed goes where it belongs: into a file, a login's stdin, a count or a hash."""
    if ">" in printed.replace(">&2", "") or "'$" in printed:
        return True
    if not after.startswith("|") or after.startswith("||"):
        return False
    rest = re.split(r"[|;&]", after[1:], maxsplit=1)[0]
    return bool(_GIVEN_ON.search(rest)) or rest.split()[:1] in [[name] for name in _HIDING]


def _dumped(made: Simple, commands: Sequence[Simple]) -> Iterator[Deed]:
    words = made.words
    if made.name == "printenv":
        names = [word for word in words[1:] if word[:1] != "-"]
        yield from (
            Deed("reveal", "$" + name, made.cwd, shown(words))
            for name in names
            if _SECRET_VARIABLE.match("$" + name + " ")
        )
        if names:
            return
    elif len(words) > 1 and words[1:] not in (["-p"], ["-0"], ["-x"], ["-e"]):
        return
    followers = [one for one in commands if one.upstream is made]
    shown_whole = all(one.name in _SHOWING for one in followers) and not made.redirects
    if shown_whole and (made.name in ("env", "printenv") or words[1:] or followers):
        yield Deed("dump", "the environment", made.cwd, shown(words))
    for follower in commands:
        if follower.upstream is not made or follower.name not in _FILTERS or "-v" in follower.words:
            continue
        if any(_ABOUT_SECRETS.search(word) for word in follower.words[1:]):
            seen = f"{shown(words)} | {shown(follower.words)}"
            yield Deed("reveal", "secrets in the environment", made.cwd, seen)
