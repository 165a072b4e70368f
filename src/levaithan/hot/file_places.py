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
_MOUNTS = _words("/opt/ /srv/ /mnt/ /media/ /Volumes/ /net/ /var/www/")
"""What others install, serve or plug in; a project may lie there, but not half of one."""
_NO_SYSTEM = _words("/var/www/ /usr/src/ /usr/local/src/ /var/folders/")
_CACHES = _words("/var/lib/apt/lists/ /var/cache/apt/ /var/cache/apk/ /var/cache/dnf/ /var/cache/yum/")
_OUR_CLIENTS = _words("/.claude/plans/ /.claude/projects/ /.claude/todos/ /.claude/tasks/ /.claude/teams/")
"""Where the client itself lets its agents write."""

_STARTUP = frozenset(
    _words(
        ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin "
        ".zlogout .kshrc .cshrc .tcshrc .login .xprofile .xinitrc .xsession .xsessionrc .pam_environment .ssh/rc "
        ".ssh/environment .config/fish/config.fish .config/nushell/config.nu .config/nushell/env.nu .pythonrc "
        ".config/powershell/profile.ps1 .ssh/config .vimrc .vim/vimrc .gvimrc .config/nvim/init.lua "
        ".config/nvim/init.vim .emacs .emacs.d/init.el .tmux.conf .curlrc .wgetrc .irbrc .gdbinit .lldbinit "
        ".inputrc .oh-my-zsh/oh-my-zsh.sh"
    )
)
_STARTUP_HOME = _words(".config/fish/conf.d/ .bashrc.d/ .zshrc.d/ .oh-my-zsh/custom/ .config/plasma-workspace/env/")
_CALLED_DAILY = frozenset(
    _words("git ssh sudo su ls cat cp mv rm sh bash zsh python python3 node npm pip curl gpg claude levaithan")
)
"""Programs that another one of the same name in the home's bin would stand in for."""
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
_AUTOSTART_ANYWHERE = _words(
    "/.ssh/authorized_keys /.ssh/authorized_keys2 /.vscode/tasks.json /usercustomize.py /sitecustomize.py"
)
"""Keys that let somebody in; tasks that an editor runs when it opens the folder."""
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
_GIT_HOME = _words(".gitconfig .config/git/config .config/git/hooks/ .config/git/attributes")
_GIT_FILES = frozenset(("config", "config.worktree"))
_CLIENT_FILES = frozenset(_words("settings.json settings.local.json managed-settings.json managed-mcp.json"))
_GUARD_HOME = _words(".local/state/levaithan .config/levaithan .local/share/levaithan")
_GUARD_FILES = _words(
    "/.claude/levaithan.toml /.claude/context/policies/ /.claude/context/charter.toml /.claude/context/workflows.toml "
    "/.claude/logs/journal"
)
"""This guard's own folders, in whichever home: those of the one that judges are in protected.py."""
_PLUGIN_FILES = frozenset(_words("hooks.json plugin.json .mcp.json"))
_SERVER_FILES = _words("/.mcp.json /.cursor/mcp.json /.vscode/mcp.json /claude_desktop_config.json")


def is_temporary(path: str) -> bool:
    """Below a folder for temporary files, or such a folder."""
    return (path + "/").startswith(_TEMPORARY)


def is_outside(path: str, roots: tuple[str, ...], user_home: str) -> bool:
    """Whether `path` lies outside of `roots` (the project, the working folder) where others count on it."""
    if any(root not in ("", "/") and (path + "/").startswith(root + "/") for root in roots):
        return False
    below_home = path.startswith(user_home + "/")
    if path.startswith(_STREAMS) or (is_temporary(path) and not below_home):
        return False
    if below_home:
        return not path.startswith(tuple(user_home + folder for folder in _OUR_CLIENTS))
    return (
        path.startswith((*_HOMES, *_MOUNTS)) or path == user_home or _in_system(path, user_home) or "/" not in path[1:]
    )


