#!/usr/bin/env bash
# Sets LevAIthan up in this clone and runs its main job once, in a scratch project. Needs Python 3.11 or later, nothing
# else. Registers hooks nowhere, unless it is told to. Twice is no change.
set -euo pipefail

usage() {
    cat <<'END'
usage: ./setup.sh [--project DIR]... [--user] [--local] [--yes] [--no-start]

Makes .venv and installs LevAIthan into it, builds the hook client, writes .env, makes the signing key, starts the
service, and shows the main job once: a recorded session through hooks in a scratch project, and its audit.

  --project DIR  also register the hooks in this project (DIR/.claude/settings.json); may be given several times
  --user         also register them in your own settings: every project
  --local        with --project: in settings.local.json, which is not committed
  --yes          ask nothing (so it is, too, when the input is not a terminal)
  --no-start     do not start the service; hooks work without it, slower

Settings: PYTHON (the interpreter to use), LEVAITHAN_HOME (another home than .claude of this clone).
END
}

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "error: $1"
    say "  next: $2"
    exit 1
}

arguments=()
yes=
for word in "$@"; do
    case $word in
        -h | --help)
            usage
            exit 0
            ;;
        --no-start) word=--no-service ;;
        -y | --yes) yes=yes ;;
    esac
    arguments+=("$word")
done
# Nobody at a terminal to ask: what is done here stays in the clone, and hooks go only where the arguments say.
[ -n "$yes" ] || [ -t 0 ] || arguments=(--yes ${arguments[@]+"${arguments[@]}"})

case $(uname -s) in
    Linux | Darwin) ;;
    *) fail "this system ($(uname -s)) is not supported" "on Windows, run it inside WSL" ;;
esac

top=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
venv=$top/.venv
stamp=$venv/.levaithan-setup
lock=$top/.claude/state/setup.lock

can_run() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local name folder
    if [ -n "${PYTHON:-}" ]; then
        can_run "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11 or later with venv" "name another, or unset PYTHON"
        command -v "$PYTHON"
        return
    fi
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        for folder in '' /usr/local/bin/ /opt/homebrew/bin/ /usr/bin/; do
            if can_run "$folder$name"; then
                command -v "$folder$name"
                return
            fi
        done
    done
    fail "no Python 3.11 or later with venv was found" \
        "install one (Debian: apt install python3 python3-venv; macOS: brew install python), or name it in PYTHON"
}

# The value of a setting, from the environment or .env.
set_to() {
    local value=${!1:-}
    [ -n "$value" ] || value=$(sed -n "s/^ *\(export \)\{0,1\}$1\(_FILE\)\{0,1\}=//p" "$top/.env" 2>/dev/null | tail -n 1)
    printf '%s' "$value"
}

# The drivers of the stores whose URLs are set, the language model where it is wanted, what sends metrics and what asks
# the Claude API where these are set, as extras of pyproject.toml.
extras() {
    local found='' pair
    for pair in LEDGER:postgres SEARCH:elasticsearch GRAPH:helix MEMORY:weaviate COUNTERS:redis; do
        case $(set_to "LEVAITHAN_${pair%%:*}_URL") in '' | sqlite:*) ;; *) found=$found,${pair#*:} ;; esac
    done
    case $(set_to LEVAITHAN_MEMORY_MODEL) in *[mM][iI][nN][iI][lL][mM]*) found=$found,memory ;; esac
    [ -z "$(set_to LEVAITHAN_OTEL_ENDPOINT)" ] || found=$found,otel
    [ -z "$(set_to LEVAITHAN_CLAUDE_API_KEY)" ] || found=$found,claude
    printf '%s' "${found#,}"
}

# What .venv was made for: another place, Python, list of dependencies or choice of stores means installing again.
wanted() {
    "$venv/bin/python" -c 'import sys; print(sys.version_info[:3])' &&
        printf '%s\n%s\n' "$top" "$(extras)" && cksum <"$top/pyproject.toml"
}

# Whether .venv still has each package that it was made with: one may have been taken out by hand.
has_all() {
    "$venv/bin/python" - "$(extras)" 2>/dev/null <<'END'
import re
import sys
from importlib import metadata

import levaithan

for line in metadata.requires("levaithan"):
    extra = re.search(r"""extra == ['"](\w+)""", line)
    if extra[1] in sys.argv[1].split(",") if extra else ";" not in line:
        metadata.version(re.match(r"[\w.-]+", line)[0])
END
}

is_installed() {
    [ -x "$venv/bin/levaithan" ] && has_all &&
        [ "$(cat "$stamp" 2>/dev/null || true)" = "$(wanted)" ]
}

# One setup of a clone at a time; a lock whose owner is gone is taken over.
take_lock() {
    local told='' waited=0
    (umask 077 && mkdir -p "$top/.claude/state") || fail "$top cannot be written" "see that the clone is yours"
    until mkdir "$lock" 2>/dev/null; do
        [ -w "$top/.claude/state" ] || fail "$top/.claude/state cannot be written" "see that the clone is yours"
        if [ -f "$lock/pid" ] && ! kill -0 "$(cat "$lock/pid")" 2>/dev/null ||
            [ ! -f "$lock/pid" ] && [ "$waited" -ge 5 ]; then
            rm -rf "$lock"
            continue
        fi
        [ -n "$told" ] || say "waiting for another setup of this clone"
        told=yes
        waited=$((waited + 1))
        sleep 1
    done
    printf '%s\n' "$$" >"$lock/pid"
    trap 'rm -rf "$lock"' EXIT
    trap 'exit 130' INT TERM
}

install_into_venv() {
    local python log what chosen
    if ! can_run "$venv/bin/python"; then
        python=$(find_python)
        say "making .venv with $python"
        "$python" -m venv --clear "$venv" || fail "$python could not make $venv" "see that the disk has room, and that python3-venv is installed"
    fi
    say "installing LevAIthan and what it needs into .venv (half a minute)"
    log=$venv/setup.log
    chosen=$(extras)
    what=$top${chosen:+[$chosen]}
    if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --editable "$what" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "pip could not install it (the whole log: $log)" \
            "see that the package index can be reached (behind a proxy: set HTTPS_PROXY or PIP_INDEX_URL), then run ./setup.sh again"
    fi
    wanted >"$stamp"
}

if ! is_installed; then
    take_lock
    is_installed || install_into_venv
    rm -rf "$lock"
    trap - EXIT INT TERM
fi

export LEVAITHAN_HOME=${LEVAITHAN_HOME:-$top/.claude}
exec "$venv/bin/levaithan" setup ${arguments[@]+"${arguments[@]}"}
