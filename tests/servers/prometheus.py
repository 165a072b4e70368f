"""Prometheus: the one that is installed here (Debian's package, or the project's own archive), and promtool beside it.

It serves loopback only, without a password: its data are made-up. A test that wants targets, rules or a past of its own
starts one of its own: `own_server("prometheus", lambda: Prometheus(targets={...}, rules=[...]))`.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers import asking
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def binary() -> Path | None:
    """The server here. LEVAITHAN_TEST_PROMETHEUS_BIN names the only one."""
    chosen = os.environ.get("LEVAITHAN_TEST_PROMETHEUS_BIN") or shutil.which("prometheus")
    return Path(chosen) if chosen and Path(chosen).exists() else None


def promtool() -> Path:
    """The tool that belongs to the server here, else any in PATH. Raises ServerMissingError."""
    server = binary()
    beside = server.with_name("promtool") if server else None
    found = beside if beside and beside.exists() else shutil.which("promtool")
    if not found:
        raise ServerMissingError(
            "no promtool is installed. next: tests/servers/install --system, or apt install prometheus"
        )
    return Path(found)


class Prometheus(Server):
    """One server with the files of a test's own.

    targets: job -> host:port (or a whole scrape configuration). rules: rule files, copied. alertmanagers: host:port of
    each. interval_s: between two scrapes, and between two evaluations. blocks: a folder of TSDB blocks (made by
    `promtool tsdb create-blocks-from`), copied before the first start. `config`: what else prometheus.yml has, on top.
    flags: more of its command line.
    """

    store = "prometheus"

    def __init__(
        self,
        *,
        targets: Mapping[str, str | dict[str, Any]] | None = None,
        rules: Iterable[Path] = (),
        alertmanagers: Iterable[str] = (),
        interval_s: float = 1.0,
        blocks: Path | None = None,
        config: dict[str, Any] | None = None,
        flags: Iterable[str] = (),
    ) -> None:
        """Raises ServerMissingError where no Prometheus is installed."""
        found = binary()
        if found is None:
            raise ServerMissingError(
                "no Prometheus is installed. next: tests/servers/install --system, or apt install prometheus, "
                "or set LEVAITHAN_TEST_PROMETHEUS_URL"
            )
        super().__init__()
        self.binary = self.usable(found.parent) / found.name
        self.targets = dict(targets or {})
        self.rules = list(rules)
        self.alertmanagers = list(alertmanagers)
        self.interval_s = interval_s
        self.blocks = blocks
        self.config = config or {}
        self.flags = list(flags)

    def prepare(self) -> None:
        if self.blocks and not (self.data / "tsdb").exists():
            shutil.copytree(self.blocks, self.data / "tsdb")
        self.write()

    def write(self) -> None:
        """Write prometheus.yml and the rules from what this object says now; `reload` makes a running one take it."""
        rules = self.data / "rules"
        shutil.rmtree(rules, ignore_errors=True)
        rules.mkdir()
        for number, path in enumerate(self.rules):
            shutil.copy(path, rules / f"{number:03d}-{path.name}")
        every = f"{round(self.interval_s * 1000)}ms"
        made = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(path) for path in sorted(rules.iterdir())],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [one]}]} for one in self.alertmanagers]},
            "scrape_configs": [
                {"job_name": job, **({"static_configs": [{"targets": [told]}]} if isinstance(told, str) else told)}
                for job, told in self.targets.items()
            ],
        }
        (self.data / "prometheus.yml").write_text(json.dumps(made | self.config))  # YAML reads JSON
        self.own()

    def reload(self) -> None:
        """Make the running server read its files again. Raises where it refuses them."""
        self.write()
        asking.fetched(f"{self.url()}/-/reload", method="POST")

    def command(self) -> list[str]:
        return [
            str(self.binary), f"--config.file={self.data / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.data / 'tsdb'}", "--storage.tsdb.retention.time=10y",
            "--storage.tsdb.wal-segment-size=10MB", f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle", "--log.level=warn", *self.flags,
        ]  # fmt: skip

    def environ(self) -> dict[str, str]:
        return {"GOMAXPROCS": "2", "GOMEMLIMIT": "256MiB"}

    def ask(self) -> str:
        return asking.prometheus(self.url())

    def url(self) -> str:
        """Where its pages and its API are."""
        return f"http://127.0.0.1:{self.port}"

    def endpoint(self) -> Endpoint:
        return Endpoint(self.store, self.url(), "local", self.version, more={"bin": str(self.binary)})
