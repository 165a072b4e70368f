"""`python tests/bench`: finds the checkout it lies in, then runs the benchmark."""

from __future__ import annotations

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.bench.run import main  # noqa: E402 - the path is only known now

if __name__ == "__main__":
    sys.exit(main())
