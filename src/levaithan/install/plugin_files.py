"""Makes .claude-plugin/plugin.json from the catalogue of events, so that plugin and settings register the same.

All of the plugin lies in .claude-plugin/: the manifest may hold the hooks itself, so the tree's top stays as it is.
Imports the hot path's own facts only.
"""

from __future__ import annotations

import json
from typing import Any

from levaithan import __version__
from levaithan.hot.catalogue import EVENTS

LAUNCHER = "${CLAUDE_PLUGIN_ROOT}/.claude-plugin/hook"


def manifest() -> dict[str, Any]:
    """The plugin's manifest. Claude Code replaces ${CLAUDE_PLUGIN_ROOT} by the folder that the plugin lies in."""
    return {
        "name": "levaithan",
        "version": __version__,
        "description": "The flight recorder and control tower of Claude Code: every hook event decided and recorded",
        "author": {"name": "LevAIthan"},
        "license": "MIT",
        "keywords": ["audit", "guardrails", "hooks", "security"],
        "hooks": {spec.name: [{"hooks": [_handler(spec)]}] for spec in EVENTS.values() if spec.registered},
    }


def _handler(spec: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "command", "command": LAUNCHER, "args": [spec.name], "timeout": spec.timeout_s}
    return made | {"onFailure": "block"} if spec.fail == "closed" else made


def text() -> str:
    """The manifest as the file has it."""
    return json.dumps(manifest(), indent=2) + "\n"
