"""Makes the home of the plugin at its first hook: `python -I -S plugin_home.py HOME PLUGIN_ROOT`.

A plugin is copied, not set up: nobody has run setup.sh and nothing is installed. So: standard library, `hot` and
native.py only. A home that a setup made is used as it is; one that an older plugin made is pointed to this one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from levaithan.hot import paths
from levaithan.install import native

NOTE = "plugin-root"


def make(root: str, plugin: str) -> None:
    """Make or update the home at `root` for the plugin in the folder `plugin`. Any number may do it at once."""
    home = paths.home_at(root)
    for folder in (home.root, home.state, home.logs, home.journal, home.keys, home.bin, home.run):
        paths.ensure_private(folder)
    with Path(home.state, "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if Path(home.hot_conf).exists() and _pointed_at(home.state) in ("", plugin):
            return  # a setup's home, or somebody was faster
        for part in ("context", "hooks"):
            _copy(Path(plugin, ".claude", part), Path(home.root, part))
        native.install_native(home.root)
        _write(home.state + "/" + NOTE, plugin + "\n")
        _write(home.hot_conf, _conf(home.hot_conf, plugin))


def _pointed_at(state: str) -> str:
    try:
        return Path(state, NOTE).read_text("utf-8").strip()
    except OSError:
        return ""


def _copy(source: Path, target: Path) -> None:
    """Copy the shipped files; rules that a person changed would be lost, so what is there is kept but for the hooks."""
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        shipped = path.is_file() and path.suffix in (".py", ".toml") and "__pycache__" not in path.parts
        if shipped and (path.suffix == ".py" or not there.exists()):
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)


def _conf(path: str, plugin: str) -> str:
    """hot.conf with this interpreter and this source; other lines stay."""
    try:
        lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    kept = [line for line in lines if not line.startswith(("python=", "src="))]
    return "\n".join([f"python={os.path.realpath(sys.executable)}", f"src={plugin}/src", *kept]) + "\n"


def _write(path: str, text: str) -> None:
    fresh = Path(f"{path}.{os.getpid()}")
    fresh.write_text(text, "utf-8", "surrogateescape")
    fresh.replace(path)


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2])
