"""What single programs do over the network: addresses fetched, files sent away, tunnels opened into this machine.

`send`: a file leaves, which matters when it is a credential; `upload`: a file or an output leaves that is no ordinary
request body. What only several commands of a line do together is in deeds_exfil.py. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.addresses import host_of, is_local
from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import operands, takes_next

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]
    Pairs = list[tuple[str, str]]

_CURL = (
    "XdHoFubAeTmKxUwCDEPQYyzrtc request data data-raw data-binary data-ascii data-urlencode json form form-string "
    "header output upload-file user user-agent referer cookie cookie-jar max-time connect-timeout url url-query "
    "proxy cert key cacert config retry retry-delay retry-max-time write-out range resolve connect-to interface "
    "limit-rate dump-header aws-sigv4 oauth2-bearer proxy-user socks5 socks5-hostname unix-socket variable "
    "output-dir max-redirs capath trace"
)
_WGET = (
    "OPUoaitTwQ output-document directory-prefix user-agent header post-data post-file method "
    "body-data body-file tries "
    "timeout user password input-file append-output output-file limit-rate referer ca-certificate wait quota"
)
_HTTPIE = "aspmho auth session print method output verify timeout proxy cert"
_NC = "pswXxIOTqigGe source port exec sh-exec"
_BODIES = ("json", "xml", "graphql", "gql", "ndjson", "jsonl", "yaml", "yml", "soap", "proto", "pb")
_STDIN = ("-", "/dev/stdin", ".", "/dev/fd/0")
DATA: tuple[str, ...] = ("-d", "--data", "--data-ascii", "--data-binary", "--data-raw", "--json", "--data-urlencode")
DATA += ("--url-query", "-F", "--form", "--form-string", "--post-data", "--body-data")


def pairs_of(words: list[str], valued: str) -> tuple[Pairs, list[str]]:
    """(every option with its value, what is no option) of a command; -sd X is -s and -d X."""
    short, _, long = valued.partition(" ")
    pairs: Pairs = []
    rest: list[str] = []
    i = 1
    while i < len(words):
        word = words[i]
        following = words[i + 1] if i + 1 < len(words) else ""
        if word == "--":
            return pairs, rest + words[i + 1 :]
        if word.startswith("--"):
            option, found, value = word.partition("=")
            taken = takes_next(word, short, long)
            pairs.append((option, value if found else following if taken else ""))
            i += taken
        elif len(word) > 1 and word[0] == "-":
            i += _group(word, following, short, pairs)
        else:
            rest.append(word)
        i += 1
    return pairs, rest


def _group(word: str, following: str, short: str, pairs: Pairs) -> int:
    """Reads `-sSd` or `-XPOST` into `pairs`; 1 when the last letter took the word that follows."""
    for place, letter in enumerate(word[1:], 1):
        if letter in short:
            glued = word[place + 1 :]
            pairs.append(("-" + letter, glued or following))
            return int(not glued)
        pairs.append(("-" + letter, ""))
    return 0


def request_of(made: Simple) -> tuple[Pairs, list[str]]:
    """(options, addresses) of curl, wget, HTTPie and their kind."""
    if made.request is None:
        made.request = _read(made)
    return made.request


def _read(made: Simple) -> tuple[Pairs, list[str]]:
    if made.name == "curl":
        pairs, rest = pairs_of(made.words, _CURL)
        return pairs, rest + [value for option, value in pairs if option == "--url"]
    if made.name == "wget":
        return pairs_of(made.words, _WGET)
    pairs, rest = pairs_of(made.words, _HTTPIE)
    if rest and rest[0].isupper():
        rest = rest[1:]
    return pairs, rest[:1]


def leaves(addresses: list[str]) -> bool:
    """Whether one of `addresses` is another machine."""
    return any(not is_local(host_of(url)) for url in addresses)


def _requests(made: Simple) -> Iterator[Deed]:
    """curl, wget: what is fetched, and which files go along."""
    pairs, addresses = request_of(made)
    seen = shown(made.words)
    for url in addresses:
        if url[:5].lower() == "file:":
            yield Deed("read", "/" + url[5:].lstrip("/").removeprefix("localhost/"), made.cwd, seen)
        else:
            yield Deed("fetch", url, made.cwd, seen)
    if not leaves(addresses):
        return
    for option, value in pairs:
        path, body = _file_in(option, value)
        if path and path not in _STDIN:
            yield Deed("send", path, made.cwd, seen)
            if not (body and path.rpartition(".")[2].lower() in _BODIES):
                yield Deed("upload", path, made.cwd, seen)


def _file_in(option: str, value: str) -> tuple[str, bool]:
    """(the file that an option of curl or wget sends, whether as a request's body); ("", False): none."""
    if option in ("-d", "--data", "--data-ascii", "--data-binary", "--json", "--url-query", "-H", "--header"):
        return (value[1:], True) if value[:1] == "@" else ("", False)
    if option in ("--data-urlencode", "--variable"):
        return value.partition("@")[2], True
    if option in ("-F", "--form"):
        given = value.partition("=")[2]
        return (given[1:].partition(";")[0], False) if given[:1] in ("@", "<") else ("", False)
    if option in ("-T", "--upload-file"):
        return value, False
    if option in ("--post-file", "--body-file"):
        return value, True
    return "", False


def _httpie(made: Simple) -> Iterator[Deed]:
    """http POST host field@file."""
    _, addresses = request_of(made)
    seen = shown(made.words)
    yield from (Deed("fetch", url, made.cwd, seen) for url in addresses)
    if leaves(addresses):
        for word in operands(made.words, _HTTPIE)[1:]:
            head, found, path = word.partition("@")
            if found and path and "=" not in head.rstrip(":=") and "://" not in word:
                yield Deed("send", path, made.cwd, seen)
                yield Deed("upload", path, made.cwd, seen)


def _sockets(made: Simple) -> Iterator[Deed]:
    """nc HOST PORT < FILE, socat FILE:X TCP:HOST:PORT."""
    words = made.words
    if made.name == "socat":
        far = [word for word in words[1:] if word[:3].upper() in ("TCP", "UDP", "SSL", "OPE")]
        if any(not is_local(host_of(word.partition(":")[2])) for word in far):
            for word in words[1:]:
                head, _, path = word.partition(":")
                if head.upper() in ("FILE", "OPEN", "GOPEN"):
                    yield Deed("send", path.partition(",")[0], made.cwd, shown(words))
                    yield Deed("upload", path.partition(",")[0], made.cwd, shown(words))
        return
    _, rest = pairs_of(words, _NC)
    if rest and is_local(rest[0]):
        return
    for operator, target in made.redirects:
        if operator == "<":
            yield Deed("send", target, made.cwd, f"{shown(words)} < {target}")
            yield Deed("upload", target, made.cwd, f"{shown(words)} < {target}")


_TUNNELS: dict[str, tuple[str, ...]] = {
    "ngrok": ("http", "tcp", "tls", "start", "tunnel"),
    "cloudflared": ("tunnel",),
    "lt": (),
    "localtunnel": (),
    "bore": ("local",),
    "frpc": (),
    "chisel": ("client", "server"),
    "gost": (),
    "tailscale": ("funnel",),
    "devtunnel": ("host",),
    "zrok": ("share",),
    "inlets": (),
    "pagekite": (),
    "tunnelmole": (),
    "tmole": (),
    "tmate": (),
    "localxpose": (),
    "loclx": ("tunnel",),
    "pinggy": (),
    "expose": ("share",),
}
_READING = frozenset(
    ("list", "ls", "info", "login", "version", "help", "--help", "--version", "-v", "-h", "cleanup", "delete", "config")
)


def _tunnels(made: Simple) -> Iterator[Deed]:
    wanted, given = _TUNNELS[made.name], made.words[1:]
    if given and not _READING.isdisjoint(given):
        return
    if not wanted or any(word in wanted for word in given[:3]):
        yield Deed("tunnel", made.name, made.cwd, shown(made.words))


_SSH_RUNS = ("proxycommand", "localcommand", "knownhostscommand", "remotecommand")
"""Options of ssh whose value a shell runs."""


def _ssh(made: Simple) -> Iterator[Deed]:
    """ssh -R: a port of the other machine leads into this one."""
    pairs, rest = pairs_of(made.words, "bcDEeFIiJLlmOoPpQRSWw")
    if any(option == "-R" or (option == "-o" and value.lower().startswith("remoteforward")) for option, value in pairs):
        yield Deed("tunnel", rest[0] if rest else "another machine", made.cwd, shown(made.words))
    for option, value in pairs:
        name, _, command = value.replace("=", " ", 1).partition(" ")
        if option == "-o" and name.lower() in _SSH_RUNS and "%h" not in command and set(command) & set(";|&$`("):
            yield Deed("unsure", f"a command for a shell in {name}", made.cwd, shown(made.words))


_SENDERS: dict[str, tuple[str, ...]] = {
    "wormhole": ("send",),
    "magic-wormhole": ("send",),
    "croc": ("send",),
    "ffsend": ("upload", "u"),
    "onionshare-cli": (),
    "transfer": (),
    "termbin": (),
    "pastebinit": (),
    "wgetpaste": (),
    "lftp": (),
    "ncftpput": (),
    "tftp": (),
    "mail": (),
    "mailx": (),
    "mutt": (),
    "sendmail": (),
    "msmtp": (),
    "swaks": (),
    "megaput": (),
}


def _sends(made: Simple) -> Iterator[Deed]:
    """Programs that exist to hand files or texts to somebody else."""
    words = made.words
    wanted = _SENDERS[made.name]
    if len(words) < 2 and made.upstream is None and not made.redirects:
        return
    if {"--help", "--version", "-h"} & set(words) or (wanted and not any(word in wanted for word in words[1:])):
        return
    text = " ".join(words[1:])
    if made.name in ("lftp", "tftp") and not any(verb in text for verb in ("put ", "mput", "mirror -R", "-R ")):
        return
    yield Deed("upload", "what it is given", made.cwd, shown(words))
    for word in (*operands(words), *(target for operator, target in made.redirects if operator == "<")):
        yield Deed("send", word, made.cwd, shown(words))


_CLOUDS: dict[str, tuple[str, ...]] = {
    "aws": ("cp", "sync", "mv", "put-object"),
    "gsutil": ("cp", "rsync", "mv"),
    "gcloud": ("cp", "rsync"),
    "az": ("upload", "upload-batch"),
    "azcopy": ("copy", "cp", "sync"),
    "mc": ("cp", "mirror", "pipe", "put"),
    "s3cmd": ("put", "sync"),
    "rclone": ("copy", "copyto", "sync", "move", "moveto"),
    "b2": ("upload-file", "upload_file"),
    "sftp": (),
}


def _clouds(made: Simple) -> Iterator[Deed]:
    """Files that go to a bucket: usual, but for credentials."""
    wanted, words = _CLOUDS[made.name], made.words
    if wanted and not any(word in wanted for word in words[1:4]):
        return
    for word in words[1:]:
        if word[:1] != "-" and "://" not in word and word not in wanted:
            yield Deed("send", word.removeprefix("fileb://"), made.cwd, shown(words), recursive=True)


def _rows() -> dict[str, Reader]:
    found: dict[str, Reader] = dict.fromkeys(("curl", "wget", "aria2c", "fetch"), _requests)
    found |= dict.fromkeys(("http", "https", "xh", "xhs"), _httpie)
    found |= dict.fromkeys(("nc", "ncat", "netcat", "socat", "telnet"), _sockets)
    found |= dict.fromkeys(_TUNNELS, _tunnels) | dict.fromkeys(_SENDERS, _sends) | dict.fromkeys(_CLOUDS, _clouds)
    return found | {"ssh": _ssh, "autossh": _ssh}


OF = _rows()
