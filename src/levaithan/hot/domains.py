"""Which modules know a program: a module is imported when one of its programs is run, so that others cost nothing.

Names only; a module `deeds_<name>.py` has OF: program -> function that gives the deeds of one call. A test holds this
table against the modules. Standard library only.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from levaithan.hot.deed import Deed
    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterable[Deed]]

PROGRAMS: dict[str, str] = {
    "conduct": (
        "aircrack-ng aireplay-ng airodump-ng arpspoof beef-xss bettercap bfgminer bloodhound-python ccminer cewl "
        "cgminer commix covenant cpuminer crackmapexec crowbar crunch date dirb dmesg dnsspoof dsniff dumpcap empire "
        "ethminer ettercap evil-winrm evilginx evilginx2 export faillock fcrackzip feroxbuster ffuf gobuster "
        "goldeneye gophish hashcat havoc history hping3 hulk hwclock hydra impacket-secretsdump john journalctl "
        "keylogger koadic lastlog logkeys loic lolminer masscan mdk4 medusa mhddos mimikatz minerd mitmf msfconsole "
        "msfdb msfvenom nbminer ncrack netexec ngrep nheqminer nikto nmap nosqlmap nuclei nxc ophcrack patator "
        "pdfcrack phoenixminer ping ping6 psexec.py rainbowcrack rarcrack reaver responder rubeus rustscan screenspy "
        "secretsdump.py setoolkit sliver slowhttptest slowloris sqlmap srbminer stalkerware systemsetup t-rex t50 "
        "tcpdump timedatectl torshammer tshark unset unshadow wevtutil wifite wireshark wpscan xerxes xinput-keylog "
        "xmr-stak xmrig xsser yersinia zmap"
    ),
    "guard": (
        "aider amp bunx claude claude-code claude.exe codex copilot cursor-agent gemini goose node npx opencode pnpm "
        "yarn"
    ),
    "network": (
        "aria2c autossh aws az azcopy b2 bore chisel cloudflared croc curl devtunnel expose fetch ffsend frpc gcloud "
        "gost gsutil http https inlets lftp localtunnel localxpose loclx lt magic-wormhole mail mailx mc megaput "
        "msmtp mutt nc ncat ncftpput netcat ngrok onionshare-cli pagekite pastebinit pinggy rclone s3cmd sendmail "
        "sftp socat ssh swaks tailscale telnet termbin tftp tmate tmole transfer tunnelmole wget wgetpaste wormhole "
        "xh xhs zrok"
    ),
    "persistence": (
        "at batch chkconfig crontab defaults git launchctl loginctl osascript pm2 rc-update reg sc schtasks systemctl "
        "ssh-copy-id systemd-run update-rc.d"
    ),
    "privilege": (
        "addgroup adduser chgpasswd chmod chpasswd chsh delgroup deluser doas dseditgroup gpasswd groupdel groupmems "
        "insmod kextload kldload modprobe newusers nsenter passwd pkexec rmmod run0 setcap su sudo sudoedit umask "
        "useradd userdel usermod vigr vipw visudo"
    ),
    "publish": (
        "add-apt-repository anaconda apk apt apt-add-repository apt-get apt-key aptitude brew buildah bun bundle bunx "
        "cabal cargo changeset clawhub conan conda cosign crane dart deno dnf docker docker-compose dotnet dpkg "
        "emerge flatpak flit flutter gem gh gist glab goreleaser gradle gradlew hatch helm hf huggingface-cli jsr ko "
        "lerna luarocks maturin mcp-publisher mix mvn mvnw nerdctl np npm npx nuget opam oras ovsx pacman pdm pip "
        "pip3 pipx pkg pnpm pod podman poetry port py python python2 python3 rake release-it rpm rye sbt "
        "semantic-release skopeo snap stack surge twine uv vsce web-ext yarn yum zypper"
    ),
    "read": (
        "7z 7za ack ag ar awk base32 base64 basenc bat batcat bsdtar bzcat bzip2 cat ccat colordiff column comm cp "
        "cpio csplit cut dd delta diff egrep emacs expand fd fdfind fgrep find fmt fold gawk git glow grep gsed gtar "
        "gzcat gzip head hexdump hexyl iconv install join jq less ln look mapfile mawk mdcat micro more most mv nano "
        "nawk nl nvim od openssl paste pax pbcopy pcat pico plutil pr pt qrencode rar rclone rev rg ripgrep rsync scp "
        "sdiff sed shuf sift sort split sqlite sqlite3 strings tac tail tar tsort ugrep ul unexpand uniq uuencode vi "
        "view vim xclip xmllint xsel xxd xz xzcat yq zcat zgrep zip zless zstd"
    ),
    "reveal": (
        "chainbreaker cmdkey firefox_decrypt gcore gpg gpg2 keyctl kwallet-query lazagne mimikatz procdump "
        "secret-tool security unshadow"
    ),
    "security": (
        "aa-complain aa-disable aa-teardown auditctl csrutil defaults fdesetup firewall-cmd ip6tables iptables "
        "iptables-legacy iptables-nft mdatp nft pfctl service setenforce spctl sysctl systemctl ufw xattr"
    ),
}
"""Module -> the programs that it knows."""

_known: dict[str, Known] = {}
_MANY = 4096


_TOGETHER = frozenset(
    "curl wget http https xh xhs fetch aria2c nc ncat netcat socat telnet openssl ssh dig nslookup "
    "host drill kdig delv "
    "ping ping6 getent resolvectl traceroute".split(" ")
)
"""What deeds_exfil.py looks at."""
_SHOWS = frozenset("echo printf print env printenv export set declare typeset compgen".split(" "))
"""What deeds_reveal.py looks at in a whole line."""
_DUMPS = frozenset(("printenv", "env", "export"))
_INTERPRETERS = ("python", "ipython", "pypy", "node", "deno", "bun", "perl", "ruby", "php", "lua")


class Known:
    """What is known of a program by its name alone. readers: what look at one call of it; coded: it runs program text;
    together, shows, dumps: a line with it may do what deeds_exfil.py and deeds_reveal.py look for."""

    __slots__ = ("coded", "dumps", "readers", "shows", "together")

    def __init__(self, name: str) -> None:
        modules = _known_by(name)
        known_as = name
        if not modules and name.startswith("python"):
            known_as = "python"
            modules = _known_by(known_as)
        self.coded = name.startswith(_INTERPRETERS)
        self.together = name in _TOGETHER
        self.shows = name in _SHOWS
        self.dumps = name in _DUMPS
        self.readers: list[Reader] = [_loaded(module).OF[known_as] for module in modules]
        if not self.coded and name == "xargs":
            self.readers.append(lambda made: () if made.redirects else _loaded("read").piped_names(made))


def of_command(made: Simple) -> list[Deed]:
    """What `made` would do, as far as the modules of PROGRAMS know it."""
    known = _known.get(made.name) or _known_as(made.name)
    found: list[Deed] = []
    for reader in known.readers:
        found += reader(made)
    if made.redirects or known.coded:
        found += _loaded("read").of_input(made)
    return found


def _known_as(name: str) -> Known:
    if len(_known) > _MANY:
        _known.clear()
    known = _known[name] = Known(name)
    return known


def _known_by(name: str) -> tuple[str, ...]:
    """The modules that know the program `name`. Looked for in the texts: a table of all costs a process its start."""
    return tuple(module for module, names in PROGRAMS.items() if f" {name} " in f" {names} " and " " not in name)


def of_line(commands: Sequence[Simple], text: str) -> list[Deed]:
    """What the commands of one line do together."""
    coded = together = shows = dumps = False
    for made in commands:
        known = _known.get(made.name) or _known_as(made.name)
        coded = coded or known.coded
        together = together or known.together
        shows = shows or known.shows
        dumps = dumps or known.dumps
    found: list[Deed] = []
    if coded or together:
        found += _loaded("exfil").of_line(commands, text)
    if coded or dumps or (shows and ("$" in text or "|" in text)):
        found += _loaded("reveal").of_variables(commands, text)
    if ("$(" in text or "`" in text) and len(commands) > 1:
        found += _loaded("read").of_line(commands)
    if coded or "claude" in text:
        found += _loaded("guard").of_line(commands, text)
    return found


def _loaded(module: str) -> Any:
    name = "levaithan.hot.deeds_" + module
    found = sys.modules.get(name)
    if found is None:
        __import__(name)
        found = sys.modules[name]
    return found
