"""What stays and runs again when nobody looks: jobs, units, login items, git's hooks and commands of its settings.

Files that do the same are places (file_places.py). Part of deeds.py, which loads it when one of its programs is run.
Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import operands, operands_on, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]


def _stays(target: str, made: Simple) -> Deed:
    return Deed("persist", target, made.cwd, shown(made.words))


def _jobs(made: Simple) -> Iterator[Deed]:
    """crontab FILE, -, -e, -r; crontab -l only shows."""
    words = made.words[1:]
    if "-l" in words or "--help" in words or "-V" in words:
        return
    if words or made.stdin is not None or made.upstream is not None or made.redirects:
        yield _stays("the table of jobs", made)


def _later(made: Simple) -> Iterator[Deed]:
    """at TIME, batch; at -l, -c and -r start nothing."""
    looks = {"-l", "-c", "-V", "-r", "-d", "--help", "--version"} & set(made.words[1:])
    if not looks and (made.name == "batch" or len(made.words) > 1):
        yield _stays("a job for later", made)


def _launches(made: Simple) -> Iterator[Deed]:
    if made.words[1:2] and made.words[1] in ("load", "bootstrap", "submit", "enable", "setenv", "asuser"):
        yield _stays(" ".join(made.words[2:4]) or "a job", made)


_STARTS = ("enable", "link", "reenable", "add-wants", "add-requires", "preset", "set-default", "edit", "set-property")


def _units(made: Simple) -> Iterator[Deed]:
    """systemctl --user enable, enable of a file, edit; enabling a service of the system by its name is usual."""
    words = operands(made.words, "HMtpsno host machine type property signal lines output root")
    if not words or words[0] not in _STARTS:
        return
    by_path = any("/" in word for word in words[1:])
    if by_path or words[0] in ("link", "edit", "set-default", "add-wants", "add-requires") or "--user" in made.words:
        yield _stays(words[1] if words[1:] else words[0], made)


def _timers(made: Simple) -> Iterator[Deed]:
    """systemd-run with a time; without one it is a command that runs now."""
    if any(
        word.startswith(("--on-", "--timer-property", "--path-property", "--socket-property")) for word in made.words
    ):
        yield _stays("a timer", made)


def _lingers(made: Simple) -> Iterator[Deed]:
    if "enable-linger" in made.words:
        yield _stays("services without a login", made)


def _boots(made: Simple) -> Iterator[Deed]:
    """update-rc.d X defaults, chkconfig X on, rc-update add X, pm2 startup, sc create, schtasks /create."""
    given = {word.lower() for word in made.words[1:]}
    if given & {"defaults", "enable", "on", "add", "startup", "create", "/create", "--add"} and "--list" not in given:
        yield _stays(made.words[-1], made)


def _registry(made: Simple) -> Iterator[Deed]:
    if "add" in {word.lower() for word in made.words[1:2]} and any("run" in word.lower() for word in made.words[2:]):
        yield _stays("a key that starts programs", made)


def _login_items(made: Simple) -> Iterator[Deed]:
    if any("login item" in word.lower() for word in made.words):
        yield _stays("a login item", made)


def _defaults(made: Simple) -> Iterator[Deed]:
    if any(word in ("LoginHook", "LogoutHook") for word in made.words) and "write" in made.words:
        yield _stays("a login hook", made)


_RUNS = (
    r"(?i)(?:core\.(?:fsmonitor|sshcommand|hookspath|gitproxy|askpass|editor|pager)|credential(?:\..*)?\.helper|"
    r"(?:diff|merge|filter)\..*\.(?:command|driver|textconv|clean|smudge|process)|diff\.external|gpg\.program|"
    r"sequence\.editor|uploadpack\.packobjectshook|init\.templatedir|include\.path|includeif\..*\.path|"
    r"protocol\.ext\.allow|url\..*\.insteadof|url\..*\.pushinsteadof|http\.sslverify|alias\..*|pager\..*)"
)
_HARMLESS_VALUES = frozenset(
    ("true", "false", "cat", "less", "vim", "nano", "vi", "code", "delta", "bat", "osxkeychain", "manager")
)
_USUAL_VALUES = (
    r"(?:less|delta|code|vim|nano|cat|bat|subl|emacs|diff-so-fancy)\b[^;|&`$]*|cache(?:\s--timeout.*)?|"
    r"(?:manager|osxkeychain|libsecret|wincred|manager-core|!gh auth git-credential|"
    r"!/usr/bin/gh auth git-credential|)|git-lfs .*"
)


def _git(made: Simple) -> Iterator[Deed]:
    """git config of what git runs by itself: hooks elsewhere, a monitor, an ssh command, a helper, an alias
    with `!`."""
    rest = operands_on(made.words, "Cc git-dir work-tree namespace")
    given = list(values_of(made.words[: len(made.words) - len(rest)], "c", "--config-env"))
    settings = [(name, value) for name, _, value in (one.partition("=") for one in given)]
    if rest[:1] == ["config"]:
        words = [word for word in operands(rest, "f file blob type default") if word not in ("set", "add")]
        reading = {
            "--get",
            "--get-all",
            "--unset",
            "--list",
            "-l",
            "--unset-all",
            "--get-regexp",
            "get",
            "list",
            "unset",
            "--edit",
        }
        if len(words) >= 2 and not reading & set(rest):
            settings.append((words[0], words[1]))
    for name, value in settings:
        if _fits(_RUNS, name) and not _is_usual(name.lower(), value):
            yield _stays(f"{name}={value}"[:100], made)


def _fits(pattern: str, text: str) -> bool:
    import re  # most git commands set nothing

    return re.fullmatch(pattern, text) is not None


def _is_usual(name: str, value: str) -> bool:
    """Hooks in the project (husky), a pager that pages, an alias of git's own words, a rewrite to the same host."""
    if name.startswith("alias."):
        return value[:1] != "!"
    if name == "core.hookspath":
        return not value.startswith(("/", "~", "..")) and "\x00" not in value
    if name.startswith("url."):
        return "github.com" in name or "gitlab.com" in name
    if name == "http.sslverify":
        return value.lower() not in ("false", "0", "no", "off")
    return value.lower() in _HARMLESS_VALUES or _fits(_USUAL_VALUES, value)


def _lets_in(made: Simple) -> Iterator[Deed]:
    """ssh-copy-id HOST: a key that opens another machine from now on; -n only shows."""
    if made.words[1:] and not {"-n", "-h", "-?"} & set(made.words):
        yield _stays(f"a key on {made.words[-1]}", made)


def _rows() -> dict[str, Reader]:
    rows: dict[str, Reader] = {
        "crontab": _jobs,
        "launchctl": _launches,
        "systemctl": _units,
        "systemd-run": _timers,
        "loginctl": _lingers,
        "reg": _registry,
        "osascript": _login_items,
        "defaults": _defaults,
        "git": _git,
        "ssh-copy-id": _lets_in,
    }
    rows |= dict.fromkeys(("at", "batch"), _later)
    return rows | dict.fromkeys(("update-rc.d", "chkconfig", "rc-update", "pm2", "sc", "schtasks"), _boots)


OF = _rows()
