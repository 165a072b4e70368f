"""What no helper should do to others without being asked by a person: attack, flood, spy, mine, cover tracks.

Programs that exist for it, and the ways of usual ones. Security work has its place; so these are asked about, not
guessed at. Part of deeds.py, which loads it when one of its programs is run. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.addresses import host_of, is_local, is_private
from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import operands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]

_ATTACKS = (
    "hydra medusa ncrack patator crowbar sqlmap nosqlmap commix msfconsole msfvenom msfdb responder bettercap ettercap "
    "aircrack-ng aireplay-ng airodump-ng wifite reaver mdk4 crackmapexec netexec nxc evil-winrm impacket-secretsdump "
    "secretsdump.py psexec.py mimikatz bloodhound-python rubeus beef-xss setoolkit gophish evilginx evilginx2 "
    "wpscan nikto dirb gobuster ffuf feroxbuster nuclei masscan zmap arpspoof dnsspoof mitmf yersinia xsser sliver "
    "havoc empire covenant koadic"
)
_CRACKS = "john hashcat fcrackzip pdfcrack rarcrack unshadow cewl crunch ophcrack rainbowcrack"
_FLOODS = "hping3 slowloris slowhttptest goldeneye t50 hulk xerxes loic torshammer mhddos"
_MINES = (
    "xmrig xmr-stak minerd cpuminer ethminer nbminer t-rex lolminer phoenixminer cgminer "
    "bfgminer nheqminer ccminer srbminer"
)
_SPIES = "logkeys keylogger xinput-keylog screenspy stalkerware"
_LOCAL_USE = ("--help", "-h", "--version", "-V", "-hh", "--update", "--wizard")


def _of(kind: str) -> Reader:
    def reader(made: Simple) -> Iterator[Deed]:
        words = made.words[1:]
        if words and not any(word in _LOCAL_USE for word in words):
            aims = [word for word in operands(made.words) if "." in word or ":" in word]
            if kind != "attack" or not aims or not all(is_local(host_of(aim)) for aim in aims):
                yield Deed(kind, made.name, made.cwd, shown(made.words))

    return reader


def _scans(made: Simple) -> Iterator[Deed]:
    """nmap on other people's machines; localhost and private networks are one's own."""
    aims = operands(made.words, "poegDT script script-args exclude top-ports max-rate min-rate")
    far = [
        aim
        for aim in aims
        if not is_local(host_of(aim.partition("/")[0])) and not is_private(host_of(aim.partition("/")[0]))
    ]
    if far and not any(word in ("--help", "-h", "-V", "-sL") for word in made.words):
        yield Deed("attack", far[0], made.cwd, shown(made.words))


def _pings(made: Simple) -> Iterator[Deed]:
    """ping -f floods."""
    if any(word == "-f" or (word[:1] == "-" != word[1:2] and "f" in word) for word in made.words[1:]):
        yield Deed("flood", made.words[-1], made.cwd, shown(made.words))


def _history(made: Simple) -> Iterator[Deed]:
    """history -c, history -w /dev/null: what was typed is forgotten."""
    if any(word[:1] == "-" and ("c" in word or "w" in word) and word != "-w" for word in made.words[1:]):
        yield Deed("cover-tracks", "the history", made.cwd, shown(made.words))


def _unset(made: Simple) -> Iterator[Deed]:
    if any(word in ("HISTFILE", "HISTSIZE", "PROMPT_COMMAND", "HISTFILESIZE") for word in made.words[1:]):
        yield Deed("cover-tracks", "the history", made.cwd, shown(made.words))


def _exports(made: Simple) -> Iterator[Deed]:
    gone = ("HISTFILE=/dev/null", "HISTFILE=", "HISTSIZE=0", "HISTFILESIZE=0", "HISTCONTROL=ignoreboth:erasedups")
    if any(word in gone[:4] for word in made.words[1:]):
        yield Deed("cover-tracks", "the history", made.cwd, shown(made.words))


def _logs(made: Simple) -> Iterator[Deed]:
    """journalctl --vacuum, dmesg -C, wevtutil cl, utmpdump, last's files."""
    words = made.words[1:]
    gone = {
        "journalctl": any(word.startswith("--vacuum") or word == "--rotate" for word in words),
        "dmesg": bool({"-C", "-c", "--clear", "--read-clear"} & set(words)),
        "wevtutil": bool({"cl", "clear-log"} & set(words)),
        "faillock": "--reset" in words,
        "lastlog": bool({"-C", "--clear"} & set(words)),
    }
    if gone.get(made.name):
        yield Deed("cover-tracks", f"the logs ({made.name})", made.cwd, shown(made.words))


def _sets_date(words: list[str]) -> bool:
    """Whether the words of `date` set the clock: -s, and the new time alone, MMDDhhmm[[CC]YY][.ss]; -j: only shown."""
    i = 0
    while i < len(words):
        word = words[i]
        i += 1
        if word.startswith("--"):
            if word[2:3] == "s":
                return True
            i += word in ("--date", "--reference", "--file")
        elif word[:1] == "-" and len(word) > 1:
            short, valued = _up_to(word[1:], "drfIv")
            if "s" in short:
                return True
            if "j" in short:
                return False
            i += valued in ("d", "r", "f", "v")
        elif word[:1].isdigit() and word.replace(".", "").isdigit() and (len(word) - word.count(".")) % 2 == 0:
            return True
    return False


def _up_to(letters: str, last: str) -> tuple[str, str]:
    """The letters of a group of options before the first one of `last`, and what is from there on."""
    at = next((at for at, letter in enumerate(letters) if letter in last), len(letters))
    return letters[:at], letters[at:]


def _clock(made: Simple) -> Iterator[Deed]:
    """date -s, timedatectl set-time, hwclock --set: times that are recorded are no longer true."""
    words = made.words[1:]
    if made.name == "date":
        changes = _sets_date(words)
    else:
        changes = bool(
            {"set-time", "set-ntp", "--set", "--systohc", "-w", "settime", "-setdate", "-settime"} & set(words)
        )
        changes = changes and "true" not in words and "1" not in words and "yes" not in words
    if changes:
        yield Deed("cover-tracks", "the clock", made.cwd, shown(made.words))


def _listens(made: Simple) -> Iterator[Deed]:
    """tcpdump, tshark: other people's traffic; reading a capture again is free."""
    words = made.words[1:]
    reads = {"--read-file", "--help", "--version", "-D", "-h"} & set(words) or any(word[:2] == "-r" for word in words)
    if not reads and not {"lo", "lo0", "-ilo"} & set(words):
        yield Deed("spy", made.name, made.cwd, shown(made.words))


def _rows() -> dict[str, Reader]:
    found: dict[str, Reader] = dict.fromkeys(_ATTACKS.split(), _of("attack"))
    found |= dict.fromkeys(_CRACKS.split(), _of("crack")) | dict.fromkeys(_FLOODS.split(), _of("flood"))
    found |= dict.fromkeys(_MINES.split(), _of("mine")) | dict.fromkeys(_SPIES.split(), _of("spy"))
    found |= dict.fromkeys(("journalctl", "dmesg", "wevtutil", "faillock", "lastlog"), _logs)
    found |= dict.fromkeys(("date", "timedatectl", "hwclock", "systemsetup"), _clock)
    found |= dict.fromkeys(("tcpdump", "tshark", "dumpcap", "ngrep", "dsniff", "wireshark"), _listens)
    found |= {"nmap": _scans, "rustscan": _scans, "ping": _pings, "ping6": _pings, "history": _history, "unset": _unset}
    return found | {"export": _exports}


OF = _rows()
