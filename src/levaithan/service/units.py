"""Starting the service at login: a systemd user unit on Linux, a launchd agent on macOS, as text and as a plan.

Nothing here runs systemctl or launchctl: the unit is written, and what the person then runs is said.
"""

from __future__ import annotations

import os
import plistlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import InstallError
from levaithan.hot import paths

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

MARK = "Made by LevAIthan"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit file: where it goes, its text, and the commands that take it into use and out of it."""

    path: Path
    text: str
    use: str
    leave: str


def command(home: Home) -> list[str]:
    """What a service manager runs: the real interpreter of this installation, never a shim."""
    return [os.path.abspath(sys.executable), "-P", "-m", "levaithan.service", "--home", home.root]  # noqa: PTH100 - a venv's own


def name_of(home: Home) -> str:
    """The unit's name; one of its own for each home."""
    return f"levaithan-{paths.fnv1a64(os.fsencode(home.root))[:8]}"


def unit_of(home: Home, platform: str = sys.platform, user_home: Path | None = None) -> Unit:
    """The unit of `home` on `platform`."""
    folder, name = user_home or Path.home(), name_of(home)
    if platform == "darwin":
        label = f"dev.levaithan.{name}"
        path = folder / "Library" / "LaunchAgents" / f"{label}.plist"
        target = f"gui/{os.getuid()}"
        use, leave = f"launchctl bootstrap {target} {path}", f"launchctl bootout {target}/{label}"
        return Unit(path, launchd(home, label), use, leave)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or folder / ".config") if user_home is None else folder / ".config"
    path = config / "systemd" / "user" / f"{name}.service"
    use = f"systemctl --user daemon-reload && systemctl --user enable --now {name}"
    return Unit(path, systemd(home), use, f"systemctl --user disable --now {name}")


def systemd(home: Home) -> str:
    """The systemd user unit. Only what works without root: a user manager cannot make mount namespaces everywhere."""
    words = " ".join(_quoted(word).replace("$", "$$") for word in command(home))
    return f"""# {MARK} for the home {home.root}; `levaithan service uninstall` removes it.
[Unit]
Description=LevAIthan: decides and records Claude Code's hook events
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={words}
WorkingDirectory=/
Restart=on-failure
RestartSec=2
TimeoutStartSec=60
TimeoutStopSec=30
KillMode=mixed
UMask=0077
LimitNOFILE=4096
Environment={_quoted("PYTHONPATH=" + paths.source_folder())}
UnsetEnvironment=ANTHROPIC_API_KEY CLAUDE_CODE_OAUTH_TOKEN LD_PRELOAD
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def _quoted(word: str) -> str:
    """A word of a unit file: % means something there, and so do quotes, blanks and backslashes."""
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{safe}"' if safe != word or any(one.isspace() or one in "'\"" for one in word) else word


def launchd(home: Home, label: str) -> str:
    """The launchd agent."""
    told = {
        "Label": label,
        "ProgramArguments": command(home),
        "EnvironmentVariables": {"PYTHONPATH": paths.source_folder()},
        "WorkingDirectory": "/",
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ProcessType": "Interactive",
        "Umask": 0o077,
        "SoftResourceLimits": {"NumberOfFiles": 4096},
        "StandardErrorPath": home.logs + "/service.stderr",
    }
    text = plistlib.dumps(told).decode()
    return text.replace("<plist ", f"<!-- {MARK} for the home {home.root.replace('--', '- -')} -->\n<plist ", 1)


def install(home: Home, *, dry_run: bool = False, unit: Unit | None = None) -> str:
    """Write the unit of `home` unless it is there; what was done and what to run next, in words.

    Raises InstallError.
    """
    one = unit or unit_of(home)
    if _text(one.path) == one.text:
        return f"{one.path} is there already; to take it into use: {one.use}"
    _only_ours(one.path)
    if dry_run:
        return f"would write {one.path}; then run: {one.use}"
    try:
        one.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = one.path.with_name(f".{one.path.name}.{os.getpid()}")
        fresh.write_text(one.text, encoding="utf-8")
        fresh.replace(one.path)
    except OSError as error:
        raise InstallError(path=str(one.path), reason=error.strerror or error) from None
    return f"wrote {one.path}; to start it now and at each login: {one.use}"


def uninstall(home: Home, *, dry_run: bool = False, unit: Unit | None = None) -> str:
    """Remove the unit of `home`; what was done, in words; "" when there is none. Raises InstallError."""
    one = unit or unit_of(home)
    if _text(one.path) is None:
        return ""
    _only_ours(one.path)
    if dry_run:
        return f"would remove {one.path}; before that run: {one.leave}"
    try:
        one.path.unlink()
    except OSError as error:
        raise InstallError(path=str(one.path), reason=error.strerror or error) from None
    return f"removed {one.path}; to stop what it started: {one.leave}"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _only_ours(path: Path) -> None:
    """A file of somebody else's under our name is left alone."""
    text = _text(path)
    if path.is_symlink() or (text is not None and MARK not in text):
        raise InstallError(path=str(path), reason="it is not one of ours")
