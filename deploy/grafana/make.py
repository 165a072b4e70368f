#!/usr/bin/env python3
"""Writes the dashboards: `python deploy/grafana/make.py [folder]` (default: dashboards/ beside it). A test compares.

Change a dashboard here, not in its JSON: executive.py, operational.py, technical.py, business.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import business
import executive
import operational
import technical

HERE = Path(__file__).resolve().parent
ALL = (executive, operational, technical, business)


def main(folder: Path) -> None:
    """Write a file a dashboard into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in ALL:
        text = json.dumps(module.build(), indent=1, ensure_ascii=False, sort_keys=True)
        (folder / f"{module.__name__}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "dashboards")
