"""The home that is damaged: a sound one with some history, kept to the byte and put back before each damage."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

from tests.faults import damages
from tests.support import forks, homes

from levaithan.hot import paths, restraints
from levaithan.hot.journal import Journal
from levaithan.install import home_files, hooks
from levaithan.journal import seal

EVENTS = 42


class Origin:
    """A sound home with some history, its service killed; `restore` puts it back as it was, to the byte."""

    def __init__(self, base: Path) -> None:
        self.base, self.elsewhere = base, base / "elsewhere"
        for name in ("person", "project", "elsewhere"):
            (base / name).mkdir(parents=True)
        self.root = Path(
            homes.make_home(base / "home", native=False, segment_bytes=9000, deadline_ms=4000, compiled=False)
        )
        self.home = paths.home_at(str(self.root))
        home_files.make_key(self.home)
        home_files.copy_files(self.home)
        hooks.install(self.home, hooks.place_of(str(base / "project")))
        halt = {"id": "h-1", "scope": "session", "target": "other", "reason": "r", "by": "b", "expires_at": None}
        halts = {"version": 1, "halts": [halt | {"set_at": "2026-01-01T00:00:00Z"}]}
        Path(self.home.halts).write_text(json.dumps(halts))
        restraints.set_restraint(self.home, "read_only", "session", "another", reason="r", by="b")
        Path(self.home.state, "machine-id").write_text("machine-of-the-test\n")
        self.calls = self._live()
        self._others()
        self.kept = damages.everything(base)
        self.lines = [
            line for path in homes.journal_files(self.home.root) for line in path.read_bytes().splitlines(keepends=True)
        ]

    def _live(self) -> set[str]:
        """Some events through the real service, which is killed; the tool calls in them."""
        root = self.home.root
        service = homes.start_service(root)
        client = forks.Served.__new__(forks.Served)
        client.home = self.home
        calls = set()
        for number in range(EVENTS):
            call = f"{number % 4:02d}-{number:04d}"
            client.ask("PreToolUse" if number % 2 else "PostToolUse", f"echo {number}", call)
            calls.add(call)
        homes.sync(root)
        homes.until(lambda: (homes.control(root, "status") or {})["checkpoint"]["size"], 10)
        child = (homes.control(root, "status") or {})["projector"]["child"]
        service.kill()
        service.wait()
        homes.until(lambda: not _alive(child), 10)  # it writes its last words into the home
        os.replace(root + "/logs/serve.out", self.base / "origin.out")
        return calls

    def _others(self) -> None:
        """What is put in the place of a file of ours: a segment and a key of another home."""
        folder = self.base / "other" / "logs" / "journal"
        folder.parent.mkdir(parents=True)
        journal = Journal(str(folder), gap=())
        for number in range(3):
            journal.append([(f"{number:032x}", b'{"v":1,"kind":"event","id":"%032x"}' % number)])
        journal.close()
        shutil.copyfile(next(folder.glob("journal-*.log")), self.elsewhere / "foreign.log")
        seal.ensure_key(str(self.elsewhere / "other.key"), str(self.elsewhere / "other.pub"))
        shutil.rmtree(self.base / "other")

    def restore(self) -> None:
        """The home as it was made."""
        for path in self.base.iterdir():
            _remove(path)
        for name, (kind, mode, mtime_ns, data) in self.kept.items():
            path = self.base / name
            if kind == "folder":
                path.mkdir()
                path.chmod(mode)
            elif kind == "link":
                path.symlink_to(os.fsdecode(data))
            elif kind == "socket":
                left = socket.socket(socket.AF_UNIX)
                left.bind(str(path))
                left.close()
            else:
                path.write_bytes(data)
                path.chmod(mode)
                os.utime(path, ns=(mtime_ns, mtime_ns))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    damages.open_folders(path)
    shutil.rmtree(path)
