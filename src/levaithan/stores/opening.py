"""What an adapter is opened with: where its server is, who asks, how the connection is secured. Standard library only.

A URL with a password in it is a secret: `where` is what may be shown, and the repr of an Opening shows nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from levaithan.errors import NotConfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

HIDDEN = "***"
"""Stands for a secret, and for a whole URL that cannot be read: nobody can say which part of it is one."""
_UNREAD = "its host or port cannot be read; in a password, write # as %23, / as %2F, ? as %3F"
_LONGEST = 300
"""Characters of what a server says that are shown."""
RESTART = "then `levaithan restart`"
EXTRAS = {"ledger": "postgres", "search": "elasticsearch", "graph": "helix", "memory": "weaviate", "counters": "redis"}
"""role -> the extra of pyproject.toml that brings the driver of its server; setup.sh has the same."""
OPTIONS = {
    "search": ("compress", "keep_days", "prefix"), "graph": ("graph",), "memory": ("grpc_host", "grpc_port", "prefix"),
    "counters": ("prefix", "ssl_ca_certs", "stream"),
}  # fmt: skip
"""role -> what may stand behind the `?` of its URL. The ledger's are libpq's own, which its adapter knows."""
_LONGEST_NAME = 40


@dataclass(slots=True, frozen=True)
class Opening:
    """role; url as set, "" for an embedded store; path: the embedded store's file; state: the home's folder for what
    is kept on this machine beside the server; journal: the id of the journal that is followed, "" for none;
    max_field: bytes; timeout_s: how long the server may take to answer; logs: the folder of the home's logs;
    owner_password: of the role that changes the schema, "" where that is the URL's user."""

    role: str
    path: str
    state: str
    url: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    owner_password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    ca_file: str = ""
    max_field: int = 1 << 20
    timeout_s: float = 10.0
    journal: str = ""
    machine: str = ""
    logs: str = ""
    options: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def server(self) -> Server:
        """The parts of the URL, and who asks. Raises NotConfigured for one that names no host."""
        return parts(self.role, self.url, self.password, self.api_key)

    @property
    def key(self) -> str:
        """What a server that knows no users is asked with, "" for nothing. Raises NotConfigured."""
        return self.server.key or self.server.password

    @property
    def in_url(self) -> bool:
        """Whether the URL itself has the password or key that the server is asked with."""
        try:
            return bool(urlsplit(self.url).password)
        except ValueError:  # said when it is opened
            return False

    def hide(self, words: str) -> str:
        """What a server or a driver says, without the secret that it was asked with, and bounded after that: half a
        secret would not be found."""
        try:
            key = self.key
        except NotConfigured:  # an engine in this process is asked with none
            key = ""
        return (words.replace(key, HIDDEN) if key else words)[:_LONGEST]

    @property
    def where(self) -> str:
        """The place as it may be shown: without user, password and what stands behind a `?`."""
        return masked(self.url) if self.url else self.path


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(slots=True, frozen=True)
class Server:
    """A server's address: scheme as written, host, port (None = the protocol's own), path without its slash, query; and
    who asks: user and password, or an API key in their place."""

    scheme: str
    host: str
    port: int | None
    path: str
    user: str
    query: Mapping[str, str]
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def here(self) -> bool:
        """Whether it is on this machine, where nobody listens in."""
        return is_here(self.host)

    def encrypted(self, secure: bool) -> bool | None:
        """What is to be said of a connection that is `secure` or not: None for a plain one on this machine."""
        return True if secure else None if self.here else False


def is_here(host: str) -> bool:
    """Whether the server of that name is on this machine."""
    return host in _LOOPBACK


def parts(role: str, url: str, password: str = "", api_key: str = "") -> Server:
    """The parts of a server's URL, and who asks: the password in it goes before `password` and `api_key`, which setup
    makes without looking at the URL. Raises NotConfigured, without anything of the URL in it."""
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:  # its words have a piece of the password
        raise unusable(role, _UNREAD) from None
    if _torn(split):
        raise unusable(role, _UNREAD)
    if not split.scheme or not split.hostname:
        raise unusable(role, "it names no host")
    if not unquote(url).isprintable():
        raise unusable(role, "it has a control character in it")
    chosen = options(role, split.query)
    known = unquote(split.password) if split.password else ""
    return Server(
        split.scheme, split.hostname, port, unquote(split.path.strip("/")), unquote(split.username or ""),
        chosen, known or password, "" if known else api_key,
    )  # fmt: skip


def options(role: str, query: str) -> dict[str, str]:
    """What stands behind the `?` of a URL; what has no value counts as left out. Raises NotConfigured for what the role
    does not know: who misspells a prefix would share with those from whom it was to keep apart."""
    known = OPTIONS.get(role)
    if known is None:
        return dict(parse_qsl(query))
    unknown = sorted({name for name, _ in parse_qsl(query, keep_blank_values=True)} - set(known))
    if unknown:
        # A piece of a password with a ? in it is no name of an option.
        plain = "@" not in query and all(_is_name(name) for name in unknown)
        why = f"it may not say {', '.join(unknown)}" if plain else "what stands behind its ? is no option"
        raise unusable(role, why, f"behind its ? write only {', '.join(known)}, each as name=value, or nothing")
    return dict(parse_qsl(query))


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and text.replace("-", "_").isidentifier()


def _torn(split: SplitResult) -> bool:
    """Whether a password with a / ? or # in it has torn the URL: its first piece was taken for a port then."""
    name = split.query.partition("=")[0]
    return bool(split.netloc) and "@" not in split.netloc and "@" in f"{split.path}{name}{split.fragment}"


def masked(url: str) -> str:
    """`url` with its user, password and query hidden, for messages, logs and `config show`."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", f":{split.port}" if split.port else ""
    except ValueError:
        return HIDDEN
    if "://" not in url or _torn(split):  # then nobody can say which part of it is a password
        return HIDDEN
    host = f"[{host}]" if ":" in host else host
    user = f"{HIDDEN}@" if "@" in split.netloc else ""
    hidden = HIDDEN if split.query else ""
    if split.scheme and not split.netloc and url.startswith(f"{split.scheme}://"):
        return f"{split.scheme}://{split.path}{'?' if hidden else ''}{hidden}"  # urlunsplit forgets a folder's slashes
    return urlunsplit((split.scheme, f"{user}{host}{port}", split.path, hidden, ""))


def without_driver(role: str, scheme: str, error: ImportError) -> NotConfigured:
    """What is said of a store whose driver is not installed, or cannot be loaded: `error` says why."""
    why = f"needs the package {error.name}, which is not installed"
    if not isinstance(error, ModuleNotFoundError):
        why = f"cannot load its driver: {(str(error).splitlines() or ['no reason given'])[0].rstrip(' .')}"
    pip = f"pip install 'levaithan[{EXTRAS.get(role, 'stores')}]' into its environment"
    return NotConfigured(
        f"The {role} store on {scheme} {why}.", fix=f"run ./setup.sh, which installs it (no clone: {pip})"
    )


def restarted(problem: NotConfigured) -> NotConfigured:
    """`problem`, whose remedy says that a running service takes it up with a restart."""
    if RESTART not in problem.fix:
        problem.fix = f"{problem.fix}; {RESTART}"
    return problem


def unusable(role: str, why: str, fix: str = "") -> NotConfigured:
    """What is said of a URL that cannot be used, without the URL in it. fix: "" = how a URL is written."""
    name = f"LEVAITHAN_{role.upper()}_URL"
    fix = fix or f"write it as scheme://[user@]host[:port][/name], or unset {name}"
    return NotConfigured(f"{name} cannot be used: {why}.", fix=fix)
