"""Programs that run another command or a file: data for shell_wrap.py and scripts.py. Imports nothing."""

from __future__ import annotations

WRAPPERS = {
    "sudo": "uUgpCcrthRDT user group prompt chdir host role type chroot command-timeout other-user close-from",
    "doas": "uCa",
    "env": "uCS unset chdir split-string block-signal default-signal ignore-signal",
    "nohup": "",
    "timeout": "ks kill-after signal",
    "command": "",
    "builtin": "",
    "exec": "a",
    "time": "fo format output",
    "nice": "n adjustment",
    "ionice": "cnp class classdata",
    "chrt": "pTPD",
    "taskset": "p",
    "setsid": "",
    "stdbuf": "ioe input output error",
    "busybox": "",
    "toybox": "",
    "unbuffer": "",
    "chronic": "",
    "caffeinate": "tw",
    "strace": "eopsuEPa",
    "ltrace": "eopsun",
    "xargs": "aEILnPsd arg-file delimiter eof replace max-lines max-args max-procs max-chars process-slot-var",
    "watch": "n interval",
    "flock": "wEc timeout wait conflict-exit-code",
    "proot": "rbwR",
    "chroot": "",
    "unshare": "",
    "nsenter": "tSG target setuid setgid",
    "uvx": "p from with python",
    "script": "",
    "pkexec": "u user",
    "runuser": "uglsG user group shell",
    "su": "gGlsw group shell whitelist-environment",
    **dict.fromkeys(
        "setpriv prlimit dbus-run-session catchsegv retry firejail torsocks torify systemd-inhibit setarch tini "
        "dumb-init gtime gtimeout genv gnice gstdbuf heaptrack linux64 rlwrap systemd-cat choom with-contenv".split(),
        "",
    ),
    **dict.fromkeys(("proxychains", "proxychains4"), "f"),
    "cgexec": "g",
    "numactl": "NmCp",
    "faketime": "f",
    "gosu": "",
    "su-exec": "",
    "xvfb-run": "enfsp",
    "valgrind": "",
    "sem": "j id",
    "cpulimit": "lpe",
    "trickle": "sud",
    "aws-vault": "d duration",
    "chamber": "",
    "envchain": "",
    "flatpak-spawn": "",
    "noglob": "",
    "nocorrect": "",
}
"""Wrapper -> its options that take a value (single letters glued in the first word, then long names)."""

RUNNERS = frozenset(("uv", "poetry", "pipenv", "hatch", "pdm", "rye", "pixi", "pipx"))
RUNNER_VALUES = "pC with extra group only-group python project directory index from env-file spec"
OWN_SCRIPTS = ("levaithan", "system-cli.sh", "setup.sh", "levaithan-hook")
_FAR = (
    "ssh autossh mosh docker podman nerdctl docker-compose podman-compose kubectl oc vagrant gcloud nix-shell nix lxc "
)
_FAR += "incus pct heroku fly wsl systemd-run tmux mise direnv bundle dotenv op doppler vim vi nvim ex view ansible"
_FAR += " concurrently"
ELSEWHERE = frozenset(_FAR.split(" "))
"""What shell_far.py knows; a test compares."""

_RSH = ("-e", "--rsh", "--rsync-path")
BINS: tuple[str, ...] = ("prisma", "sequelize", "typeorm", "knex", "rimraf", "drizzle-kit", "mikro-orm", "wrangler")
BINS += ("vercel", "cdk", "sst", "serverless", "sls", "supabase", "firebase", "netlify", "ts-node", "tsx")
"""What yarn and pnpm start by its bare name."""
_ALWAYS = (
    "screen entr gdb hyperfine perf powershell powershell.exe pwsh cmd cmd.exe Remove-Item remove-item ri del erase rd "
)
_ALWAYS += "diskpart pdsh clush pssh parallel-ssh dsh mussh fab orgalorg npx pnpx bunx sed gsed"
STARTS: dict[str, tuple[str, ...]] = {
    "find": ("-exec", "-ok"),
    "git": ("foreach", "run", "--exec", "-x"),
    **dict.fromkeys(("tar", "gtar", "bsdtar"), ("-I", "--checkpoint-action", "--to-command", "--use-compress-program")),
    "rsync": _RSH,
    "zip": ("-TT", "--unzip-command"),
    **dict.fromkeys(("fd", "fdfind"), ("-x", "-X", "--exec", "--exec-batch")),
    **dict.fromkeys(("make", "gmake"), ("-f", "--file")),
    **dict.fromkeys(("npm", "bun"), ("exec", "x")),
    **dict.fromkeys(("pnpm", "yarn"), ("exec", "dlx", *BINS)),
    "just": ("--command", "-c"),
    "tmux": ("send-keys", "send"),
    **dict.fromkeys(_ALWAYS.split(), ("",)),
    "rmdir": ("/",),
    "salt": ("cmd.run",),
    "aws": ("send-command",),
}
"""What shell_starts.py knows, with what a word begins with that says that a command to start is named."""


def starts_inside(words: list[str], name: str) -> bool:
    """Whether `words`, a call of the program `name`, could start a command that stands in them."""
    marks = STARTS.get(name)
    if marks is None or len(words) < 2:
        return False
    for word in words:  # noqa: SIM110 - a generator costs more than the loop
        if word.startswith(marks):
            return True
    return False


CONSOLES = frozenset("manage.py artisan console rails rake ace alembic flask django magento".split())
"""Programs in a language's file that are known by their own names: python manage.py, php artisan, python -m alembic."""

MAKES = frozenset(("make", "gmake", "just"))
PACKAGERS = frozenset(("npm", "pnpm", "yarn", "bun"))
PROGRAMS_OF_FILES = frozenset(("deno", "bun", "tsx", "ts-node", "php", "Rscript", "lua", "osascript"))
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "rbash", "mksh", "source", "."))
_RUNS_FILES = _SHELLS | MAKES | PACKAGERS | PROGRAMS_OF_FILES
_LANGUAGES = ("python", "ipython", "pypy", "node", "perl", "ruby", "lua", "php")
SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib", "/opt/", "/System/", "/nix/", "/snap/", "/proc/", "/dev/")
"""Where the programs of the system are, which nobody reads before they run."""


def may_run_file(word: str, name: str) -> bool:
    """Whether the command `word` (its program's `name`) could run a file of ours: cheap, asked of every command."""
    return name in _RUNS_FILES or name.startswith(_LANGUAGES) or ("/" in word and not word.startswith(SYSTEM))
