"""The page of the metrics is the table, and a plain command loads nothing of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import homes

from levaithan.metrics import reference
from levaithan.metrics.families import BY_NAME, FAMILIES
from levaithan.metrics.otel import name_of

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_made_from_the_table() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert page == reference.markdown(), "python -m levaithan.metrics.reference > docs/reference/metrics.md"
    assert all(f"`{family.name}`" in page for family in FAMILIES)


def test_no_name_stands_twice() -> None:
    assert len(BY_NAME) == len(FAMILIES)
    assert len({name_of(family) for family in FAMILIES}) == len(FAMILIES)


def test_a_plain_command_loads_none_of_it(tmp_path: Path) -> None:
    heavy = ["psutil", "prometheus_client", "opentelemetry", "starlette", "uvicorn", "anthropic", "apprise", "drain3"]
    code = (
        "import sys\nsys.argv = ['levaithan', *{arguments}]\nfrom levaithan.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    root = homes.make_home(tmp_path / "home", native=False)
    for arguments in (["--help"], ["--home", root, "halt", "list"], ["--home", root, "audit", "list"]):
        done = subprocess.run(
            [sys.executable, "-c", code.format(arguments=arguments)],
            env=homes.plain_environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.stderr.splitlines()[-1] == "loaded: []", (arguments, done.stderr)
