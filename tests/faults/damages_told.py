"""What the product has to say about a damage, somewhere: in an answer, the status, the log, or by doctor and verify;
and doing what it says."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import homes

if TYPE_CHECKING:
    from tests.faults.damages import Damage

LOOKED_AT = (
    "home", "files", "settings", "hot.conf", "key", "socket", "halts", "restraints", "installs", "logs",
    "rules", "gate", "journal", "chain", "lost", "stores", "hooks",
)  # fmt: skip
"""The checks of doctor that look at the home itself; the others start processes, or look at Claude Code."""
GATE_PATHS = ("context", "hooks", "state/halts", "state/restraints", "state/cache", "state")
"""While one of these is damaged a guard may refuse what is harmless."""
WAY_OUT = r"levaithan doctor|setup\.sh"
RECORDS_GONE = (
    r"missing|deleted|cut off|edited|was changed|inserted|not what|ended in the middle|is not complete"
    r"|was never written|no line of a journal|does not follow|no regular file|no file|zeros|was empty|no part of"
    r"|records of another|there is no journal|rewritten|moved to torn|altered|was made"
)
_UNUSABLE = ("noise", "zeros", "a folder", "a link to itself", "a dangling link")
_MISPLACED = ("between", "beyond", "another record", "another segment", "a path")
_SAID: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("state/halts.json", (*_UNUSABLE, "empty", "closed"), "emergency stop cannot be read"),
    ("state/halts.json#", (), "emergency stop cannot be read"),
    ("state/restraints.json", (*_UNUSABLE, "empty", "closed"), "restraints cannot be read"),
    ("state/restraints.json#", (), "restraints cannot be read"),
    ("state/installs.json", (*_UNUSABLE[:4], "empty", "closed"), "not readable as a list of installs"),
    ("state/installs.json#", (), "not readable as a list of installs"),
    ("keys/journal.key", (*_UNUSABLE, "empty", "closed", "open to all"), r"signing key|journal\.key cannot be used"),
    ("keys/journal.key#", (), "lacks the public half"),
    ("keys/journal.pub", (*_UNUSABLE, "empty"), r"public half|journal\.pub cannot be used"),
    ("hooks/", (*_UNUSABLE, "empty", "missing", "closed"), "cannot be used|missing, or of an older|is missing"),
    ("context/", (*_UNUSABLE, "empty", "missing", "closed"), "cannot be|missing, or of an older|last good"),
    ("context/workflows.toml#", (), "cannot be used"),
    ("context/policies/base.toml#", (), "cannot be used"),
    ("logs/service.log", ("a folder", "closed"), "service.log cannot be written"),
    (".env", ("noise", "a folder", "a link to itself", "closed"), "cannot be read"),
    (".env#", (), "cannot be read|not allowed|no setting"),
    (
        "state/ledger.sqlite3",
        (*_UNUSABLE, "closed"),
        "ledger store was damaged|ledger.*behind|set aside|no file|opened",
    ),
    (
        "state/ledger.sqlite3#cursor",
        ("between", "beyond", "another record", "another segment", "a path"),
        "does not fit",
    ),
    ("state/ledger.sqlite3#schema", ("of a newer version",), "newer levaithan"),
    ("state/ledger.sqlite3#schema", ("of no version", "without a table"), "ledger store was damaged"),
    ("state/search.sqlite3", _UNUSABLE, "search store was damaged|no file"),
    (
        "state/search.sqlite3#cursor",
        ("between", "beyond", "another record", "another segment", "a path"),
        "does not fit",
    ),
    ("state/search.sqlite3#schema", ("of a newer version",), "made again from the journal"),
    ("logs/journal", ("a file", "a dangling link", "closed", "read-only"), "cannot be written"),
    ("run", ("a file", "a dangling link", "a link elsewhere"), "cannot be used|no folder of its own"),
    ("keys", ("a file", "a dangling link", "closed"), "no folder, closed to us"),
    ("state", ("a file", "a dangling link"), "no folder, closed to us"),
    ("context", ("a file", "a dangling link", "closed"), "no folder, closed to us"),
    ("hooks", ("a file", "a dangling link", "closed"), "no folder, closed to us"),
)
"""target (a beginning, when it ends in / or #), kinds (none = all), what must be said. The rest heals without a word
(a cache, a lock, a socket), or shows in the records: see RECORDS_GONE."""


def must_say(damage: Damage) -> str | None:
    """What of the product's words must match, as a regular expression; None when nothing has to be said."""
    for target, kinds, words in _SAID:
        fits = damage.target.startswith(target) if target[-1] in "/#" else damage.target == target
        if fits and (not kinds or damage.kind in kinds):
            return words
    return None


def obey(root: str, findings: list[dict[str, Any]], settings: bytes) -> None:
    """Do what doctor tells a person to do: correct the settings (to `settings`), else rebuild; move files away."""
    said = " ".join(row["message"] + row["remedy"] for row in findings)
    if "/.env" in said:
        path = Path(root, ".env")
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.write_bytes(settings)
        path.chmod(0o600)
    elif "journal rebuild" in said:
        homes.cli(root, "journal", "rebuild")
    for row in findings:
        for file in re.findall(r"move (/\S+) away", row["remedy"]) or _named(row):
            if os.path.lexists(file):
                os.rename(file, file + ".moved")


def _named(row: dict[str, Any]) -> list[str]:
    """The file that a finding is about, when it says to move "it" away."""
    found = re.search(r"(/\S+)", row["message"])
    return [found[1].rstrip(":;,.")] if found and "move it away" in row["remedy"] else []
