"""Paths are resolved as os.path.realpath does it, and nothing is looked at twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levaithan.hot import realpath

PARTS = ["a", "b", "file", "link", "loop", "dangling", "up", "gone", "..", ".", "", "*", "x" * 300]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_text("")
    (root / "a" / "link").symlink_to("b")
    (root / "a" / "b" / "up").symlink_to("../..")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("/nothing/here")
    (root / "link").symlink_to(root / "a")
    return root


@given(st.lists(st.sampled_from(PARTS), max_size=6), st.lists(st.sampled_from(PARTS), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_as_the_library_does(tree: Path, one: list[str], other: list[str]) -> None:
    seen: dict[str, int] = {}
    for parts in (one, other, one):
        path = "/".join([str(tree), *parts])
        assert realpath.real(path, seen) == realpath.real(path) == os.path.realpath(path)


@pytest.mark.parametrize("path", ["/", "//", "/..", "/./", "//etc", "/etc/../etc/", "relative", "", "."])
def test_short_ones_too(path: str) -> None:
    assert realpath.real(path) == os.path.realpath(path)


@pytest.mark.parametrize("name", ["file", "link", "gone", "b"])
def test_a_file_in_a_folder(tree: Path, name: str) -> None:
    for folder in (str(tree / "a"), str(tree / "gone")):
        seen: dict[str, int] = {}
        known = realpath.real(folder, seen)
        assert realpath.real_in(known, name, seen) == os.path.realpath(f"{folder}/{name}")
        assert realpath.exists(realpath.real_in(known, name, seen), seen) == os.path.exists(f"{folder}/{name}")


def test_nothing_is_looked_at_twice(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: looked.append(path) or lstat(path))
    seen: dict[str, int] = {}
    for name in ("a/b/x/y", "a/b/x/z", "a/file", "a/b"):
        realpath.real(f"{tree}/{name}", seen)
    assert len(looked) == len(set(looked)) and f"{tree}/a/b/x" in looked and f"{tree}/a/b/x/y" not in looked
