"""The commands by name: what `levaithan --help` shows without loading any of them.

A new command is one file with a Typer called `app`, and one line here. Imports nothing.
"""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "setup": ("levaithan.cli.setup:setup", "Set this home up and run the main job once in a demo project."),
    "uninstall": ("levaithan.cli.setup:uninstall", "Take every hook out again and stop the service."),
    "doctor": ("levaithan.cli.doctor:doctor", "Prove that the hooks guard and record; --fix mends what it can."),
    "status": ("levaithan.cli.status:status", "How the service, the journal, the hooks and the halts are."),
    "serve": ("levaithan.cli.service:serve", "Run the service in the foreground."),
    "start": ("levaithan.cli.service:start", "Start the service in the background."),
    "stop": ("levaithan.cli.service:stop", "Stop the service; hooks go on without it."),
    "restart": ("levaithan.cli.service:restart", "Stop the service and start it again."),
    "service": ("levaithan.cli.service", "Start the service at login: install | uninstall."),
    "hooks": ("levaithan.cli.hooks", "The hooks of a project: install | uninstall | list | validate | run."),
    "audit": (
        "levaithan.cli.audit",
        "What was decided: list | show | tail | search | histogram | top | patterns | export.",
    ),
    "session": ("levaithan.cli.session", "The sessions and their agents: list | show."),
    "journal": (
        "levaithan.cli.journal",
        "The record itself: verify | path | repair | rebuild | dead-letters | replay.",
    ),
    "graph": ("levaithan.cli.graph", "Who touched what: touched | changes | blast | path | similar | kinds."),
    "memory": ("levaithan.cli.memory", "What was asked and came of it: search | show | add | forget."),
    "alerts": ("levaithan.cli.alerts", "What is watched, and what fires now: list | check | compile."),
    "store": ("levaithan.cli.store", "The five stores: status | check | migrate | rebuild | lag | compare."),
    "incident": (
        "levaithan.cli.incident",
        "What is wrong: list | show | open | ack | mitigate | resolve | draft | review | close.",
    ),
    "halt": ("levaithan.cli.halt", "Stop agents: set | list | release."),
    "restraint": ("levaithan.cli.restraint", "Hold agents, short of a halt: set | list | release."),
    "action": ("levaithan.cli.action", "What was done, and undoing it: list | show | run | undo | alert | seen."),
    "mode": ("levaithan.cli.mode", "What is switched off: show | set."),
    "approval": ("levaithan.cli.approval", "What agents asked for: list | show | approve | deny."),
    "budget": ("levaithan.cli.budget", "What may be spent: set | show | freeze | unfreeze | remove."),
    "charter": ("levaithan.cli.charter", "What people laid down: show | validate."),
    "cost": ("levaithan.cli.cost", "What sessions cost: report | forecast | check | prices."),
    "metrics": ("levaithan.cli.metrics", "The figures: show | textfile | push."),
    "lease": ("levaithan.cli.lease", "Who holds which file: list | release."),
    "policy": ("levaithan.cli.policy", "The rules: list | test | explain | packs | backtest."),
    "config": ("levaithan.cli.config", "The settings: show | template."),
    "bench": ("levaithan.cli.bench:bench", "Measure this checkout against its targets."),
    "version": ("levaithan.cli.version:version", "The version of LevAIthan."),
}
"""name -> (module, or module:function for a command of its own; one line of help)"""
