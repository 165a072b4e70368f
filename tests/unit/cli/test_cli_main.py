"""The promises that every command shares: cheap start, exit codes, errors in words or JSON, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from levaithan.cli.commands import COMMANDS
from levaithan.cli.main import _home_first, load, wants_json

HEAVY = (
    "pydantic",
    "sqlalchemy",
    "alembic",
    "sqlite3",
    "rich",
    "orjson",
    "uvloop",
    "asyncio",
    "cryptography",
    "psycopg",
)


def test_the_help_names_every_command_and_loads_nothing_heavy(cli: Any) -> None:
    done = cli("--help")
    assert [name for name in COMMANDS if f"\n  {name} " not in done.stdout] == []
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules)))\n"
        "from levaithan.cli.main import run\nrun(['--help'])"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stderr == "" and "Commands:" in seen.stdout
    assert not any(f"levaithan.cli.{name}" in seen.stderr for name in COMMANDS)


def test_a_command_with_options_loads_no_pydantic(cli: Any) -> None:
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules)))\n"
        "from levaithan.cli.main import run\nrun(['--home', sys.argv[1], 'version', '--json'])"
    )
    seen = subprocess.run([sys.executable, "-c", code, str(cli.home)], capture_output=True, text=True, check=True)
    assert seen.stderr == "" and json.loads(seen.stdout)["ok"] is True


@pytest.mark.parametrize("name", COMMANDS)
def test_every_named_command_is_there_and_has_help(name: str) -> None:
    command = load(name)
    assert command.name == name and command.help
    for below in getattr(command, "commands", {}).values():
        assert below.help, f"{name} {below.name}"
        assert all(param.help for param in below.params if param.param_type_name == "option"), f"{name} {below.name}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], "There is no command 'nothing'"),
        (["audti"], "did you mean `levaithan audit`"),
        (["config", "show", "--bad"], "--bad"),
        (["config", "show", "--format", "xml"], "table, json, jsonl, csv"),
    ],
)
def test_a_wrong_command_line_is_exit_2_with_a_next_step(cli: Any, words: list[str], told: str) -> None:
    done = cli(*words, code=2)
    assert told in done.stderr and "next:" in done.stderr and done.stdout == ""


def test_no_command_shows_the_help(cli: Any) -> None:
    code = "from levaithan.cli.main import run; run([])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=cli.env)
    assert done.returncode == 2 and "Commands:" in done.stderr and done.stdout == ""
    assert "Missing command" in cli(code=2).stderr


def test_errors_in_json_come_on_stdout_with_their_exit_code(cli: Any) -> None:
    answer = json.loads(cli("config", "show", "--json", "--bad", code=2).stdout)
    assert answer["ok"] is False and set(answer["error"]) == {"code", "message", "fix"}
    answer = json.loads(cli("config", "show", "--json", "--format", "csv", code=2).stdout)
    assert "contradict" in answer["error"]["message"]
    (cli.home / ".env").write_text("LEVAITHAN_FSYNC=sometimes\n")
    answer = json.loads(cli("config", "show", "--format", "json", code=4).stdout)
    assert answer["error"]["code"] == "not_configured" and "always, interval, never" in answer["error"]["message"]


def test_the_home_may_be_named_anywhere_but_after_two_dashes() -> None:
    assert _home_first(["audit", "list", "--home", "x", "--json"]) == ["--home", "x", "audit", "list", "--json"]
    assert _home_first(["audit", "--home=x"]) == ["--home=x", "audit"]
    assert _home_first(["bench", "--", "--home", "x"]) == ["bench", "--", "--home", "x"]


def test_json_is_recognised_before_the_command_line_is_parsed() -> None:
    assert wants_json(["a", "--json"]) and wants_json(["--format", "jsonl"]) and wants_json(["--format=json"])
    assert not wants_json(["a", "--", "--json"]) and not wants_json([]) and not wants_json(["--format", "csv"])


def test_an_unexpected_error_is_logged_and_told_in_one_line(cli: Any) -> None:
    code = (
        "import sys; from levaithan.cli import output, main\n"
        "def broken(*a, **k): raise RuntimeError('boom with AKIA' + 'IOSFODNN7EXAMPLE')\n"
        "output.envelope = broken\nmain.run(['--home', sys.argv[1], 'version', '--json'])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(cli.home)], capture_output=True, text=True, check=False)
    log = cli.home / "logs/cli-errors.log"
    answer = json.loads(done.stdout)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "RuntimeError" in answer["error"]["message"] and str(log) in answer["error"]["fix"]
    assert "Traceback" in log.read_text() and "AKIA" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_debug_shows_the_traceback(cli: Any) -> None:
    code = "import sys; from levaithan.cli.main import run; run(['--home', sys.argv[1], 'config', 'show', '--bad'])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(cli.home)],
        capture_output=True, text=True, check=False, env=cli.env | {"LEVAITHAN_DEBUG": "1"},
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" in done.stderr


def test_a_reader_that_goes_away_is_no_error(cli: Any) -> None:
    script = f"{sys.executable} -c 'from levaithan.cli.main import run; run()' --home {cli.home} config template"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script} | true"], capture_output=True, text=True, env=cli.env, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_words_go_to_stderr_and_colours_only_to_a_terminal(cli: Any) -> None:
    done = cli("config", "show")
    assert "\x1b" not in done.stdout and done.stderr == "" and done.stdout.startswith("SETTING")


def test_completion_offers_the_commands(cli: Any) -> None:
    env = {"_LEVAITHAN_COMPLETE": "complete_bash", "COMP_WORDS": "levaithan se", "COMP_CWORD": "1"}
    code = "import sys; sys.argv=['levaithan']; from levaithan.cli.main import run; run()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=cli.env | env, check=False)
    assert done.stdout.split() == ["setup", "serve", "service", "session"]


def test_every_format_of_a_read(cli: Any) -> None:
    assert cli("config", "show", "--format", "csv").stdout.startswith("setting,value,origin\nhome,")
    lines = cli("config", "show", "--format", "jsonl").stdout.splitlines()
    assert json.loads(lines[1])["setting"] == "fsync" and len(lines) == len(cli.rows("config", "show"))


def test_bench_says_when_there_is_no_checkout(cli: Any, tmp_path: Path) -> None:
    code = (
        "import sys; from levaithan.hot import paths; paths.source_folder = lambda: sys.argv[1]\n"
        "from levaithan.cli.main import run; run(['bench'])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 4 and "clone the repository" in done.stderr


def test_a_command_that_cannot_be_loaded_is_logged_in_the_home_that_was_named(cli: Any) -> None:
    code = (
        "import sys; from levaithan.cli import commands, main\n"
        "commands.COMMANDS['version'] = ('levaithan.cli.no_such_module', 'x')\n"
        "main.run(['version', '--home', sys.argv[1]])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(cli.home)], capture_output=True, text=True, check=False)
    log = cli.home / "logs/cli-errors.log"
    assert done.returncode == 1 and str(log) in done.stderr and "no_such_module" in log.read_text()


def test_a_question_that_was_given_up_does_not_abort_the_process_at_its_end() -> None:
    """Native code in a thread calls abort() while the interpreter winds up; the answer is out by then."""
    code = (
        "import atexit, threading, time\nfrom levaithan.cli import main, output\n"
        "atexit.register(lambda: print('wound up'))\n"
        "def guarded(arguments):\n"
        "    for name in arguments: threading.Thread(target=time.sleep, args=(60,), name=name, daemon=True).start()\n"
        "    output.out('the draft')\n    return 5\n"
        "main._guarded = guarded\nmain.run(['%s'])\n"
    )
    for name, printed in (("evidence-memory", "the draft\n"), ("another", "the draft\nwound up\n")):
        done = subprocess.run(
            [sys.executable, "-c", code % name], capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stdout) == (5, printed)
