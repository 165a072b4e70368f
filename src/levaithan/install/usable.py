"""Rules and hooks that are there and cannot be used: which, why, and when the shipped ones may take their place.

While one of them is broken a guard refuses, or the last good set stays in force. What a person made good once is not
replaced by a machine: where a last good set is known that is not the shipped one, a person must mend the file.
Imports the hot path: what it can use is what counts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.hot import flows, hook_file, policy_cache
from levaithan.hot.charter_file import CharterError
from levaithan.hot.charter_file import compiled as compiled_charter
from levaithan.hot.policy_pack import PackError, compile_packs
from levaithan.hot.timelimit import Overrun, TimeLimit
from levaithan.install import home_files, home_folders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.hot.paths import Home

FLOWS = "context/workflows.toml"
_PACKS = "context/policies/"
_CHARTER = "context/charter.toml"
_RECORDS = ("audit_record",)
_LOAD_S = 1.5


def unusable(home: Home) -> dict[str, str]:
    """Why, by file (relative to the home): those of the shipped files that are there, differ and cannot be used."""
    shipped, found = home_files.shipped(), {}
    for name in home_files.digests(shipped):
        path = Path(home.root, name)
        if os.path.lexists(path):
            why = _why(name, path, shipped / name)
            if why:
                found[name] = why
    return found


def _why(name: str, path: Path, shipped: Path) -> str:
    try:
        data = path.read_bytes()
        return "" if data == shipped.read_bytes() else _refused(name, path, data)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    except (flows.FlowError, PackError, CharterError) as error:
        return str(error)
    except (SyntaxError, ValueError) as error:
        return f"{path}: {error}"


def _refused(name: str, path: Path, data: bytes) -> str:
    """What its reader says against a file; raises what that raises."""
    if name == FLOWS:
        return _missing_hook(path, flows.compile_file(str(path)))
    if name == _CHARTER:
        compiled_charter(str(path), data)
    elif name.startswith(_PACKS):
        compile_packs([(str(path), data)])
    elif path.stem.startswith("_"):
        compile(data, str(path), "exec", dont_inherit=True)
    else:
        return _hook(path)
    return ""


def _missing_hook(path: Path, made: flows.Flows) -> str:
    hooks = path.parent.parent / "hooks"
    named = {hook for flow in made.values() for part in flow.values() for hook in part}
    missing = sorted(hook for hook in named if not (hooks / f"{hook}.py").exists())
    return f"{path} names the hook {missing[0]}, and there is no {hooks}/{missing[0]}.py" if missing else ""


def _hook(path: Path) -> str:
    """Why the hook in `path` cannot be loaded; loading runs it, so it gets the time that the gate would give it."""
    limit = TimeLimit()
    limit.begin(_LOAD_S)
    try:
        limit.inside = True
        return (
            hook_file.load_hook(path.stem, str(path), "record" if path.stem in _RECORDS else "hook", fresh=True).error
            or ""
        )
    except Overrun:
        return f"{path} does not end when it is loaded"
    finally:
        limit.end()


def replaceable(home: Home, name: str) -> bool:
    """Whether the shipped file in the place of the unusable `name` gives back what was in force, or what never was."""
    if home_files.is_shipped_home(home):
        return False
    if name == _CHARTER:
        return False  # what people laid down is theirs to mend; the last good one stays in force
    shipped = home_files.shipped()
    if name == FLOWS:
        good = flows.last_good(home)
        return good is None or good == flows.compile_file(str(shipped / name))
    if name.startswith(_PACKS):
        data = (shipped / name).read_bytes()
        return policy_cache.would_be_good(home.context + "/policies", home.state + "/cache", name[len(_PACKS) :], data)
    return True


def replace(home: Home, names: Iterable[str]) -> str:
    """Set the unusable files aside and bring the shipped ones. Raises OSError."""
    aside = [home_folders.set_aside(str(Path(home.root, name))) for name in names]
    return f"{home_files.copy_files(home)}; what could not be used is kept as {', '.join(aside)}"