_LIBRARIES = _words(
    "/usr/ /lib/ /lib64/ /nix/ /snap/ /System/ /Library/ /Applications/ /etc/os-release /etc/hosts /proc/ /sys/ "
    "/etc/ssl/certs/ /etc/ca-certificates /etc/pki/tls/certs/ /etc/debian_version /etc/lsb-release /etc/alpine-release "
    "/etc/redhat-release /etc/timezone /etc/localtime /etc/resolv.conf /etc/services /etc/protocols /etc/mime.types "
    "/etc/shells /etc/issue /opt/"
)
_LIBRARIES_HOME = _words(
    ".cargo/registry/ .cargo/git/ .rustup/ go/pkg/mod/ .cache/go-build/ .m2/repository/ .gradle/caches/ "
    ".gradle/wrapper/ .ivy2/cache/ .nuget/packages/ .dotnet/ .pub-cache/ .pyenv/versions/ .nvm/versions/ .fnm/ "
    ".volta/tools/ .rbenv/versions/ .rvm/gems/ .gem/ruby/ .bundle/cache/ .local/lib/ .local/share/pnpm/ "
    ".local/share/uv/ .local/share/pipx/ .local/share/mise/installs/ .local/pipx/ .asdf/installs/ .cache/uv/ "
    ".cache/pip/ .cache/pypoetry/ .npm/_cacache/ .yarn/berry/ .yarn/cache/ .bun/install/ .cache/yarn/ "
    ".cache/pnpm/ Library/pnpm/ Library/Caches/ miniconda3/ anaconda3/ miniforge3/ .conda/pkgs/ .julia/packages/ "
    ".opam/ .stack/ .cabal/packages/ .hex/packages/ .mix/ .sdkman/candidates/ .composer/cache/ .cache/composer/ "
    ".deno/ .cache/deno/ .cache/ms-playwright/ .cache/pre-commit/ .vscode/extensions/ .claude/commands/ "
    ".claude/agents/ .claude/skills/ .claude/rules/ .claude/output-styles/ .claude/plugins/ .claude/CLAUDE.md"
)
"""What package managers and the client itself put into a home for everybody to read."""


_PUBLIC = (".pub", "/known_hosts", "/.gitconfig", "/.gitignore_global")


def is_library(path: str, user_home: str) -> bool:
    """Whether `path` is a library, a fact of the system or a public key: anybody's to read."""
    if path.startswith(_LIBRARIES) or path.endswith(_PUBLIC):
        return True
    return _below_home(path, user_home).startswith(_LIBRARIES_HOME)


def is_stream(path: str) -> bool:
    """Whether `path` is a device that keeps nothing."""
    return path.startswith(_STREAMS)


def is_beyond(path: str, roots: tuple[str, ...], user_home: str) -> bool:
    """Whether `path` is not the project's to read: outside of it, and no library, fact of the system or public key."""
    return not is_library(path, user_home) and is_outside(path, roots, user_home)


def is_elsewhere(path: str, roots: tuple[str, ...], *, temporary: bool = True) -> bool:
    """Whether `path` is neither below `roots` nor in a package manager's cache; nor temporary, if `temporary`."""
    if any(root not in ("", "/") and (path + "/").startswith(root + "/") for root in roots):
        return False
    return not ((temporary and is_temporary(path)) or path.startswith((*_STREAMS, *_CACHES)))


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
    if rest.startswith((".local/bin/", "bin/")) and rest.rpartition("/")[2] in _CALLED_DAILY:
        return True
    return rest in _STARTUP or rest.startswith(_STARTUP_HOME) or path.startswith(_STARTUP_SYSTEM)


def _starts_alone(path: str, user_home: str) -> bool:
    if path.startswith(_AUTOSTART) or path.endswith(_AUTOSTART_ANYWHERE):
        return True
    if path.endswith(".pth") and "-packages/" in path:
        return True
    return _below_home(path, user_home).startswith(_AUTOSTART_HOME)


