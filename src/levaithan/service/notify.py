"""Tells a service manager how far we are (sd_notify), without its library; where there is no manager, nothing."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(words: str) -> None:
    """Send `words`, such as "READY=1", to $NOTIFY_SOCKET when there is one. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect(target)
        manager.sendall(words.encode())
