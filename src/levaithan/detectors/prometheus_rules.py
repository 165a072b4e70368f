"""Writes the rules as Prometheus' files: one of recording rules, one of alerts, in one group each that matter to it.

`levaithan alerts compile` runs it; deploy/prometheus/rules holds what it makes of the rules as delivered (a test
compares). Written by hand and not by a YAML library: the order, the comments and the quoting are part of the file, and
all texts are JSON strings, which YAML reads as they are.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.detectors.durations import promql
from levaithan.detectors.expression import Both, Node, Recorded, text, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.detectors.rules import Rule, Rules

NAME = "levaithan.yml"
INTERVAL_S = 15
_HEAD = """\
# Made from src/levaithan/detectors/rules.toml by `levaithan alerts compile`; a test compares. Not edited here:
# thresholds are tuned in .claude/context/alerts.toml, and this file is made again.
"""
_PLACE = re.compile(r"\{(\w+)\}")
_WIDEST = 110
VALUE = '{{ $value | printf "%.4g" }}'


def compiled(rules: Rules) -> str:
    """The file for Prometheus, 2.42 or later. One group a detection, its recording rules before the alerts that read
    them: so they are of the same moment."""
    lines = [_HEAD + "groups:"]
    done: set[str] = set()
    for detection in dict.fromkeys(rule.detection for rule in rules.active):
        members = [rule for rule in rules.active if rule.detection == detection]
        records = _recorded(members)
        if shared := done & {one.name for one in records}:
            raise ValueError(f"two groups record {', '.join(sorted(shared))}")
        done |= {one.name for one in records}
        lines += [f"  - name: levaithan-{detection.replace('_', '-')}", f"    interval: {INTERVAL_S}s", "    rules:"]
        for one in records:
            lines += [f"      - record: {one.name}", *_expression(text(one.of))]
        for rule in members:
            lines += _alert(rule)
    return "\n".join(lines) + "\n"


def write(rules: Rules, folder: Path) -> Path:
    """Write the file into a folder, which is made; gives its path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / NAME
    made = target.with_name(f".{NAME}.new")
    made.write_text(compiled(rules), encoding="utf-8")
    made.replace(target)
    return target


def told(rule: Rule) -> dict[str, str]:
    """What an alert of this rule carries beside its labels: for people, and for the webhook."""
    return {
        "summary": _PLACE.sub(r"{{ $labels.\1 }}", rule.summary),
        "fix": rule.fix,
        "runbook_url": rule.runbook,
        "value": VALUE,
    }


def _recorded(members: list[Rule]) -> list[Recorded]:
    found: dict[str, Recorded] = {}
    for rule in members:
        for node in walk(rule.expression):
            if isinstance(node, Recorded):
                found.setdefault(node.name, node)
    return sorted(found.values(), key=lambda one: one.name)


def _alert(rule: Rule) -> Iterator[str]:
    yield f"      - alert: {rule.alert}"
    yield from _expression(*_broken(rule.guarded))
    if rule.for_s:
        yield f"        for: {promql(rule.for_s)}"
    if rule.keep_s:
        yield f"        keep_firing_for: {promql(rule.keep_s)}"
    yield f"        labels: {{ severity: {rule.severity}, detection: {rule.detection} }}"
    yield "        annotations:"
    for name, value in told(rule).items():
        yield f"          {name}: {json.dumps(value, ensure_ascii=False)}"


def _expression(*lines: str) -> Iterator[str]:
    if len(lines) == 1:
        yield f"        expr: {json.dumps(lines[0])}"
        return
    yield "        expr: |-"
    for line in lines:
        yield f"          {line}"


def _broken(node: Node) -> list[str]:
    """An expression in lines: one for each condition, where it is too wide for one."""
    whole = text(node)
    if len(whole) <= _WIDEST or not isinstance(node, Both) or node.operator not in ("and", "or", "unless"):
        return [whole]
    matching = "" if node.on is None else f" on ({', '.join(node.on)})"
    left = _broken(node.left)
    if isinstance(node.left, Both):
        left = [f"({left[0]}", *left[1:-1], f"{left[-1]})"] if len(left) > 1 else [f"({left[0]})"]
    right = f"({text(node.right)})" if isinstance(node.right, Both) else text(node.right)
    return [*left, f"{node.operator}{matching} {right}"]
