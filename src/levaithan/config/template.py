"""Makes .env.template and docs/reference/settings.md from the settings; tests compare the files with this."""

from __future__ import annotations

import textwrap

from levaithan.config import layers
from levaithan.config.settings import Settings, allowed

_HEAD = """\
# The settings of LevAIthan. Copy this file to .env (setup does) and take the # off a line to change its setting.
# Order: flags > environment > .env > context/settings.toml of the home > these defaults.
# `levaithan config show --origin` shows what is in force and where it comes from.
# Made from src/levaithan/config/settings.py by `levaithan config template`: change it there.
"""

_SERVERS = """
# The five servers of docker-compose.yml: take the ## off after `docker compose up -d --wait`, then run ./setup.sh
# again. It installs their drivers and makes their schemas; the passwords are made by setup and stand in .env already.
## LEVAITHAN_LEDGER_URL=postgresql://levaithan@127.0.0.1:5432/levaithan
## LEVAITHAN_SEARCH_URL=http://elastic@127.0.0.1:9200
## LEVAITHAN_GRAPH_URL=http://127.0.0.1:7474
## LEVAITHAN_MEMORY_URL=http://127.0.0.1:8080?grpc_port=50051
## LEVAITHAN_COUNTERS_URL=redis://127.0.0.1:6379/0
"""

_DOC_HEAD = """\
# Settings

Made from the code by `levaithan config template --markdown`; a test compares.

Order: flags > environment (`LEVAITHAN_` + name in capitals) > `.env` (beside setup.sh for a checkout's own home, else
in the home) > `context/settings.toml` of the home (names in small letters) > default. Empty means "not set".
`levaithan config show --origin` shows each value in force and where it comes from. A setting takes effect at the next
start of the service (`levaithan restart`); a store's user, password or key also when its server refuses the old one.

Settings marked *secret* may hold a password: each can be given as a file instead (`LEVAITHAN_<NAME>_FILE=/path`, so
that no process has it in its environment), and is masked wherever it is shown. The signing key is never a setting
itself, only its file is.

| setting | default | allowed | meaning |
|---|---|---|---|
"""


def default_text(name: str) -> str:
    """A setting's default as it is written in .env; "" when it has none."""
    value = Settings.model_fields[name].default
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)


def dotenv() -> str:
    """The whole .env.template."""
    parts = [_HEAD]
    for name, info in Settings.model_fields.items():
        if name == "home":  # it decides which .env is read, so it cannot stand in one
            continue
        text = f"{info.description}. Allowed: {allowed(name)}."
        if name in layers.SECRETS:
            text += f" Or {layers.PREFIX}{name.upper()}_FILE: a file that holds it."
        comment = textwrap.fill(text, 116, initial_indent="# ", subsequent_indent="#   ")
        parts.append(f"\n{comment}\n# {layers.PREFIX}{name.upper()}={default_text(name)}\n")
    return "".join([*parts, _SERVERS])


def markdown() -> str:
    """The whole of docs/reference/settings.md."""
    rows = []
    for name, info in Settings.model_fields.items():
        secret = " *secret*" if name in layers.SECRETS else ""
        meaning = f"{info.description}.{secret}".replace("|", "\\|")
        default = f"`{default_text(name)}`" if default_text(name) else "unset"
        rows.append(f"| `{layers.PREFIX}{name.upper()}` | {default} | {allowed(name)} | {meaning} |\n")
    return _DOC_HEAD + "".join(rows)