def _is_history(path: str, _user_home: str) -> bool:
    """A repository's own folder, or what in it has no copy elsewhere; not its locks and its hooks."""
    if path.endswith("/.git"):
        return True
    rest = path.rpartition("/.git/")[2]
    return rest != path and rest.partition("/")[0] in ("objects", "refs", "HEAD", "packed-refs", "logs", "*", "index")


def _in_git(path: str, user_home: str) -> bool:
    low = path.lower()
    rest = low.rpartition("/.git/")[2]
    if rest == low:
        return "/.husky/" in low + "/" or _below_home(path, user_home).startswith(_GIT_HOME)
    parts = rest.split("/")
    if rest == "info/attributes":
        return True
    return "hooks" in parts or (parts[-1] in _GIT_FILES and (len(parts) == 1 or parts[0] in ("modules", "worktrees")))


def _in_ci(path: str, _user_home: str) -> bool:
    return path.rpartition("/")[2].lower() in _CI_FILES or any(folder in path for folder in _CI_FOLDERS)


def is_pipeline(path: str) -> bool:
    """Whether CI takes its orders from `path`, by its name alone; folders of CI begin with a dot."""
    return path.rpartition("/")[2].lower() in _CI_FILES


def _of_client(path: str, user_home: str) -> bool:
    """The settings and hooks of Claude Code, in whichever project: what runs at every call."""
    low = path.lower()  # one file, however it is spelled, where the disk folds case
    head, _, name = low.rpartition("/")
    if head.endswith("/.claude") and name in (*_CLIENT_FILES, "hooks"):
        return True
    if "/.claude/hooks/" in low or path == user_home + "/.claude.json":
        return True
    if path.startswith(("/etc/claude-code/", "/Library/Application Support/ClaudeCode/")):
        return True
    if _below_home(path, user_home).startswith(_GUARD_HOME) or any(mark in low for mark in _GUARD_FILES):
        return True
    return "/.claude/plugins/" in low and name in _PLUGIN_FILES


def _in_system(path: str, _user_home: str) -> bool:
    return (path + "/").startswith(_SYSTEM) and not path.startswith((*_NO_SYSTEM, *_CACHES)) and not is_temporary(path)


FILE_PLACES: dict[str, Callable[[str, str], bool]] = {
    "startup": _starts_shells,
    "autostart": _starts_alone,
    "git-folder": _is_history,
    "git-hooks": _in_git,
    "ci": _in_ci,
    "client": _of_client,
    "servers": lambda path, _: path.lower().endswith(_SERVER_FILES),
    "rights": lambda path, _: path.startswith(_RIGHTS),
    "accounts": lambda path, _: path in _ACCOUNTS,
    "system-file": _in_system,
}
"""Place -> whether a path (absolute, resolved) lies in it, given the user's home folder."""
_BY_NAME = frozenset((*_CI_FILES, "claude_desktop_config.json", "usercustomize.py", "sitecustomize.py", *_CALLED_DAILY))
_TABLES = (_STARTUP, _STARTUP_HOME, _AUTOSTART_HOME, _AUTOSTART_ANYWHERE, _CI_FOLDERS, _SERVER_FILES, _GIT_HOME)
_DOTTED = frozenset(
    part
    for table in (*_TABLES, _GUARD_HOME, _GUARD_FILES, (".claude.json/.git/.husky/.claude/.ssh",))
    for path in table
    for part in path.lower().split("/")
    if part[:1] == "."
)


def places_of(path: str, user_home: str) -> list[str]:
    """Every one of FILE_PLACES that `path` lies in. Most paths are in none: such a place is below the system's
    folders or a Library, or has one of a few names in its path."""
    parts = path.lower().split("/")
    if (
        not _DOTTED.isdisjoint(parts)
        or parts[-1] in _BY_NAME
        or (path + "/").startswith(_SYSTEM)
        or "/Library/" in path
        or path.endswith(".pth")
    ):
        return [place for place, meets in FILE_PLACES.items() if meets(path, user_home)]
    return []
