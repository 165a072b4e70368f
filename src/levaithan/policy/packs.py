"""The packs of a home as files: which there are, what is in them, whether each is good."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot import charter, policy_charter
from levaithan.hot.policy_pack import PackError, compile_packs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.hot.paths import Home


def files(home: Home) -> list[Path]:
    """The packs of `home`, in the order in which they are loaded."""
    return sorted(Path(home.context, "policies").glob("*.toml"))


def looked_at(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """A row a pack: name, rules, deny, ask, warn, shadow (numbers), sha256 (12 digits), path, problem or None."""
    return [_row(path) for path in paths]


def _row(path: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"name": path.stem, "rules": 0, "deny": 0, "ask": 0, "warn": 0, "shadow": 0}
    row |= {"sha256": None, "path": str(path), "problem": None}
    try:
        data = path.read_bytes()
        rules = compile_packs([(str(path), data)])
    except OSError as error:
        return row | {"problem": f"{path}: {error.strerror}"}
    except PackError as error:
        return row | {"problem": str(error)}
    counted = {effect: sum(rule["effect"] == effect for rule in rules) for effect in ("deny", "ask", "warn")}
    shadow = sum(rule["mode"] == "shadow" for rule in rules)
    return row | counted | {"rules": len(rules), "shadow": shadow, "sha256": hashlib.sha256(data).hexdigest()[:12]}


def compiled(home: Home, also: Iterable[Path]) -> list[dict[str, Any]]:
    """The rules of `home`, as its charter wants them, with those of the packs `also`; one of the same file name takes
    the other's place.

    Raises PackError (file, line and reason) and OSError.
    """
    chosen = {path.name: path for path in files(home)} | {path.name: path for path in also}
    rules = compile_packs([(str(path), path.read_bytes()) for path in chosen.values()])
    return policy_charter.in_force(rules, charter.load(home))[0]
