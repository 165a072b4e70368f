"""Units for systemd and launchd: sound, one a home, never somebody else's file."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from levaithan.errors import InstallError
from levaithan.hot.paths import home_at
from levaithan.service import units

ODD = "/tmp/a home/with %h and $x"


def test_the_systemd_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = units.systemd(home_at(ODD))
    assert "Type=notify" in text
    assert "Restart=on-failure" in text
    assert '--home "/tmp/a home/with %%h and $$x"' in text
    tool = shutil.which("systemd-analyze")
    if tool is None:
        assert sys.platform != "linux" or not os.path.isdir("/run/systemd/system"), "systemd without systemd-analyze"
        return
    file = tmp_path / "levaithan-test.service"
    file.write_text(text)
    done = subprocess.run(
        [tool, "verify", "--user", str(file)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_launchd_agent_is_a_property_list() -> None:
    one = units.unit_of(home_at(ODD), "darwin", Path("/Users/x"))
    told = plistlib.loads(one.text.encode())
    assert told["ProgramArguments"][-2:] == ["--home", ODD]
    assert told["KeepAlive"] == {"SuccessfulExit": False}
    assert one.path == Path("/Users/x/Library/LaunchAgents") / (told["Label"] + ".plist")


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_install_and_uninstall(tmp_path: Path, platform: str) -> None:
    home = home_at(str(tmp_path / "h"))
    unit = units.unit_of(home, platform, tmp_path)
    assert str(unit.path) in units.install(home, dry_run=True, unit=unit)
    assert not unit.path.exists()
    assert unit.use in units.install(home, unit=unit)
    assert unit.path.read_text() == unit.text
    assert "already" in units.install(home, unit=unit)
    assert "would remove" in units.uninstall(home, dry_run=True, unit=unit)
    assert unit.path.exists()
    assert unit.leave in units.uninstall(home, unit=unit)
    assert not unit.path.exists()
    assert units.uninstall(home, unit=unit) == ""


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    home = home_at(str(tmp_path / "h"))
    unit = units.unit_of(home, "linux", tmp_path)
    unit.path.parent.mkdir(parents=True)
    unit.path.write_text("[Service]\nExecStart=/bin/true\n")
    for deed in (units.install, units.uninstall):
        with pytest.raises(InstallError):
            deed(home, unit=unit)
    assert "/bin/true" in unit.path.read_text()


def test_each_home_has_its_own(tmp_path: Path) -> None:
    one, other = (units.unit_of(home_at(str(tmp_path / name)), "linux", tmp_path) for name in "ab")
    assert one.path != other.path
