"""Places of single files: what starts shells, jobs and builds, gives rights, or lies outside of the project.

Paths in (absolute, links resolved by who asks), whether they are there out. Beside places.py, which knows the folders
that a deletion must not reach. Standard library only; imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TEMPORARY = _words("/tmp/ /var/tmp/ /private/tmp/ /private/var/tmp/ /var/folders/ /private/var/folders/ /dev/shm/")  # noqa: S108 - looked at, not written to
_STREAMS = _words("/dev/null /dev/std /dev/tty /dev/pts/ /dev/fd/ /dev/zero /dev/full /dev/random /dev/urandom")
_HOMES = ("/home/", "/Users/")
_SYSTEM = _words(
    "/etc/ /usr/ /bin/ /sbin/ /lib/ /lib64/ /boot/ /dev/ /proc/ /sys/ /var/ /run/ /root/ /System/ /Library/ "
    "/Applications/ /private/ /snap/"
)
"""What others count on, as homes are; any other folder below the root is a workspace like /workspace or /app."""
_NO_SYSTEM = _words("/var/www/ /usr/src/ /usr/local/src/ /var/folders/")
_CACHES = _words("/var/lib/apt/lists/ /var/cache/apt/ /var/cache/apk/ /var/cache/dnf/ /var/cache/yum/")
_OUR_CLIENTS = _words("/.claude/plans/ /.claude/projects/ /.claude/todos/ /.claude/tasks/ /.claude/teams/")
"""Where the client itself lets its agents write."""

_STARTUP = frozenset(
    _words(
        ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin "
        ".zlogout .kshrc .cshrc .tcshrc .login .xprofile .xinitrc .xsession .xsessionrc .pam_environment .ssh/rc "
        ".ssh/environment .config/fish/config.fish .config/nushell/config.nu .config/nushell/env.nu .pythonrc "
        ".config/powershell/profile.ps1 .irbrc .gdbinit .lldbinit .inputrc .oh-my-zsh/oh-my-zsh.sh"
    )
)
_STARTUP_HOME = _words(".config/fish/conf.d/ .bashrc.d/ .zshrc.d/ .oh-my-zsh/custom/ .config/plasma-workspace/env/")
_STARTUP_SYSTEM = _words(
    "/etc/profile /etc/bash.bashrc /etc/bashrc /etc/zsh/ /etc/environment /etc/zshrc /etc/zprofile /etc/zshenv "
    "/etc/csh. /etc/fish/ /etc/skel/"
)
_AUTOSTART = _words(
    "/etc/systemd/ /lib/systemd/ /usr/lib/systemd/ /usr/local/lib/systemd/ /run/systemd/ /etc/cron /etc/anacrontab "
    "/var/spool/cron /var/spool/at /etc/init.d/ /etc/rc /etc/init/ /etc/xdg/autostart/ /Library/LaunchAgents/ "
    "/Library/LaunchDaemons/ /System/Library/Launch /Library/StartupItems/ /etc/udev/rules.d/ /etc/modules-load.d/ "
    "/etc/apt/apt.conf.d/ /etc/update-motd.d/ /etc/NetworkManager/dispatcher.d/ /etc/network/if- /etc/dhcp/"
)
_AUTOSTART_HOME = _words(".config/systemd/ .config/autostart/ Library/LaunchAgents/ .local/share/systemd/")
_RIGHTS = _words(
    "/etc/sudoers /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/pam.d/ /etc/pam.conf /etc/security/ "
    "/etc/polkit-1/ /usr/share/polkit-1/ /etc/doas.conf /etc/ld.so. /etc/ssh/ /etc/subuid /etc/subgid "
    "/etc/master.passwd /etc/login.defs /etc/nsswitch.conf /etc/apparmor /etc/selinux/ /etc/audit/ /etc/hosts.equiv"
)
_ACCOUNTS = frozenset(_words("/etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/sudoers /etc/master.passwd"))
_CI_FILES = frozenset(
    _words(
        ".gitlab-ci.yml .gitlab-ci.yaml jenkinsfile .travis.yml azure-pipelines.yml azure-pipelines.yaml .drone.yml "
        "bitbucket-pipelines.yml .woodpecker.yml appveyor.yml .appveyor.yml buildspec.yml cloudbuild.yaml "
        "codemagic.yaml .cirrus.yml"
    )
)
_CI_FOLDERS = _words(
    "/.github/workflows/ /.github/actions/ /.circleci/ /.buildkite/ /.gitlab/ci/ /.woodpecker/ /.tekton/ "
    "/.forgejo/workflows/ /.gitea/workflows/"
)
_GIT_FILES = frozenset(("config", "config.worktree"))
_CLIENT_FILES = frozenset(_words("settings.json settings.local.json managed-settings.json managed-mcp.json"))
_PLUGIN_FILES = frozenset(_words("hooks.json plugin.json .mcp.json"))
_SERVER_FILES = _words("/.mcp.json /.cursor/mcp.json /.vscode/mcp.json /claude_desktop_config.json")


def is_temporary(path: str) -> bool:
    """Below a folder for temporary files, or such a folder."""
    return (path + "/").startswith(_TEMPORARY)


def is_outside(path: str, roots: tuple[str, ...], user_home: str) -> bool:
    """Whether `path` lies outside of `roots` (the project, the working folder) where others count on it."""
    if any(root not in ("", "/") and (path + "/").startswith(root + "/") for root in roots):
        return False
    if is_temporary(path) or path.startswith(_STREAMS):
        return False
    if path.startswith(user_home + "/"):
        return not path.startswith(tuple(user_home + folder for folder in _OUR_CLIENTS))
    return path.startswith(_HOMES) or path == user_home or _in_system(path, user_home) or "/" not in path[1:]


_LIBRARIES = _words(
    "/usr/ /lib/ /lib64/ /nix/ /snap/ /System/ /Library/ /Applications/ /etc/os-release /etc/hosts /proc/ /sys/"
)


_PUBLIC = (".pub", "/known_hosts", "/.gitconfig", "/.gitignore_global")


def is_beyond(path: str, roots: tuple[str, ...], user_home: str) -> bool:
    """Whether `path` is not the project's to read: outside of it, and no library, fact of the system or public key."""
    if path.startswith(_LIBRARIES) or path.endswith(_PUBLIC):
        return False
    return is_outside(path, roots, user_home)


