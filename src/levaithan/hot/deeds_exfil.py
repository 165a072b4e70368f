"""What leaves the machine by several commands together: an output piped to a sender, a secret in an address or a name.

Looks at the commands of a line and at its text, after each command was looked at alone. Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.addresses import host_of, is_local
from levaithan.hot.deed import Deed, shown
from levaithan.hot.deeds_network import DATA, leaves, pairs_of, request_of
from levaithan.hot.shell_options import INTERPRETERS, operands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.shell import Simple

_WEB = frozenset(("curl", "wget", "http", "https", "xh", "xhs", "fetch", "aria2c"))
_RAW = frozenset(("nc", "ncat", "netcat", "socat", "telnet", "openssl"))
_NAMES = frozenset(
    ("dig", "nslookup", "host", "drill", "kdig", "delv", "ping", "ping6", "getent", "resolvectl", "traceroute")
)
SENDERS = _WEB | _RAW | _NAMES | {"ssh"}
_LITERAL = frozenset(("echo", "printf", "jq", "yq", "yes", "true", "print", "seq", "date", "uuidgen"))
_PASSING = frozenset(
    ("cat", "tee", "tr", "sed", "head", "tail", "grep", "awk", "sort", "uniq", "cut", "jq", "yq", "envsubst", "wc")
)
_DUMPS = frozenset(("env", "printenv", "set", "export", "history", "declare", "compgen"))
_ENCODERS = frozenset(
    ("base64", "base32", "xxd", "od", "gzip", "bzip2", "xz", "zstd", "tar", "zip", "hexdump", "openssl", "gpg")
)
_SECRET_NAME = re.compile(
    r"\$\{?([A-Z0-9_]*(?:SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY|AUTH_TOKEN|_TOKEN|CREDENTIALS?)[A-Z0-9_]*)\}?"
)
_AWS = re.compile(r"\$\{?AWS_(?:SECRET_ACCESS_KEY|SESSION_TOKEN)\b")
_SENDING_CODE = re.compile(
    r"requests\.(?:post|put|patch|get)|urlopen|http\.client|httpx\.|aiohttp|socket\.|fetch\(|axios|https?\.request|require\(.https?.\)|"
    r"Net::HTTP|LWP::|smtplib|ftplib|paramiko|file_get_contents\(.{0,3}http|curl_exec",
)
_ENVIRONMENT = re.compile(r"os\.environ\b(?!\s*(?:\[|\.get))|process\.env\b(?!\s*[.\[])|ENV\.to_h|%ENV|getenv\(\)")


def of_line(commands: Sequence[Simple], text: str) -> Iterator[Deed]:
    """What the commands of one line, whose whole text is `text`, give away together."""
    for at, made in enumerate(commands):
        if made.name in _WEB:
            yield from _by_request(made, commands[:at], text)
        elif made.name in _RAW or made.name == "ssh":
            yield from _by_socket(made)
        elif made.name in _NAMES:
            yield from _by_name(made, text)
        elif made.name.startswith(INTERPRETERS):
            yield from _by_code(made)


def _by_request(made: Simple, before: Sequence[Simple], text: str) -> Iterator[Deed]:
    pairs, addresses = request_of(made)
    for option, value in pairs:
        if option in ("--resolve", "--connect-to"):
            yield from (
                Deed("fetch", f"http://{host}/", made.cwd, shown(made.words)) for host in value.split(":") if host
            )
    if not leaves(addresses):
        return
    seen = shown(made.words)
    data = [value for option, value in pairs if option in DATA]
    stdin = {"@-", "@/dev/stdin", "-", "."}
    asks_stdin = any(
        value in stdin or value.endswith(("=@-", "=<-")) for option, value in pairs if option in (*DATA, "-T")
    )
    asks_stdin = asks_stdin or any(
        option in ("--upload-file", "--post-file", "--body-file") and value in ("-", "/dev/stdin")
        for option, value in pairs
    )
    if made.upstream is not None and (asks_stdin or made.name in ("http", "https", "xh", "xhs")):
        yield from _from_pipe(made.upstream, made)
    if "$" in text and "--aws-sigv4" not in made.words and _AWS.search(text):
        yield Deed("upload", "a secret of AWS, which never leaves in the clear,", made.cwd, seen)
    if any("\x00" in one for one in (*addresses, *data)):
        inside = [one for one in before if one.upstream is not made]
        if _gives_secrets(inside):
            yield Deed("exfiltrate", "secrets", made.cwd, seen)
        elif any(one.name in _ENCODERS for one in inside):
            yield Deed("upload", "an encoded output", made.cwd, seen)
        yield from _variables(made, [*addresses, *data], text)


def _variables(made: Simple, given: list[str], text: str) -> Iterator[Deed]:
    """A secret variable in an address or in data; a key that goes to its own service is as it should be."""
    hosts = [host_of(one) for one in given if "://" in one]
    for match in _SECRET_NAME.finditer(text):
        name = match[1]
        owner = name.split("_")[0].lower()
        if not _in_data(match, text) or owner in (
            "api",
            "client",
            "access",
            "auth",
            "secret",
            "token",
            "my",
            "app",
            "db",
        ):
            continue
        if not any(owner in host for host in hosts) and not any("\x00" in host for host in hosts):
            yield Deed("upload", "$" + name, made.cwd, shown(made.words))
            return


def _in_data(match: re.Match[str], text: str) -> bool:
    """Whether the variable stands in an address or in data: not in a header, and not in an assignment in front."""
    lead = text[max(0, match.start() - 120) : match.start()]
    if re.search(r"(?:-H|--header|-u|--user|--oauth2-bearer|--aws-sigv4)[ =]?[\"']?[^\"']*$", lead):
        return False
    return bool(
        re.search(r"(?:https?://[^\s\"']*|(?:-d|--data[a-z-]*|-F|--form|--json|--post-data)[ =]?[\"']?[^\"']*)$", lead)
    )


def _from_pipe(upstream: Simple, made: Simple) -> Iterator[Deed]:
    """What comes down the pipe into a sender: files read (credentials among them), dumps, or an output that is
    no literal."""
    from levaithan.hot.deeds_read import OF as READERS

    chain: list[Simple] = []
    at: Simple | None = upstream
    while at is not None and len(chain) < 20:
        chain.append(at)
        at = at.upstream
    seen = f"{shown(chain[-1].words)} | {shown(made.words)}"
    files = [
        deed for one in chain if one.name in READERS for deed in READERS[one.name](one) if deed.kind in ("read", "copy")
    ]
    yield from (Deed("send", deed.target, deed.cwd, seen, recursive=deed.recursive) for deed in files)
    first = chain[-1]
    if any(_dumps(one) for one in chain):
        yield Deed("exfiltrate", "the environment", made.cwd, seen)
    elif first.name in _LITERAL or (first.name == "cat" and first.stdin is not None and not files):
        return
    elif not (files and all(_is_body(deed.target) for deed in files) and all(one.name in _PASSING for one in chain)):
        yield Deed("upload", f"the output of {first.name or 'a command'}", made.cwd, seen)


def _is_body(path: str) -> bool:
    return path.rpartition(".")[2].lower() in ("json", "xml", "yaml", "yml", "graphql", "ndjson", "jsonl")


def _dumps(made: Simple) -> bool:
    """Whether `made` lists the environment or what was typed."""
    return made.name in _DUMPS and (len(made.words) == 1 or made.words[1] in ("-p", "-0", "-x", "-e"))


def _gives_secrets(commands: Sequence[Simple]) -> bool:
    """Whether one of `commands` shows a credential file or the environment."""
    from levaithan.hot.credentials import kind_of
    from levaithan.hot.deeds_read import OF as READERS

    for made in commands:
        if _dumps(made):
            return True
        paths = [deed.target for deed in READERS[made.name](made)] if made.name in READERS else []
        paths += [target for operator, target in made.redirects if operator == "<"]
        if any(path == "/etc/passwd" or kind_of(path.replace("\x00", "")) for path in paths):
            return True
    return False


def _by_socket(made: Simple) -> Iterator[Deed]:
    """... | nc HOST PORT; ssh is for work, so that only credentials and dumps count there."""
    if made.upstream is None:
        return
    if made.name == "ssh":
        yield from (deed for deed in _from_pipe(made.upstream, made) if deed.kind != "upload")
        return
    rest = pairs_of(made.words, "pswXxIOTqigGe")[1] if made.name != "openssl" else operands(made.words)
    far = (
        rest[:1]
        if made.name != "socat"
        else [word.partition(":")[2] for word in rest if word[:3].upper() in ("TCP", "SSL", "UDP", "OPE")]
    )
    if made.name == "openssl" and "s_client" not in made.words:
        return
    if far and all(is_local(host_of(host)) for host in far):
        return
    yield from _from_pipe(made.upstream, made)


def _by_name(made: Simple, text: str) -> Iterator[Deed]:
    """dig $(cat x).example.com: an output as a name of a host."""
    if "$(" not in text and "`" not in text and "${" not in text:
        return
    for word in operands(made.words, "tcpbxkqynf"):
        _, found, tail = word.rpartition("\x00")
        if found and tail[:1] == "." and tail.count(".") > 1 and ("$(" in text or "`" in text):
            yield Deed("exfiltrate", f"an output in the name *{tail}", made.cwd, shown(made.words))
            return


def _by_code(made: Simple) -> Iterator[Deed]:
    """Program text that reads a credential or the environment and talks to the network."""
    from levaithan.hot.credentials import kind_of
    from levaithan.hot.shell_code import literals, pieces

    for piece in pieces(made):
        if _SENDING_CODE.search(piece):
            named = [one for one in literals(piece)[:200] if 3 < len(one) < 300 and " " not in one and kind_of(one)]
            if named or _ENVIRONMENT.search(piece):
                yield Deed("exfiltrate", named[0] if named else "the environment", made.cwd, shown(made.words))
