"""A home as setup leaves it, with a client that only has to be there, and a project; no settings of the real user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from levaithan.hot import paths
from levaithan.hot.paths import Home
from levaithan.install import command


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's scratch HOME."""
    folder = tmp_path / "person"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.setattr("levaithan.install.places.managed_places", list)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Set up as far as installing hooks asks for it."""
    made = paths.home_at(str(tmp_path / "home"))
    for folder in (made.context, made.state, made.bin):
        Path(folder).mkdir(parents=True)
    Path(made.context, "workflows.toml").write_text("")
    Path(made.hot_conf).write_text(f"python={command.real_python()}\n")
    client = Path(command.native_client(made))
    client.write_text("#!/bin/sh\nexit 0\n")
    client.chmod(0o755)
    return made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "project"
    folder.mkdir()
    return folder
