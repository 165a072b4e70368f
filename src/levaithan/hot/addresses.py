"""What kind of address a URL or host is: this machine, a private network, a cloud's metadata, a drop for stolen data.

A URL is taken apart by hand: urllib.parse costs milliseconds where Claude Code waits. Standard library only; imports
nothing else of ours.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WEB = ("http", "https")
LOCAL = frozenset(("localhost", "0.0.0.0", "::1", "::", "host.docker.internal", "ip6-localhost"))  # noqa: S104 - a name
_METADATA = frozenset(
    _words(
        "metadata.google.internal metadata metadata.goog instance-data instance-data.ec2.internal "
        "metadata.azure.com metadata.azure.internal metadata.platformequinix.com metadata.packet.net rancher- "
        "metadata"
    )
)
_METADATA_V6 = ("fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe")
_METADATA_V4 = frozenset((0xA9FEA9FE, 0xA9FEAA02, 0xA9FEAA17, 0x646464C8, 0xC00000C0, 0xA9FE0017))
"""169.254.169.254, 169.254.170.2 and .23 (ECS, EKS), 100.100.100.200 (Alibaba), 192.0.0.192 (Oracle), 169.254.0.23."""
_V4_IN_V6 = (bytes(10) + b"\xff\xff", bytes(12), bytes.fromhex("0064ff9b") + bytes(8))
_WILDCARDS = (".nip.io", ".sslip.io", ".xip.io")
_DROPS = _words(
    "webhook.site requestbin.com requestbin.net requestcatcher.com pipedream.net hookbin.com beeceptor.com postb.in "
    "ptsv2.com ptsv3.com interact.sh interactsh.com oast.fun oast.live oast.me oast.online oast.pro oast.site "
    "burpcollaborator.net oastify.com dnslog.cn ceye.io bxss.me xss.ht requestinspector.com typedwebhook.tools "
    "webhookinbox.com mockbin.org smee.io rbndr.us dnsbin.zhack.ca"
)
"""What shows its owner whatever is sent to it: for tests, and for stolen data."""
_PASTES = _words(
    "transfer.sh file.io 0x0.st ix.io sprunge.us termbin.com pastebin.com paste.ee paste.rs hastebin.com dpaste.com "
    "dpaste.org rentry.co ghostbin.com controlc.com bashupload.com temp.sh tmpfiles.org catbox.moe gofile.io "
    "anonfiles.com wetransfer.com oshi.at keep.sh uguu.se pixeldrain.com filebin.net envs.sh x0.at clbin.com "
    "paste.c-net.org paste.mozilla.org"
)
"""Where anybody may leave a file for anybody: reading there is free."""
_DROP_NAMES, _PASTE_NAMES = frozenset(_DROPS), frozenset(_PASTES)
_TUNNELS = (
    ".ngrok.io",
    ".ngrok-free.app",
    ".ngrok.app",
    ".trycloudflare.com",
    ".loca.lt",
    ".serveo.net",
    ".localhost.run",
)


def scheme_of(url: str) -> str:
    """The scheme in lower case, "" when `url` has none."""
    head, found, _ = url.strip().partition(":")
    known = found and head.replace("+", "").replace("-", "").replace(".", "").isalnum() and not head[:1].isdigit()
    if not known or "." in head or url.strip()[len(head) + 1 :][:1].isdigit():  # host:port
        return ""
    return head.lower()


def host_of(url: str) -> str:
    """The host of `url` in lower case, without user, port, brackets and a final dot; also of `host:port/path`."""
    host = _last.get(url)
    if host is None:
        host = _host_of(url)
        _last.clear()
        _last[url] = host
    return host


_last: dict[str, str] = {}
"""The URL that was asked about last: each reader and each place asks about the same one."""


def _host_of(url: str) -> str:
    text = url.strip().replace("\\", "/")
    if "://" in text:
        text = text.partition("://")[2]
    text = text.lstrip("/").partition("/")[0].partition("?")[0].partition("#")[0]
    text = text.rpartition("@")[2]
    if text.startswith("["):
        return text[1:].partition("]")[0].lower()
    if text.count(":") == 1:
        text = text.partition(":")[0]
    return text.rstrip(".").lower()


def userinfo_of(url: str) -> str:
    """`user:password` of a URL, "" when there is none."""
    if "://" not in url:
        return ""
    place = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return place.rpartition("@")[0]


def number_of(host: str) -> int | None:
    """The IPv4 address `host` stands for, in any way a resolver takes: dotted, short, decimal, octal, hexadecimal."""
    host = _plain(host)
    for ending in _WILDCARDS if host.endswith(_WILDCARDS) else ():
        if host.endswith(ending):
            found = host[: -len(ending)].replace("-", ".").split(".")[-4:]
            host = ".".join(found)
    if _part(host.rpartition(".")[2]) is None:
        return None  # nearly every name ends in letters
    pieces = host.split(".")
    if len(pieces) > 4 or not all(pieces):
        return None
    values = []
    for piece in pieces:
        value = _part(piece)
        if value is None:
            return None
        values.append(value)
    if any(value > 255 for value in values[:-1]) or values[-1] >= 256 ** (5 - len(values)):
        return None
    number = values[-1]
    for place, value in enumerate(values[:-1]):
        number += value << (24 - 8 * place)
    return number


def _plain(host: str) -> str:
    """`host` without what only looks another way: IPv6 around an IPv4 address, circled and full-width digits."""
    if ":" in host:
        return _mapped(host)
    if host.isascii():
        return host
    from unicodedata import normalize

    return normalize("NFKC", host)


def _mapped(host: str) -> str:
    """The IPv4 address that the IPv6 address `host` stands for (mapped, compatible, NAT64), however it is written, as a
    number; else `host`."""
    from socket import AF_INET6, inet_pton

    try:
        packed = inet_pton(AF_INET6, host)
    except (OSError, ValueError):
        return host
    if packed[:12] in _V4_IN_V6 and int.from_bytes(packed[12:]) > 1:
        return str(int.from_bytes(packed[12:]))
    return host


def _part(piece: str) -> int | None:
    try:
        if piece.startswith("0x"):
            return int(piece, 16)
        if piece.isascii() and piece.isdigit():
            return int(piece, 8) if len(piece) > 1 and piece[0] == "0" else int(piece)
    except ValueError:
        return None
    return None


def is_local(host: str) -> bool:
    """This machine."""
    if host in LOCAL or host.endswith((".localhost", ".local.test")):
        return True
    number = number_of(host)
    return number is not None and (number >> 24 == 127 or number == 0)


def is_metadata(host: str) -> bool:
    """Where a cloud gives its machines their credentials."""
    if host in _METADATA or host in _METADATA_V6 or host.endswith(".metadata.google.internal"):
        return True
    number = number_of(host)
    return number is not None and number in _METADATA_V4


def is_private(host: str) -> bool:
    """A network behind the router: not this machine, and not the internet."""
    if host in LOCAL:
        return False
    if host.endswith((".internal", ".local", ".lan", ".intranet", ".corp", ".home.arpa", ".svc", ".consul")):
        return True
    if ":" in host:
        return host.startswith(("fc", "fd", "fe8", "fe9", "fea", "feb"))
    number = number_of(host)
    if number is None:
        return False
    first, second = number >> 24, (number >> 16) & 255
    return (
        first == 10
        or (first == 172 and 16 <= second < 32)
        or (first == 192 and second == 168)
        or (first == 169 and second == 254)
        or (first == 100 and 64 <= second < 128)
    )


def is_drop(host: str) -> bool:
    """What shows whatever is sent to it to a stranger."""
    return _below(host, _DROP_NAMES) or host.endswith(_TUNNELS)


def is_paste(host: str) -> bool:
    """Where files are left for anybody."""
    return _below(host, _PASTE_NAMES)


def _below(host: str, domains: frozenset[str]) -> bool:
    while host not in domains:
        _, found, host = host.partition(".")
        if not found:
            return False
    return True


def _no_web(url: str) -> bool:
    scheme = scheme_of(url)
    return bool(scheme) and scheme not in WEB


def _login_in(url: str) -> bool:
    user, found, password = userinfo_of(url).partition(":")
    return bool(found and user and password) and "\x00" not in password


_CONTROL_PORTS = frozenset(
    _words(
        "22 23 25 2049 2375 2376 2377 2379 2380 3306 4243 4646 5432 6379 6443 8200 8500 9229 10250 10255 11211 27017"
    )
)
"""Docker, etcd, Kubernetes, Consul, Nomad, Vault, a debugger: who reaches them rules the machine or reads its secrets;
and servers that speak no HTTP, which a request can only be smuggled into."""


def port_of(url: str) -> str:
    """The port that `url` names, "" for none."""
    place = url.strip().partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")[2]
    port = place.rpartition("]")[2].rpartition(":")[2] if "]" in place or ":" in place else ""
    return port if port.isdigit() else ""


def _controls(url: str) -> bool:
    host = host_of(url)
    return port_of(url) in _CONTROL_PORTS and (is_local(host) or is_private(host) or "." not in host)


PLACES: dict[str, Callable[[str], bool]] = {
    "metadata": lambda url: is_metadata(host_of(url)),
    "private-network": lambda url: is_private(host_of(url)) and not is_metadata(host_of(url)),
    "no-web": _no_web,
    "login-in-url": _login_in,
    "control-port": _controls,
    "drop": lambda url: is_drop(host_of(url)),
}
"""Kind of address -> whether a URL is such a one."""
