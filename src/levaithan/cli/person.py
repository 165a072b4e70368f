"""Who is at the terminal."""

from __future__ import annotations

import getpass
import os
import pwd


def name() -> str:
    """Who does this, as the operating system has it: not a matter of options or of the environment."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser() if os.environ.get("USER") else f"uid {os.getuid()}"
