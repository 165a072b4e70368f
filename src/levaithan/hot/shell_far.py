"""Commands that are handed to another machine or into a container: ssh, docker exec, kubectl exec and their kin.

Which folder they run in is not known there, and what they delete is as gone as here. Part of shell_wrap.py, which loads
it when one of its programs is run. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.shell_options import operands_on, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.shell import Simple

_SSH = "bcDEeFIiJLlmOoPpQRSWw"
_GLOBAL = "Hcl host context config log-level tlscacert tlscert tlskey connection url identity"
_RUN = (
    "avepuwlhmc add-host annotation blkio-weight cap-add cap-drop cgroup-parent cgroupns cidfile cpu-shares cpus "
    "cpuset-cpus device dns entrypoint env env-file expose gpus group-add health-cmd hostname init-path ip ipc label "
    "label-file link log-driver log-opt mac-address memory memory-swap mount name net network network-alias "
    "oom-score-adj pid pids-limit platform publish pull restart runtime security-opt shm-size stop-signal "
    "stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir detach-keys"
)
_COMPOSE = "fp file project-name project-directory profile env-file ansi parallel progress"
_KUBE = (
    "nscflo namespace context cluster kubeconfig user server token as as-group request-timeout "
    "container filename image "
    "pod-running-timeout restart overrides labels env"
)


def inner(made: Simple) -> list[str] | str | None:
    """What `made` runs elsewhere: words, a command line, or None."""
    found = _OF[made.name](made.words)
    return found or None


def _ssh(words: list[str]) -> str:
    """ssh [options] HOST COMMAND...: the other side's shell gets the words joined by blanks."""
    rest = operands_on(words, _SSH)[1:]
    while rest and rest[0][:1] == "-":  # options may follow the host
        rest = operands_on(["ssh", *rest], _SSH)
    return " ".join(rest)


def _docker(words: list[str]) -> list[str]:
    rest = operands_on(words, _GLOBAL)
    if rest[:1] == ["container"]:
        rest = rest[1:]
    if rest[:1] == ["compose"]:
        return _compose(rest)
    if rest[:1] == ["exec"]:
        return operands_on(rest, "ewu env env-file workdir user detach-keys")[1:]
    if rest[:1] in (["run"], ["create"]):
        start = value_of(rest, "", "--entrypoint")
        given = operands_on(rest, _RUN)[1:]
        return [start, *given] if start else given
    return []


def _compose(words: list[str]) -> list[str]:
    rest = operands_on(words, _COMPOSE)
    if rest[:1] == ["exec"]:
        return operands_on(rest, "ewu env workdir user index")[1:]
    if rest[:1] == ["run"]:
        return operands_on(rest, "evpuwl env env-from-file volume publish user workdir entrypoint name label")[1:]
    return []


def _kubectl(words: list[str]) -> list[str]:
    """kubectl exec POD -- COMMAND, kubectl run NAME --image=X -- COMMAND, kubectl debug."""
    rest = operands_on(words, _KUBE)
    if rest[:1] not in (["exec"], ["run"], ["debug"]):
        return []
    if "--" in rest:
        return rest[rest.index("--") + 1 :]
    return operands_on(rest, _KUBE)[1:] if rest[0] == "exec" else []


def _text_option(letter: str, long: str) -> Callable[[list[str]], str]:
    return lambda words: value_of(words, letter, long) or ""


def _ansible(words: list[str]) -> str:
    """ansible HOSTS -m shell -a COMMAND; without -m the module is `command`."""
    module = value_of(words, "m", "--module-name") or "command"
    return (value_of(words, "a", "--args") or "") if module.rpartition(".")[2] in ("shell", "command", "raw") else ""


def _editor(words: list[str]) -> str:
    """vim -c '!COMMAND', vim +'!COMMAND'."""
    given = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-c", "--cmd")]
    given += [word[1:] for word in words[1:] if word[:1] == "+"]
    return "\n".join(text.partition("!")[2] for text in given if "!" in text)


def _after_dashes(words: list[str]) -> list[str]:
    """nix-shell and its kin: what stands behind `--`."""
    return words[words.index("--") + 1 :] if "--" in words else []


_OF: dict[str, Callable[[list[str]], list[str] | str]] = {
    "ssh": _ssh,
    "autossh": _ssh,
    "mosh": _after_dashes,
    "docker": _docker,
    "podman": _docker,
    "nerdctl": _docker,
    "docker-compose": _compose,
    "podman-compose": _compose,
    "kubectl": _kubectl,
    "oc": _kubectl,
    "ansible": _ansible,
    "vagrant": _text_option("c", "--command"),
    "gcloud": _text_option("", "--command"),
    "nix-shell": _text_option("", "--run"),
    "nix": lambda words: words[words.index("-c") + 1 :] if "-c" in words else _after_dashes(words),
    "lxc": _after_dashes,
    "incus": _after_dashes,
    "pct": _after_dashes,
    "heroku": lambda words: _after_dashes(words) or (words[2:] if words[1:2] == ["run"] else []),
    "fly": _text_option("C", "--command"),
    "wsl": lambda words: _after_dashes(words) or (words[2:] if words[1:2] == ["-e"] else []),
    "systemd-run": lambda words: operands_on(words, "HMput property unit on-active on-calendar setenv uid gid slice"),
    "tmux": lambda words: words[-1] if words[1:2] and words[1] in ("new", "new-session", "new-window") else "",
    "mise": _after_dashes,
    "direnv": lambda words: words[3:] if words[1:2] == ["exec"] else [],
    "bundle": lambda words: words[2:] if words[1:2] == ["exec"] else [],
    "dotenv": _after_dashes,
    "op": lambda words: _after_dashes(words) if words[1:2] == ["run"] else [],
    "doppler": lambda words: _after_dashes(words) if words[1:2] == ["run"] else [],
    **dict.fromkeys(("vim", "vi", "nvim", "ex", "view"), _editor),
    "concurrently": lambda words: "\n".join(word for word in words[1:] if word[:1] != "-"),
}
PROGRAMS = frozenset(_OF)
HERE = frozenset(
    (
        "nix-shell",
        "nix",
        "systemd-run",
        "tmux",
        "mise",
        "direnv",
        "bundle",
        "dotenv",
        "op",
        "doppler",
        "vim",
        "vi",
        "nvim",
        "ex",
    )
)
"""Those that run on this machine, in this folder."""