def is_elsewhere(path: str, roots: tuple[str, ...]) -> bool:
    """Whether `path` is neither below `roots`, nor temporary, nor in a package manager's cache."""
    if any(root not in ("", "/") and (path + "/").startswith(root + "/") for root in roots):
        return False
    return not (is_temporary(path) or path.startswith((*_STREAMS, *_CACHES)))


def home_of(path: str) -> str:
    """The home folder that `path` lies in, "" for none."""
    if path.startswith("/root/"):
        return "/root"
    return "/".join(path.split("/")[:3]) if path.startswith(_HOMES) and path.count("/") > 2 else ""


def _below_home(path: str, user_home: str) -> str:
    """What is left of `path` below a user's home folder, "" elsewhere."""
    if path.startswith(user_home + "/"):
        return path[len(user_home) + 1 :]
    if path.startswith("/root/"):
        return path[6:]
    return path.split("/", 3)[3] if path.startswith(_HOMES) and path.count("/") > 2 else ""


def _starts_shells(path: str, user_home: str) -> bool:
    rest = _below_home(path, user_home)
    return rest in _STARTUP or rest.startswith(_STARTUP_HOME) or path.startswith(_STARTUP_SYSTEM)


def _starts_alone(path: str, user_home: str) -> bool:
    if path.startswith(_AUTOSTART) or path.endswith(("/.ssh/authorized_keys", "/.ssh/authorized_keys2")):
        return True
    return _below_home(path, user_home).startswith(_AUTOSTART_HOME)


def _is_history(path: str, _user_home: str) -> bool:
    """A repository's own folder, or what in it has no copy elsewhere; not its locks and its hooks."""
    if path.endswith("/.git"):
        return True
    rest = path.rpartition("/.git/")[2]
    return rest != path and rest.partition("/")[0] in ("objects", "refs", "HEAD", "packed-refs", "logs", "*", "index")


def _in_git(path: str, _user_home: str) -> bool:
    rest = path.rpartition("/.git/")[2]
    if rest == path:
        return "/.husky/" in path
    parts = rest.split("/")
    return "hooks" in parts or (parts[-1] in _GIT_FILES and (len(parts) == 1 or parts[0] in ("modules", "worktrees")))


def _in_ci(path: str, _user_home: str) -> bool:
    return path.rpartition("/")[2].lower() in _CI_FILES or any(folder in path for folder in _CI_FOLDERS)


def is_pipeline(path: str) -> bool:
    """Whether CI takes its orders from `path`, by its name alone; folders of CI begin with a dot."""
    return path.rpartition("/")[2].lower() in _CI_FILES


def _of_client(path: str, user_home: str) -> bool:
    """The settings and hooks of Claude Code, in whichever project: what runs at every call."""
    head, _, name = path.rpartition("/")
    if head.endswith("/.claude") and name in (*_CLIENT_FILES, "hooks"):
        return True
    if "/.claude/hooks/" in path or path == user_home + "/.claude.json":
        return True
    if path.startswith(("/etc/claude-code/", "/Library/Application Support/ClaudeCode/")):
        return True
    return "/.claude/plugins/" in path and name in _PLUGIN_FILES


def _in_system(path: str, _user_home: str) -> bool:
    return (path + "/").startswith(_SYSTEM) and not path.startswith((*_NO_SYSTEM, *_CACHES)) and not is_temporary(path)


FILE_PLACES: dict[str, Callable[[str, str], bool]] = {
    "startup": _starts_shells,
    "autostart": _starts_alone,
    "git-folder": _is_history,
    "git-hooks": _in_git,
    "ci": _in_ci,
    "client": _of_client,
    "servers": lambda path, _: path.endswith(_SERVER_FILES),
    "rights": lambda path, _: path.startswith(_RIGHTS),
    "accounts": lambda path, _: path in _ACCOUNTS,
    "system-file": _in_system,
}
"""Place -> whether a path (absolute, resolved) lies in it, given the user's home folder."""
_BY_NAME = frozenset((*_CI_FILES, "claude_desktop_config.json"))
_DOTTED = frozenset(
    part
    for path in (*_STARTUP, *_STARTUP_HOME, *_AUTOSTART_HOME, *_CI_FOLDERS, *_SERVER_FILES, ".claude.json")
    for part in (*path.split("/"), ".git", ".husky", ".claude", ".ssh")
    if part[:1] == "."
)


def places_of(path: str, user_home: str) -> list[str]:
    """Every one of FILE_PLACES that `path` lies in. Most paths are in none: such a place is below the system's
    folders or a Library, or has one of a few names in its path."""
    if (
        not _DOTTED.isdisjoint(path.split("/"))
        or (path + "/").startswith(_SYSTEM)
        or "/Library/" in path
        or path.rpartition("/")[2].lower() in _BY_NAME
    ):
        return [place for place, meets in FILE_PLACES.items() if meets(path, user_home)]
    return []
