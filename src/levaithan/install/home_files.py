"""Makes a home: its folders, the shipped rules and hooks, .env, hot.conf, the signing key. Each part says what it did.

What a person changed is never written over. Imports config and journal, not the service.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.config import hotconf, layers, settings, template
from levaithan.errors import NotConfigured
from levaithan.hot import paths
from levaithan.install import home_folders, native, registry
from levaithan.journal import seal

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

SHIPPED = ("context", "hooks")
_NOTE = "shipped.json"


def shipped() -> Path:
    """The folder with the shipped context/ and hooks/: the checkout's .claude, or the package's own copy.

    Raises NotConfigured for a package that was built without them.
    """
    source = paths.source_folder()
    checkout = paths.checkout_of(source)
    places = [Path(checkout, ".claude")] if checkout else []
    places.append(Path(source, "levaithan", "home"))
    for place in places:
        if (place / "context" / "workflows.toml").is_file():
            return place
    raise NotConfigured(
        "The installed package brings no rules and hooks.",
        fix="install it from a whole wheel, or use a clone and its ./setup.sh",
    )


def is_shipped_home(home: Home) -> bool:
    """Whether the home is the checkout's own .claude, where nothing has to be copied."""
    return os.path.realpath(shipped()) == home.root


def stale_files(home: Home) -> list[str]:
    """The shipped files (relative) that are missing in the home, or older there and not changed by a person."""
    if is_shipped_home(home):
        return []
    known = _known(home)
    stale = []
    for name, digest in digests(shipped()).items():
        there = Path(home.root, name)
        if not there.is_file() or (digest != known.get(name) and _digest(there) in (known.get(name), None)):
            stale.append(name)
    return stale


def copy_files(home: Home) -> str:
    """Bring the home's rules and hooks up to date; files that a person changed stay as they are, and are named."""
    stale = stale_files(home)
    source, known = shipped(), _known(home)
    fresh = digests(source)
    for name in stale:
        target = Path(home.root, name)
        _make_shared(target.parent)
        if target.is_dir() and not target.is_symlink():
            home_folders.set_aside(str(target))
        registry.write_whole(str(target), (source / name).read_bytes(), 0o644)
        known[name] = fresh[name]
    paths.ensure_private(home.state)
    registry.write_whole(home.state + "/" + _NOTE, (json.dumps(known, indent=1) + "\n").encode(), 0o600)
    kept = [name for name, digest in fresh.items() if _digest(Path(home.root, name)) not in (digest, None)]
    return f"{len(stale)} files" + (f"; kept as you changed them: {', '.join(kept)}" if kept else "")


def _make_shared(folder: Path) -> None:
    """Make a folder that others may look into at most."""
    if not folder.exists():
        _make_shared(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(folder.stat().st_mode & 0o755)


def _known(home: Home) -> dict[str, str]:
    try:
        known = json.loads(Path(home.state, _NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def digests(source: Path) -> dict[str, str]:
    """The SHA-256 of each shipped file, by its name below `source`."""
    found = {}
    for top in SHIPPED:
        for path in sorted((source / top).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".toml") and "__pycache__" not in path.parts:
                found[str(path.relative_to(source))] = _digest(path) or ""
    return found


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def env_path(home: Home) -> Path:
    """The home's .env."""
    return Path(layers.env_file(home.root))


def env_missing(home: Home) -> bool:
    """Whether there is no .env."""
    return not env_path(home).exists()


def make_env(home: Home) -> str:
    """Write .env from the template, for its owner alone. One that is there is kept."""
    path = env_path(home)
    if path.exists():
        return f"{path} is kept as it is"
    beside = path.with_name(".env.template")
    text = beside.read_bytes() if beside.is_file() else template.dotenv().encode()
    registry.write_whole(str(path), text, 0o600)
    return str(path)


def conf_differs(home: Home) -> bool:
    """Whether hot.conf is not what the settings make of it. Raises NotConfigured, SettingsUnreadable."""
    wanted = hotconf.render(settings.load(home.root)).encode("utf-8", "surrogateescape")
    try:
        with open(home.hot_conf, "rb", opener=paths.regular) as file:
            return file.read() != wanted
    except OSError:
        return True


def make_conf(home: Home) -> str:
    """Compile hot.conf from the settings."""
    if Path(home.hot_conf).is_dir():
        home_folders.set_aside(home.hot_conf)
    hotconf.write(home, settings.load(home.root))
    return home.hot_conf


def key_missing(home: Home) -> bool:
    """Whether the signing key or its public half is missing."""
    return not (Path(settings.load(home.root).signing_key_path).exists() and Path(home.keys, "journal.pub").exists())


def make_key(home: Home) -> str:
    """Make the signing key where there is none, and publish it. Raises KeyUnusable for one that cannot be used."""
    private, public = settings.load(home.root).signing_key_path, home.keys + "/journal.pub"
    for path in (private, public):
        if Path(path).is_symlink() and not Path(path).exists():  # it leads nowhere, and would be in the way
            home_folders.set_aside(path)
    fresh = not Path(private).exists()
    key = seal.ensure_key(private, public)
    if fresh:  # a public half of an older key may be there
        publish_key(home, key)
    return f"key {key.id}"


def publish_key(home: Home, key: seal.Key) -> str:
    """Put the public half of `key` into keys/journal.pub, below those that are there: what they signed stays proven."""
    path = home.keys + "/journal.pub"
    try:
        old = Path(path).read_bytes()
        if key.id in seal.public_keys(old):
            return f"{path} has the public half of key {key.id} already"
    except (OSError, ValueError):
        old = b""
        if os.path.lexists(path):
            home_folders.set_aside(path)
    registry.write_whole(path, old + (b"" if old.endswith(b"\n") or not old else b"\n") + key.public, 0o644)
    return f"{path} has the public half of key {key.id}"


def client_stale(home: Home) -> bool:
    """Whether a native client is missing or older than its source, and can be made here."""
    return not client_current(home) and (native.SHIPPED.is_file() or native._compiler(None) is not None)


def client_current(home: Home) -> bool:
    """Whether the home's native client runs and is made from the source that is installed."""
    return native._is_current(Path(home.bin, native.NAME), native._digest(native.SOURCE, native.SHIPPED))


def make_client(home: Home) -> str:
    """Build (or copy) the native client."""
    return native.install_native(home.root).message


def remove(home: Home) -> list[str]:
    """Delete everything of the home that LevAIthan made: journal, ledger, key, settings. Gives what was removed.

    The rules and hooks of a checkout belong to the checkout and stay.
    """
    gone = [home.logs, home.state, home.keys, home.bin, home.run, paths.outside(home.root)]
    if not is_shipped_home(home):
        gone += [home.context, home.hooks, home.root + "/.env"]
    removed = []
    for path in gone:
        if Path(path).is_dir() and not Path(path).is_symlink():
            shutil.rmtree(path)
            removed.append(path)
        elif Path(path).exists():
            Path(path).unlink()
            removed.append(path)
    if not is_shipped_home(home) and Path(home.root).is_dir() and not any(Path(home.root).iterdir()):
        Path(home.root).rmdir()
        removed.append(home.root)
    return removed
