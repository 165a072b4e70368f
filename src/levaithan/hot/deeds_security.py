"""What takes the machine's own guards down: firewall, mandatory access control, audit, quarantine, kernel defences.

Part of deeds.py, which loads it when one of its programs is run. Standard library only.
"""

from __future__ import annotations

import re

from levaithan.hot.deeds_privilege import of, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.deed import Deed
    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]

_GUARDS = re.compile(
    r"\b(?:firewalld|ufw|iptables|nftables|auditd|apparmor|fail2ban|selinux|crowdsec|falco|ossec|wazuh(?:-agent)?|clamav-\w+|"
    r"clamd|osqueryd|sysmon|falcon-sensor|mdatp|sshguard|aide\w*|rsyslog|syslog(?:-ng)?|systemd-journald|auditbeat|psad)\b"
)


def _firewall(made: Simple) -> Iterator[Deed]:
    """iptables, ip6tables, nft, ufw, firewall-cmd, pfctl: rules taken away, everything let in."""
    words = made.words
    given = set(words[1:])
    if made.name == "ufw":
        off = given & {"disable", "reset"}
    elif made.name == "nft":
        off = given & {"flush", "delete", "destroy"}
    elif made.name == "pfctl":
        off = given & {"-d", "-F", "-Fa"}
    elif made.name == "firewall-cmd":
        off = given & {"--panic-off", "--complete-reload"} or {word for word in given if word.startswith("--remove-")}
    else:
        off = given & {"-F", "--flush", "-X", "--delete-chain", "-D", "--delete", "-Z"}
        if given & {"-P", "--policy"}:
            off = {"-P"}
    if off and "--help" not in given:
        yield of("disable-security", made.name, made)


def _enforcement(made: Simple) -> Iterator[Deed]:
    """setenforce 0, aa-disable, auditctl -e 0, spctl --master-disable, csrutil disable, sysctl -w of guards."""
    given = set(made.words[1:])
    name, off = made.name, _OFF.get(made.name)
    if name == "sysctl":
        down = any(_WEAKER.match(word) for word in given)
    elif name == "xattr":
        down = any("com.apple.quarantine" in word for word in given) and bool(given & {"-d", "-c", "-dr", "-rd", "-cr"})
    elif name == "auditctl":
        down = "-D" in given or {"-e", "0"} <= given
    else:
        down = bool(given) if off is None else bool(given & off) or (name == "aa-teardown")
    if down and "--help" not in given:
        yield of("disable-security", name, made)


_OFF = {
    "setenforce": {"0", "Permissive", "permissive"},
    "spctl": {"--master-disable", "--global-disable", "--disable"},
    "csrutil": {"disable", "clear"},
    "fdesetup": {"disable"},
    "mdatp": {"disabled"},
    "defaults": {"LSQuarantine"},
    "aa-teardown": {""},
}
_WEAKER = re.compile(
    r"kernel\.(?:randomize_va_space|kptr_restrict|dmesg_restrict|yama\.ptrace_scope|unprivileged_bpf_disabled)=0|"
    r"kernel\.(?:core_pattern|modprobe)=|fs\.suid_dumpable=[12]|fs\.protected_\w+=0"
)


def _units(made: Simple) -> Iterator[Deed]:
    """systemctl, service: stopping what guards the machine."""
    given = set(made.words[1:])
    if given & {"stop", "disable", "mask", "kill"}:
        for word in made.words[1:]:
            if _GUARDS.match(word):
                yield of("disable-security", word, made)
                return


OF: dict[str, Reader] = rows(
    {
        "iptables ip6tables nft ufw firewall-cmd pfctl iptables-legacy iptables-nft": _firewall,
        "setenforce auditctl spctl csrutil fdesetup mdatp aa-disable aa-teardown aa-complain": _enforcement,
        "xattr sysctl defaults": _enforcement,
        "systemctl service": _units,
    }
)
