"""Hatchling's build hook: a wheel built where a C compiler is carries the native client for that platform.

Without a compiler the wheel is pure Python and the Python client does the work. Loaded by hatchling by its path, in an
environment that has nothing of ours installed: so it loads native.py by its path too, and imports nothing else of ours.
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType


class NativeClientHook(BuildHookInterface[Any]):
    """Adds levaithan/bin/levaithan-hook to a standard wheel and gives the wheel its platform's tag."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the client; an editable install compiles it into its home instead (`levaithan setup`)."""
        if version != "standard":
            return
        native = _load_native()
        self._work = tempfile.TemporaryDirectory(prefix="levaithan-wheel-")
        client = Path(self._work.name) / native.NAME
        how, said = native.build(client)
        if how == "none":
            self.app.display_warning(f"this wheel has no native client: {said}")
            return
        client.chmod(0o755)
        build_data["force_include"][str(client)] = f"levaithan/bin/{native.NAME}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag(static=how in ('bare', 'static'))}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder that the client was built in."""
        work = getattr(self, "_work", None)
        if work is not None:
            work.cleanup()


def platform_tag(*, static: bool) -> str:
    """The wheel's platform: a static Linux client needs no particular libc, so it runs on all of them."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if static and platform.startswith("linux_"):
        machine = platform.removeprefix("linux_")
        return f"manylinux_2_17_{machine}.manylinux2014_{machine}.musllinux_1_1_{machine}"
    return platform


def _load_native() -> ModuleType:
    path = Path(__file__).with_name("native.py")
    spec = importlib.util.spec_from_file_location("levaithan_native_build", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded; build from a whole source tree")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
