"""The real Claude Code client, one exact version, installed once into a cache: what our hooks are made for.

The version is the one whose behaviour docs/explanation says was seen. It is never skipped in silence: when it cannot be
had, the tests that need it fail and say why, unless LEVAITHAN_SKIP_REAL_CLIENT=1 was set by a person who knows.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "@anthropic-ai/claude-code"
VERSION = "2.1.330"
SKIP = "LEVAITHAN_SKIP_REAL_CLIENT"
_INSTALL_LIMIT_S = 900
_SYSTEM_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class NoClientError(Exception):
    """The client cannot be had; the message says why and what to do."""


def cache() -> Path:
    """Where what tests download is kept between runs."""
    chosen = os.environ.get("LEVAITHAN_TEST_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "levaithan-tests"


def client() -> Path:
    """The client's binary, installed when it is not there yet. Raises NoClientError."""
    folder = cache() / f"claude-code-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"claude-code-{VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once install it once
        if not folder.is_dir():
            _install(folder)
    found = _binary(folder)
    _check_version(found, folder)
    return found


def _install(folder: Path) -> None:
    npm = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    if npm is None:
        raise NoClientError(
            f"npm is needed to install {PACKAGE}@{VERSION} and is not in PATH. Next: run ./tests/run, which "
            f"brings one, or install Node.js; {SKIP}=1 leaves these tests out"
        )
    with tempfile.TemporaryDirectory(prefix=".installing-", dir=folder.parent) as work:
        # Its scripts are not needed: the platform's package carries the binary as it is.
        command = [npm, "install", "--prefix", work, "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            [*command, f"{PACKAGE}@{VERSION}"],
            cwd=work,
            env=_trusting_environment(),
            capture_output=True,
            text=True,
            timeout=_INSTALL_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise NoClientError(
                f"npm could not install {PACKAGE}@{VERSION}:\n{done.stderr[-2000:]}\nNext: see that the npm registry "
                f"can be reached, then run again; {SKIP}=1 leaves these tests out"
            )
        _binary(Path(work))
        Path(work).rename(folder)
        Path(work).mkdir()  # TemporaryDirectory wants to remove something


def _trusting_environment() -> dict[str, str]:
    """npm trusts only what Node was built with; a network that inspects its traffic has its root among the system's."""
    found = next((bundle for bundle in _SYSTEM_ROOTS if os.path.isfile(bundle)), None)
    return ({"NODE_EXTRA_CA_CERTS": found} if found else {}) | dict(os.environ)


def _binary(folder: Path) -> Path:
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    system = "darwin" if sys.platform == "darwin" else "linux"
    libc = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    found = folder / "node_modules" / f"{PACKAGE}-{system}-{machine}{libc}" / "claude"
    if not found.is_file():
        raise NoClientError(
            f"{PACKAGE}@{VERSION} brought no binary for {system}-{machine}{libc} ({found} is missing). "
            f"Next: remove {folder} and run again; {SKIP}=1 leaves these tests out"
        )
    return found


def _check_version(binary: Path, folder: Path) -> None:
    """The binary says the version that was asked for; anything else is not the client that we know."""
    with tempfile.TemporaryDirectory(prefix="levaithan-client-") as scratch:
        environ = {"PATH": "/usr/bin:/bin", "HOME": scratch, "DISABLE_AUTOUPDATER": "1"}
        done = subprocess.run(
            [str(binary), "--version"], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
    said = done.stdout.strip()
    if done.returncode != 0 or said.split(" ")[0] != VERSION:
        raise NoClientError(
            f"{binary} says {said or done.stderr.strip()!r} instead of {VERSION}. Next: remove {folder} and run again"
        )
