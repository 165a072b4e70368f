"""Settings files on the disk: locked, compared, backed up and replaced whole; links are followed to the real file.

What the text becomes is decided by `settings_merge`; what stood before is kept by `registry`. Nothing is written that
the merge did not hold against Claude Code's rules.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import InstallError
from levaithan.hot import paths
from levaithan.install import registry, settings_merge
from levaithan.install import settings_disk as disk
from levaithan.install.registry import Install

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home
    from levaithan.install.places import Place
    from levaithan.install.settings_rules import Problem

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Change:
    """What an install or uninstall did to one file, or would do. after None = the file goes."""

    place: Place
    real: str
    before: bytes | None
    after: bytes | None
    notes: tuple[Problem, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the bytes differ."""
        return self.before != self.after

    @property
    def what(self) -> str:
        """unchanged, created, deleted or changed."""
        if not self.changed:
            return "unchanged"
        return "created" if self.before is None else "deleted" if self.after is None else "changed"

    def diff(self) -> str:
        """The change as a unified diff."""
        sides = [
            (data or b"").decode("utf-8", "replace").splitlines(keepends=True) for data in (self.before, self.after)
        ]
        names = ["/dev/null" if data is None else self.real for data in (self.before, self.after)]
        lines = difflib.unified_diff(sides[0], sides[1], names[0], names[1])
        return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def install(home: Home, place: Place, entries: Mapping[str, dict[str, object]], *, dry_run: bool = False) -> Change:
    """Put `entries` into the file of `place`. Twice is no change. Raises InstallError, the file is then as it was."""
    real = os.path.realpath(place.path)
    folder = os.path.dirname(real)  # noqa: PTH120
    if dry_run:
        return _merged(place, real, disk.read(real), entries, home, known=registry.load(home).get(real))[0]
    with registry.locked(home):
        installs = registry.load(home)
        created_folders = disk.make_folder(folder, place)
        try:
            with disk.folder_lock(folder):
                return _install(home, place, entries, installs, created_folders)
        except BaseException:
            _remove_empty(created_folders)
            raise


def _install(
    home: Home, place: Place, entries: Mapping[str, dict[str, object]], installs: dict[str, Install], folders: list[str]
) -> Change:
    """The install itself, under both locks. folders: those that were made for it."""
    real = os.path.realpath(place.path)
    for _attempt in range(_TRIES):
        change, created = _merged(place, real, disk.read(real), entries, home, known=installs.get(real))
        if not change.changed and real in installs:
            return change
        entry = _entry(home, change, created, installs.get(real), folders)
        registry.save(home, installs | {real: entry})  # first, so that nothing is ever ours and unknown
        done = False
        try:
            done = _replace(change)
        finally:
            if not done:
                registry.save(home, installs)
                _forget(home, entry, installs)
        if done:
            return change
    raise InstallError(path=real, reason="another program keeps changing it", fix="close it, then run this again")


def uninstall(home: Home, place: Place, *, dry_run: bool = False) -> Change:
    """Take our entries out of the file of `place`: the bytes of before when nobody else changed it, else only ours."""
    real = os.path.realpath(place.path)
    folder = os.path.dirname(real)  # noqa: PTH120
    if dry_run:
        return _cleaned(place, real, disk.read(real), registry.load(home).get(real), home)
    with registry.locked(home):
        installs = registry.load(home)
        known = installs.get(real)
        left = {key: one for key, one in installs.items() if key != real}
        if not Path(folder).is_dir():
            registry.save(home, left)
            return Change(place, real, None, None)
        with disk.folder_lock(folder):
            for _attempt in range(_TRIES):
                change = _cleaned(place, real, disk.read(real), known, home)
                if not change.changed or _replace(change, known.mode if known else None):
                    break
            else:
                raise InstallError(
                    path=real, reason="another program keeps changing it", fix="close it, then run this again"
                )
        if known:
            registry.save(home, left)
            _remove_made(home, known, change)
        return change


def _merged(
    place: Place,
    real: str,
    before: bytes | None,
    entries: Mapping[str, dict[str, object]],
    home: Home,
    *,
    known: Install | None,
) -> tuple[Change, settings_merge.Created]:
    text = disk.text_of(real, before)
    try:
        merged = settings_merge.merge(text, entries, home.root, formerly=known.formerly(home) if known else "")
    except settings_merge.Refused as refused:
        raise disk.refusal(real, refused.problem) from None
    after = before if merged.text == text and before is not None else disk.bytes_of(real, merged.text)
    return Change(place, real, before, after, tuple(merged.notes)), merged.created


