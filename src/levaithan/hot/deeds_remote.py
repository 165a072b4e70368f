"""What takes more than one command to see: code fetched and run, code decoded and run, files sent away, shells opened.

Looks at the commands of a line together. Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.deed import Deed, shown
from levaithan.hot.invocation import of
from levaithan.hot.shell_options import INTERPRETERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.shell import Simple

SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "fish", "ash", "csh", "tcsh", "busybox", "pwsh", "powershell"))
FETCHERS = frozenset("curl wget fetch http https xh aria2c lynx iwr irm Invoke-WebRequest Invoke-RestMethod".split())
_PIPED = FETCHERS | {"nc", "ncat", "netcat", "telnet"}
"""What text from another machine comes out of."""
_DECODERS = frozenset(
    ("base64", "base32", "basenc", "xxd", "uudecode", "openssl", "gpg", "gunzip", "zcat", "rev", "tr")
)
_FILTERS = frozenset(
    ("tee", "cat", "sed", "awk", "grep", "tr", "head", "tail", "gunzip", "zcat", "bunzip2", "xz", "tar")
)
_RUNS_TEXT = frozenset(("eval", "source", ".", "iex", "Invoke-Expression"))
_BOMB = re.compile(r"([A-Za-z_:.][\w:.]*)\s*\(\)\s*\{[^}]*?\1\s*\|\s*\1\s*&[^}]*\}\s*;?\s*\1")
_FOLDERS = ("-P", "--directory-prefix", "--output-dir")
_OUTPUTS = ("-o", "--output", "-O", "--output-document")
_LONG = 2000
_CONNECTED_SHELL = re.compile(
    r"(?:\bconnect\s?\(|TCPSocket\.|fsockopen\(|create_connection\().{0,300}"
    r"(?:\bpty\.spawn|dup2\(|['\"]/bin/(?:ba|z|da)?sh|(?:subprocess\.\w+|popen|spawn|exec)\W{1,4}(?:/bin/)?(?:sh|bash|cmd)\b)",
    re.DOTALL | re.IGNORECASE,
)
_SOCKET_SHELL = re.compile(
    r"(?:socket|fsockopen|net\.connect).{0,400}(?:subprocess|\bpty\b|dup2|exec|/bin/(?:ba)?sh|spawn|popen|proc_open)|"
    r"(?:spawn|exec|popen|system)\W.{0,200}(?:TCPSocket|fsockopen)",
    re.DOTALL | re.I,
)


def of_line(commands: Sequence[Simple], text: str) -> Iterator[Deed]:
    """What the commands of one line do together."""
    fetched: set[str] = set()
    fetches = decodes = False
    for made in commands:
        if made.name in FETCHERS:
            fetches = True
            fetched |= _saved(made)
        elif made.words:
            decodes = decodes or (made.name in _DECODERS and _decodes(made))
            yield from _runs(made, fetches, decodes, fetched)
        yield from _opens_shell(made)
    if "()" in text and _BOMB.search(text) and any(made.words[:1] == [":"] or made.upstream for made in commands):
        yield Deed("fork-bomb", "", commands[0].cwd, shown([text[:100]]))


def reads_stdin(made: Simple) -> bool:
    """Whether `made`, a shell or interpreter, takes its program from what is piped into it."""
    if made.name not in SHELLS and not made.name.startswith(INTERPRETERS):
        return False
    rest = [word for word in made.words[1:] if word not in ("/dev/stdin", "/dev/fd/0", "-")]
    if any(word[:1] == "-" and word[:2] != "--" and ("c" in word or "e" in word) for word in rest) and rest[1:]:
        return made.name in SHELLS and "s" in rest[0] and "c" not in rest[0]
    words = [word for word in rest if word[:1] != "-"]
    return not words or "-s" in rest


def _runs(made: Simple, fetches: bool, decodes: bool, fetched: set[str]) -> Iterator[Deed]:
    seen = shown(made.words)
    if made.upstream is not None and (reads_stdin(made) or made.name in ("iex", "Invoke-Expression")):
        source = _source(made.upstream)
        if source in _PIPED:
            yield Deed("remote-code", source, made.cwd, f"{shown(made.upstream.words)} | {seen}")
        elif source in _DECODERS and made.stdin is None:
            yield Deed("hidden-code", source, made.cwd, f"{shown(made.upstream.words)} | {seen}")
    if made.name.startswith(INTERPRETERS) and any(_RUNS_DECODED.search(word) for word in made.words[1:]):
        yield Deed("hidden-code", made.name, made.cwd, seen)
    if made.name.startswith(INTERPRETERS) and any(_RUNS_FETCHED.search(word) for word in made.words[1:]):
        yield Deed("remote-code", made.name, made.cwd, seen)
    text = made.name in _RUNS_TEXT or made.name in SHELLS or made.name.startswith(INTERPRETERS)
    unknown = any("\x00" in word for word in made.words[1:])
    if made.stdin and "\x00" in made.stdin and (made.name in _RUNS_TEXT or reads_stdin(made)):
        unknown = True
    if fetches and text and unknown:
        yield Deed("remote-code", made.name, made.cwd, seen)
    elif decodes and unknown and (made.name in _RUNS_TEXT or made.name in SHELLS):
        yield Deed("hidden-code", made.name, made.cwd, seen)
    target = _script(made)
    if target and fetched and target.removeprefix("./") in fetched:
        yield Deed("remote-code", target, made.cwd, seen)


_RUNS_FETCHED = re.compile(
    r"(?:\bexec|\beval|compile|system|spawn\w*|Function|instance_eval)\s*\(.{0,120}(?:urlopen|requests\.get|urlretrieve|fetch\(|"
    r"http\.get|https\.get|open-uri|URI\.open|LWP::Simple|file_get_contents\(.{0,3}http|httpx\.get)"
    r"|(?:fetch\(|https?\.get\(|requests\.get\(|urlopen\().{0,200}\b(?:eval|exec|Function)\b",
    re.DOTALL,
)
_RUNS_DECODED = re.compile(
    r"\b(?:exec|eval|compile|system|Function|instance_eval)\s*\(?.{0,100}(?:b64decode|b32decode|fromhex|unhexlify|"
    r"decompress\(|marshal\.loads|codecs\.decode|\batob\(|['\"]base64['\"]|decode_base64|base64_decode|decode64|unpack\(|hex2bin)",
    re.DOTALL,
)


def _source(made: Simple) -> str:
    """Where what comes out of a pipe begins: the fetcher or decoder in it, looking past filters."""
    decoder = ""
    at: Simple | None = made
    while at is not None:
        if at.name in _PIPED or any(word.rpartition("/")[2] in FETCHERS for word in at.words[1:3]):
            return "curl" if at.name not in _PIPED else at.name
        if at.name in _DECODERS and not decoder and _decodes(at):
            decoder = at.name
        at = at.upstream
    return decoder or made.name


def _decodes(made: Simple) -> bool:
    flags = of(made).flags
    if made.name in ("base64", "base32", "basenc", "openssl", "gpg"):
        return not {"-d", "-D", "--decode", "--decrypt"}.isdisjoint(flags)
    return made.name in ("uudecode", "gunzip", "zcat", "rev") or (made.name == "xxd" and "-r" in flags)


def _script(made: Simple) -> str:
    """The file that `made` runs: itself by a path, or the first word of a shell or interpreter."""
    if made.words[0].startswith(("./", "/")) or "/" in made.words[0]:
        return made.words[0]
    if made.name in SHELLS or made.name in _RUNS_TEXT or made.name.startswith(INTERPRETERS):
        return next((word for word in made.words[1:] if word[:1] != "-"), "")
    return ""


def _saved(made: Simple) -> set[str]:
    """The files that a fetch writes, as a later command would name them."""
    call = of(made)
    found = {value.removeprefix("./") for flag, value in call.flags.items() if flag in _OUTPUTS and value}
    found |= {target.removeprefix("./") for operator, target in made.redirects if ">" in operator}
    if made.name == "wget" or "-O" in call.flags or "--remote-name" in call.flags:
        found |= {word.partition("?")[0].rstrip("/").rpartition("/")[2] for word in [*call.words, *call.flags.values()]}
    folder = next((value for flag, value in call.flags.items() if flag in _FOLDERS and value), "").rstrip("/")
    return {f"{folder}/{one}" if folder else one for one in found if one and one != "-"}


def _joins_shell(code: str) -> bool:
    """Whether program text ties a shell to a socket; a whole file has to connect before, and to hand it over."""
    shape = _SOCKET_SHELL if len(code) < _LONG else _CONNECTED_SHELL
    return shape.search(code) is not None


def _opens_shell(made: Simple) -> Iterator[Deed]:
    for _operator, target in made.redirects:
        if target.startswith(("/dev/tcp/", "/dev/udp/")):
            yield Deed("reverse-shell", target, made.cwd, f"{shown(made.words)} > {target}")
    if made.name.startswith(INTERPRETERS) and any(_joins_shell(word) for word in made.words[1:]):
        yield Deed("reverse-shell", made.name, made.cwd, shown(made.words))
