"""Elasticsearch: the real server with reduced modules, which Maven Central carries as a zip (tests/servers/install), or
a full one whose folder LEVAITHAN_TEST_ELASTICSEARCH_HOME names.

The reduced one is the core: mappings, bulk, search, `search_after`, PIT, highlighting, templates, rollover, users of
files, TLS; data streams work by their template and the first `create`, without an API of their own. It lacks what comes
as modules: `GET /` (ask `_nodes/_local` for the version), the data stream API (`_resolve/index` lists them, none can be
deleted), ILM, API keys and users of the API, ingest processors, scripts, reindex and the by-query APIs, ES|QL, SQL, the
aggregations auto_date_histogram, categorize_text, multi_terms, top_metrics, derivative and bucket_sort, the field types
wildcard, match_only_text, constant_keyword, unsigned_long, scaled_float, version, join and token_count, and all but the
built-in analyzers. No registry has those modules for a server of 8.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.servers import asking, certificates
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server, free_port

VERSION = "8.19.21"
SHA512 = (
    "cf6b0a93860d329937ae7f913ec5073b0c726c77639764b93fc83a304aa1dd9d"
    "4defcfa2849948eea3b0b47c2065f994908603939fc2a4774c9c4d868c5ec1dd"
)
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "stores.md"
_HEAP = "512m"
_JAVA_OPTIONS = (
    "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-XX:-AlwaysPreTouch",
    "-XX:+ExitOnOutOfMemoryError", "-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote",
)  # fmt: skip
"""What makes it start in half the time: one compiler, and no proof of bytecode that came with a checked sum. A long run
gains by the second compiler, which `fast_start=False` leaves on."""
_OLDEST_JAVA = 17
_NEEDED = ("java.net.http", "jdk.jlink")
"""Modules that some reduced Java runtimes lack (its entitlement module asks for the second)."""


def cache_folder() -> Path:
    """Where downloads of tests are kept."""
    chosen = os.environ.get("LEVAITHAN_TEST_CACHE")
    return Path(chosen) if chosen else Path("~/.cache/levaithan-tests").expanduser()


def home() -> Path | None:
    """The folder of the distribution; None where there is none."""
    chosen = os.environ.get("LEVAITHAN_TEST_ELASTICSEARCH_HOME")
    found = Path(chosen) if chosen else cache_folder() / f"elasticsearch-{VERSION}"
    return found if (found / "bin" / "elasticsearch").exists() else None


@cache
def java_home() -> Path | None:
    """A Java that can run it: of ES_JAVA_HOME, JAVA_HOME, the PATH, or the places of Linux and macOS."""
    named = [os.environ.get(name) for name in ("ES_JAVA_HOME", "JAVA_HOME")]
    there = shutil.which("java")
    found = [Path(one) for one in named if one] + ([Path(there).resolve().parents[1]] if there else [])
    for place in ("usr/lib/jvm/*", "opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home"):
        found += sorted(Path("/").glob(place), reverse=True)
    return next((one for one in found if _runs_it(one)), None)


def _runs_it(java: Path) -> bool:
    program = java / "bin" / "java"
    if not program.exists():
        return False
    said = subprocess.run([str(program), "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    told = re.search(r'version "(\d+)', said)
    if told is None or int(told[1]) < _OLDEST_JAVA:
        return False
    asked = [str(program), "--list-modules"]
    modules = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60).stdout
    return all(f"{one}@" in modules for one in _NEEDED)


class Elasticsearch(Server):
    """One node with a user `levaithan` (superuser, of the file realm), and one of each role of `rights`, called as the
    role, with the same password. `tls`: HTTPS instead of HTTP."""

    store = "elasticsearch"
    ready_s = 180.0

    def __init__(self, *, tls: bool = False, fast_start: bool = True, **settings: str) -> None:
        """Raises ServerMissingError where there is no distribution or no Java for it."""
        distribution = home()
        if distribution is None:
            raise ServerMissingError(
                "no Elasticsearch is in the cache. next: tests/servers/install (it needs Java 17 or later and Maven), "
                "or set LEVAITHAN_TEST_ELASTICSEARCH_URL, or LEVAITHAN_TEST_ELASTICSEARCH_HOME to an unpacked one"
            )
        own_java = distribution / "jdk"
        java = own_java if own_java.exists() else java_home()
        if java is None:
            raise ServerMissingError(
                f"no Java {_OLDEST_JAVA} or later with the modules {', '.join(_NEEDED)} is installed. "
                "next: apt install openjdk-17-jre-headless, or set JAVA_HOME"
            )
        super().__init__()
        self.home, self.java = self.usable(distribution), self.usable(java)
        self.tls, self.fast_start, self.settings = tls, fast_start, settings

    def prepare(self) -> None:
        conf = self.data / "config"
        if not conf.exists():
            shutil.copytree(self.home / "config", conf)
            for name in ("data", "logs", "tmp"):
                (self.data / name).mkdir()
            line, roles = hashed(self.password), rights()
            (conf / "users").write_text("".join(f"{user}:{line}\n" for user in ("levaithan", *roles)))
            (conf / "users_roles").write_text("superuser:levaithan\n" + "".join(f"{one}:{one}\n" for one in roles))
            (conf / "roles.yml").write_text("".join(f"{one}: {body}\n" for one, body in roles.items()))
            options = _JAVA_OPTIONS if self.fast_start else ("-XX:+ExitOnOutOfMemoryError",)
            java = [f"-Xms{_HEAP}", f"-Xmx{_HEAP}", f"-Djava.io.tmpdir={self.data / 'tmp'}", *options]
            (conf / "jvm.options").write_text("\n".join(java) + "\n")
            authority, _, _ = certificates.make(conf / "tls")
            shutil.copy(authority, self.folder / "ca.pem")
        written = {
            "cluster.name": "levaithan-tests", "node.name": "one", "discovery.type": "single-node",
            "network.host": "127.0.0.1", "http.port": self.port, "transport.port": free_port(),
            "path.data": self.data / "data", "path.logs": self.data / "logs", "action.auto_create_index": "true",
            "xpack.security.enabled": "true", "xpack.security.autoconfiguration.enabled": "false",
            "xpack.security.enrollment.enabled": "false", "cluster.routing.allocation.disk.threshold_enabled": "false",
            **self.settings,
        }  # fmt: skip
        if self.tls:
            secure = "xpack.security.http.ssl"
            written |= {f"{secure}.enabled": "true", f"{secure}.key": "tls/server.key"}
            written |= {f"{secure}.certificate": "tls/server.pem"}
        (conf / "elasticsearch.yml").write_text("".join(f"{name}: {value}\n" for name, value in written.items()))
        self.own()

    def command(self) -> list[str]:
        return ["bash", str(self.home / "bin" / "elasticsearch")]

    def environ(self) -> dict[str, str]:
        return {
            "ES_PATH_CONF": str(self.data / "config"),
            "ES_JAVA_HOME": str(self.java),
            "ES_TMPDIR": str(self.data / "tmp"),
            "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:-UsePerfData",
        }

    def ask(self) -> str:
        return asking.elasticsearch(self.url(), str(self.folder / "ca.pem") if self.tls else "")

    def url(self) -> str:
        """With user and password."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://levaithan:{self.password}@127.0.0.1:{self.port}"

    def endpoint(self) -> Endpoint:
        return Endpoint(
            store=self.store,
            url=self.url(),
            source="local",
            version=self.version,
            user="levaithan",
            password=self.password,
            tls_url=self.url() if self.tls else "",
            ca=str(self.folder / "ca.pem") if self.tls else "",
            more={"modules": ",".join(sorted(one.name for one in (self.home / "modules").iterdir()))},
        )


def rights() -> dict[str, str]:
    """The roles that the guide tells people to make: name -> body, as JSON, which is YAML, too."""
    asked = re.findall(
        r"^PUT /_security/role/(\w+)\n(\{.*?\})\n(?=\n|```)", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    )
    return {name: json.dumps(json.loads(body)) for name, body in asked}


def hashed(password: str) -> str:
    """A line of the file realm: PBKDF2 with HMAC-SHA-512, of the least cost that the server takes."""
    rounds, salt = 1000, secrets.token_bytes(32)
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 32)
    return "{PBKDF2}" + f"{rounds}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"