def _cleaned(place: Place, real: str, before: bytes | None, known: Install | None, home: Home) -> Change:
    """What the file becomes without us."""
    if before is None:
        return Change(place, real, None, None)
    if known and known.pristine and disk.digest(before) == known.after:
        kept = None if known.created_file else _backup(home, known)
        if known.created_file or kept is not None:
            return Change(place, real, before, kept)
    created = None
    if known:
        created = settings_merge.Created(known.created_hooks, tuple(known.created_events))
    try:
        formerly = known.formerly(home) if known else ""
        text = settings_merge.without(disk.text_of(real, before), home.root, created, formerly=formerly)
    except settings_merge.Refused as refused:
        raise disk.refusal(real, refused.problem) from None
    after = disk.bytes_of(real, text)
    if known and known.created_file and not settings_merge.parse(text).members:
        return Change(place, real, before, None)
    return Change(place, real, before, after)


def _entry(
    home: Home, change: Change, created: settings_merge.Created, known: Install | None, folders: list[str]
) -> Install:
    """What is known of the place after the change; the state before the first install is kept while it still counts."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    after = disk.digest(change.after or b"")
    if known and change.before is not None:
        was = disk.digest(change.before)
        return replace(
            known,
            path=change.place.path,
            home=home.root,
            at=now,
            after=after,
            # as we left it, or (after a crash) as it was before; else changed by others: then only ours goes
            pristine=was == known.before or (known.pristine and was == known.after),
            created_hooks=known.created_hooks or created.hooks,
            created_events=list(dict.fromkeys([*known.created_events, *created.events])),
        )
    entry = Install(change.place.path, change.real, change.place.scope, change.place.project, now, home.root, "", after)
    entry.created_hooks, entry.created_events = created.hooks, [*created.events]
    entry.created_folders = folders or (known.created_folders if known else [])
    if change.before is not None:
        seen = Path(change.real).stat()
        entry.before, entry.mode, entry.mtime_ns = disk.digest(change.before), seen.st_mode & 0o7777, seen.st_mtime_ns
        entry.backup = _keep(home, change.real, change.before)
        text = disk.text_of(change.real, change.before)
        if settings_merge.without(text, home.root) != text:  # the list of installs was lost: this is no state of before
            entry.pristine, entry.created_hooks, entry.created_events = False, True, list(settings_merge.events(text))
    return entry


def _keep(home: Home, real: str, data: bytes) -> str:
    """A copy of the file as it was, named by its content."""
    folder = home.state + "/backups"
    paths.ensure_private(folder)
    target = f"{folder}/{hashlib.sha256(os.fsencode(real)).hexdigest()[:12]}-{disk.digest(data)[:16]}.bak"
    if not Path(target).exists():
        registry.write_whole(target, data, 0o600)
    return target


def _forget(home: Home, entry: Install, installs: Mapping[str, Install]) -> None:
    """The copy of a file that was not changed after all goes, unless an install that stands has it."""
    if entry.backup and all(entry.backup != one.backup for one in installs.values()):
        with contextlib.suppress(OSError):
            _backup_path(home, entry).unlink()


def _backup_path(home: Home, known: Install) -> Path:
    """The copy of the file as it was before, also when the home has been moved since."""
    return Path(home.state, "backups", Path(known.backup).name)


def _backup(home: Home, known: Install) -> bytes | None:
    """The bytes from before, when the copy is there and is what it was."""
    if not known.backup:
        return None
    try:
        data = _backup_path(home, known).read_bytes()
    except OSError:
        return None
    return data if disk.digest(data) == known.before else None


def _replace(change: Change, mode: int | None = None) -> bool:
    """Put the new bytes in place; False when somebody changed the file since it was read."""

    def as_read() -> bool:
        return disk.read(change.real) == change.before

    if not as_read():
        return False
    try:
        if change.after is None:
            Path(change.real).unlink(missing_ok=True)
            registry.sync_folder(os.path.dirname(change.real))  # noqa: PTH120
        elif change.changed:
            seen = Path(change.real).stat() if change.before is not None else None
            usual = 0o600 if change.place.scope == "user" else 0o644
            kept = seen.st_mode & 0o7777 if seen else usual if mode is None else mode
            owner = (seen.st_uid, seen.st_gid) if seen else None
            return registry.write_whole(change.real, change.after, kept, owner, still=as_read)
    except OSError as error:
        raise InstallError(path=change.real, reason=error.strerror or str(error), fix=registry.ROOM) from None
    return True


def _remove_empty(folders: list[str]) -> None:
    """Folders that were made, the outermost first, go again when nothing is in them."""
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _remove_made(home: Home, known: Install, change: Change) -> None:
    """Folders that the install made go when they are empty; the copy of the file when the file is again as it was."""
    _remove_empty(known.created_folders)
    if known.backup and disk.digest(change.after or b"") == known.before:
        with contextlib.suppress(OSError):
            _backup_path(home, known).unlink()
