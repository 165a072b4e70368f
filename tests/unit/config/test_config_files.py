"""The files made from the settings: hot.conf, .env.template, the reference page; and what may be shown of a secret."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from levaithan.config import hotconf, layers, origins, template
from levaithan.config.settings import Settings, load, names
from levaithan.errors import NotConfigured
from levaithan.hot import hotconf as hot
from levaithan.hot import paths

TOP = Path(__file__).parents[3]


def test_the_template_and_the_reference_page_are_those_of_the_code() -> None:
    assert (TOP / ".env.template").read_text() == template.dotenv(), "run: levaithan config template > .env.template"
    page = (TOP / "docs/reference/settings.md").read_text()
    assert page == template.markdown(), "run: levaithan config template --markdown > docs/reference/settings.md"


def test_the_template_with_every_line_switched_on_gives_the_defaults(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") for line in template.dotenv().splitlines() if line.startswith("# LEVAITHAN_")]
    (tmp_path / ".env").write_text("\n".join(lines))
    assert len(lines) == len(names()) - 1
    settings = load(str(tmp_path), environ={})
    assert set(settings.origins.values()) >= {"flag --home", f"{tmp_path}/.env line 1"}
    for name, value in settings.model_dump().items():
        assert name == "home" or value == Settings.model_fields[name].default


def test_hot_conf_gives_the_hot_path_what_is_set(tmp_path: Path) -> None:
    home = paths.home_at(str(tmp_path))
    flags: dict[str, object] = {"fsync": "interval", "wait_ms": 77, "segment_bytes": "1M", "journal_failure": "deny"}
    settings = load(str(tmp_path), environ={}, **flags)
    assert hotconf.write(home, settings) is True
    conf = hot.read(home.hot_conf)
    assert (conf.fsync, conf.wait_ms, conf.segment_bytes, conf.journal_failure) == ("interval", 77, 1 << 20, "deny")
    assert conf.problems == [] and Path(conf.python).samefile(os.path.realpath(sys.executable))
    assert Path(conf.src, "levaithan/hot/hotconf.py").is_file() and not Path(conf.python).is_symlink()


def test_the_defaults_and_limits_are_those_of_the_hot_path(tmp_path: Path) -> None:
    home = paths.home_at(str(tmp_path))
    hotconf.write(home, load(str(tmp_path), environ={}))
    ours, theirs = hot.read(home.hot_conf), hot.HotConf()
    for key in set(hot.keys()) - {"python", "src"}:
        assert getattr(ours, key) == getattr(theirs, key), key
    for key, (_default, least, most) in hot._NUMBER.items():
        for value in (least, most):
            assert getattr(load(str(tmp_path), environ={}, **{key: value}), key) == value
        with pytest.raises(NotConfigured):
            load(str(tmp_path), environ={}, **{key: most + 1})


def test_hot_conf_is_written_only_when_it_changes_and_whole(tmp_path: Path) -> None:
    home = paths.home_at(str(tmp_path))
    settings = load(str(tmp_path), environ={})
    assert hotconf.write(home, settings) is True
    before = os.stat(home.hot_conf)
    assert hotconf.write(home, settings) is False
    assert os.stat(home.hot_conf).st_mtime_ns == before.st_mtime_ns
    assert hotconf.write(home, load(str(tmp_path), environ={}, wait_ms=5)) is True
    assert os.stat(home.hot_conf).st_ino != before.st_ino
    assert os.listdir(home.state) == ["hot.conf"]


def test_a_path_with_a_line_break_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "source_folder", lambda: "/a\nfsync=never")
    with pytest.raises(NotConfigured, match="line break"):
        hotconf.render(load(str(tmp_path), environ={}))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql://bob:s3cret@db:5432/x?sslkey=s3cret", "postgresql://bob:****@db:5432/x?****"),
        ("https://s3cret@host/in", "https://****@host/in"),
        ("/mnt/off-machine", "/mnt/off-machine"),
        ("s3cret", "****"),
        ("http://[bad", "****"),
        (None, ""),
    ],
)
def test_secrets_are_masked(value: str | None, shown: str) -> None:
    for name in layers.SECRETS:
        expected = "****" if name in layers.OPAQUE and value else shown
        assert origins.masked(name, value) == expected


def test_every_setting_that_may_hold_a_secret_is_known_as_one_and_no_other_name() -> None:
    words = {"url", "urls", "password", "key", "token", "secret", "endpoint", "export"}
    found = {name for name in names() if words & set(name.split("_")) and not name.endswith("_file")}
    assert sorted(layers.SECRETS) == sorted(found)


def test_the_rows_show_every_setting_and_no_secret(tmp_path: Path) -> None:
    settings = load(str(tmp_path), environ={"LEVAITHAN_LEDGER_URL": "postgresql://u:s3cret@h/d"})
    rows = origins.rows(settings)
    assert sorted(row["setting"] for row in rows) == sorted(names())
    assert "s3cret" not in str(rows)
    assert {"setting": "search", "value": "on", "origin": "default"} in rows
