"""Runs one atomic hook by itself: what Claude Code would get if that hook were all there is.

For people who write or debug hooks: `python3 .claude/hooks/<name>.py < event.json`. Standard library only.
"""

from __future__ import annotations

import os
import sys

from levaithan.hot import contract, hotconf, paths, plain_json
from levaithan.hot.bounded import encode
from levaithan.hot.event import parse
from levaithan.hot.gate import machine_id
from levaithan.hot.hook_file import Hook, say
from levaithan.hot.shot import read_stdin
from levaithan.hot.timelimit import TimeLimit
from levaithan.hot.wire import ENVIRONMENT
from levaithan.hot.workflow import Context, Flow, Outcome, Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def run(file: str, function: Callable[..., Any], part: str = "checks") -> None:
    """Run `function`, the hook of `file`, on the event on stdin, write the answer and exit with 0 or 2.

    `part` is the hook's place in a workflow: "checks", "reserves", "observers" or "record". A record hook answers
    nothing, as in a workflow; its record is shown on stderr. The home is `--home H`, else the one the file lies in.
    """
    path = os.path.realpath(file)
    home = paths.home_at(_home(sys.argv[1:]) or os.path.dirname(os.path.dirname(path)))
    conf = hotconf.read(home.hot_conf)
    header = {key: os.environ[name] for key, name in ENVIRONMENT.items() if os.environ.get(name)}
    raw, total = read_stdin(conf.max_stdin_bytes)
    if total > len(raw):
        header["truncated"] = str(total)
    event = parse(header, raw)
    context = Context(home, conf, plain_json.loads, plain_json.dumps, machine_id(home))
    context.now_us = event.received_ns // 1000
    hook = Hook(os.path.basename(path).removesuffix(".py"), path)
    hook.function = function
    outcome = (
        Outcome(contract.bad_input(event)) if event.problem else _run(hook, part, event, context, conf.deadline_ms)
    )
    if part == "record":
        record = function(event, outcome, context)
        os.write(2, encode(record, plain_json.dumps, len(raw), conf.max_record_bytes) + b"\n")
    answer = contract.render(event.name, outcome.decision)
    os.write(1, answer.stdout)
    os.write(2, answer.stderr)
    for entry in outcome.hooks:
        if "error" in entry:
            os.write(2, f"{entry['hook']} failed: {entry['error']}\n".encode("utf-8", "backslashreplace"))
    sys.exit(answer.exit_code)


def _run(hook: Hook, part: str, event: contract.Event, context: Context, deadline_ms: int) -> Outcome:
    limit = TimeLimit()
    runner = Runner(event, context, limit)
    parts: dict[str, list[Hook]] = {"checks": [], "reserves": [], "observers": [], "record": []}
    parts[part].append(hook)
    limit.begin(deadline_ms / 1000)
    try:
        return runner.run(Flow(parts))
    except BaseException as error:
        if event.guard:
            runner.refuse(hook.name, say(error, hook.path))
        return runner.outcome
    finally:
        limit.end()


def _home(arguments: list[str]) -> str | None:
    for place, argument in enumerate(arguments):
        if argument == "--home":
            return arguments[place + 1] if place + 1 < len(arguments) else None
        if argument.startswith("--home="):
            return argument[7:]
    return None
