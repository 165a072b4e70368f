"""Places that a deletion must not reach: the root, homes, system folders, devices. Paths in, names of places out.

Standard library only; imports nothing.
"""

from __future__ import annotations

_SYSTEM_TEXT = (
    "/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /opt /proc /run /sbin /srv /sys /usr /usr/bin "
    "/usr/include /usr/lib /usr/lib64 /usr/libexec /usr/local /usr/local/bin /usr/local/lib /usr/sbin "
    "/usr/share /var /var/lib /var/log /var/spool /System /Library /Applications /Volumes /private "
    "/private/etc /private/var /cores /mnt /media /snap "
)
_SYSTEM = frozenset(_SYSTEM_TEXT.split())
_SYSTEM_DEEP: tuple[str, ...] = ("/boot/", "/dev/", "/proc/", "/sys/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/etc/")
_SYSTEM_DEEP += ("/System/", "/private/etc/")
_NO_DISK = (
    "null",
    "stdout",
    "stderr",
    "stdin",
    "tty",
    "pts",
    "shm",
    "fd",
    "zero",
    "full",
    "random",
    "urandom",
    "mqueue",
)
"""Devices that nothing is lost on."""


def without_glob(path: str) -> str:
    """The folder that is emptied by a last part such as `*`, `.*` or `{*,.*}`; a pattern below `/` is taken for `/`."""
    while path != "/":
        head, _, last = path.rpartition("/")
        if last not in ("*", ".*", "**", "?*", ".[!.]*", ".??*") and not (not head and any(c in last for c in "*?[")):
            return "/" + path.lstrip("/")
        path = head or "/"
    return path


def is_place(place: str, path: str, user_home: str) -> bool:
    if place == "root":
        return path == "/"
    if place == "home":
        above, _, name = path.rpartition("/")
        return path in (user_home, "/home", "/Users", "/root") or (above in ("/home", "/Users") and bool(name))
    if place == "system":
        return path in _SYSTEM or (path.startswith(_SYSTEM_DEEP) and not path.startswith("/dev/shm/"))  # noqa: S108
    return path.startswith("/dev/") and not path[5:].startswith(_NO_DISK)
