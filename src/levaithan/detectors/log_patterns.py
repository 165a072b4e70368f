"""Patterns of the log: which forms its lines have (Drain, by the library drain3), which are new, which come in a burst.

He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017. What a line says may
be an agent's text: secrets are taken out, lines are cut, numbers and names become blanks, and what is shown of one is
marked as a quotation. The miner's own way to be kept (jsonpickle, which makes any object that a file names) is not
used: templates are kept as texts, at most MOST of them. The only module that imports drain3, and only when a line
comes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.detectors.telling import said
from levaithan.hot.bounded import head
from levaithan.hot.redact import redact_text
from levaithan.metrics.log_lines import said_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from levaithan.detectors.rules import Rules
    from levaithan.detectors.signal import Signal

NEW, BURST = "NewLogPatterns", "LogBurst"
MOST = 300
MOST_LINES = 2_000
"""What one look takes of the log at most; the rest of a flood says nothing more."""
LONGEST_BYTES = 65_536
LONGEST_TEXT = 4_000
LONGEST_WORDS = 40
LONGEST_WORD = 100
LEARN_LINES = 200
LEARN_S = 3_600.0
NEW_S = 900.0
BURST_S = 300.0
BURST_TIMES = 10.0
_SHOWN = 120
_LOUD = ("warning", "error")
_PLAIN = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|(?<!\w)(?:/[\w.@~+-]+)+/?|\d+(?:[.:,]\d+)*")
_QUOTED = re.compile(r"'[^']{0,400}'|\"[^\"]{0,400}\"")
_BLANK = "<*>"


@dataclass
class Form:
    """A template's figures. recent: lines since `begun_s`; usual: lines in BURST_S before, smoothed, -1 = not yet."""

    first_s: float
    last_s: float
    lines: int = 0
    begun_s: float = 0.0
    recent: int = 0
    usual: float = -1.0
    fresh: bool = False
    loud: bool = False


class LogPatterns:
    """off(): True while the mode of the installation says that this is not to be done (degraded). born(level,
    component): is called for each form that is new."""

    name = "log_patterns"

    def __init__(
        self,
        rules: Rules,
        off: Callable[[], bool] = lambda: False,
        born: Callable[[str, str], object] = lambda _level, _component: None,
    ) -> None:
        self._rules = {one.alert: one for one in (rules.get(NEW), rules.get(BURST)) if one is not None and not one.off}
        self._off, self._born = off, born
        self._drain: Any = None
        self._forms: dict[int, Form] = {}
        self._made = 0
        self._lines = 0
        self._since_s = 0.0
        self.passed_over = 0

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """Nothing: the log is not the journal."""

    def read(self, lines: Iterable[bytes], at_s: float) -> None:
        """New lines of the service's log, read at `at_s`. Never raises for what is in them."""
        if not self._rules or self._off():
            return
        for number, line in enumerate(lines):
            if number >= MOST_LINES:
                self.passed_over += 1
                continue
            words, loud = worded(line)
            if words and self._add(words, at_s, loud=loud):
                self._born(*said_by(line[:LONGEST_BYTES]))

    def found(self, now_s: float) -> list[Signal]:
        """See telling.Detector."""
        if self._off() or self._drain is None:
            return []
        new = [key for key, form in self._forms.items() if form.fresh and 0 <= now_s - form.first_s < NEW_S]
        bursts = [key for key, form in self._forms.items() if self._bursts(form, now_s)]
        signals = []
        if NEW in self._rules and len(new) > (self._rules[NEW].threshold or 0):
            first = min(self._forms[key].first_s for key in new)
            more = f", and {len(new) - 1} more" if len(new) > 1 else ""
            lines = float(sum(self._forms[key].lines for key in new))
            signals.append(
                said(self._rules[NEW], started_s=first, at_s=now_s, more=NEW, value=lines,
                     detail=self._quoted(new[-1]) + more)
            )  # fmt: skip
        if bursts:
            worst = max(bursts, key=lambda key: self._forms[key].recent)
            form = self._forms[worst]
            signals.append(
                said(self._rules[BURST], started_s=form.begun_s, at_s=now_s, more=BURST, value=float(form.recent),
                     detail=self._quoted(worst))
            )  # fmt: skip
        return signals

    def dump(self) -> dict[str, Any]:
        """See telling.Detector: templates as texts, each with its figures."""
        forms = []
        for cluster in list(self._drain.clusters) if self._drain is not None else []:
            form = self._forms.get(cluster.cluster_id)
            if form is not None:
                forms.append([
                    list(cluster.log_template_tokens), form.first_s, form.last_s, form.lines, form.begun_s, form.recent,
                    form.usual, form.fresh, form.loud,
                ])  # fmt: skip
        return {"forms": forms, "lines": self._lines, "since_s": self._since_s}

    def load(self, state: dict[str, Any]) -> None:
        """See telling.Detector."""
        rows = list(state["forms"])[-MOST:]
        drain, forms = _miner(), {}
        for number, (tokens, first, last, lines, begun, recent, usual, fresh, loud) in enumerate(rows, 1):
            _plant(drain, [str(one)[:LONGEST_WORD] for one in tokens[:LONGEST_WORDS]], number)
            forms[number] = Form(
                float(first), float(last), int(lines), float(begun), int(recent), float(usual), bool(fresh), bool(loud)
            )
        self._drain, self._forms, self._made = drain, forms, len(rows)
        self._lines, self._since_s = int(state["lines"]), float(state["since_s"])

    def _add(self, words: str, at_s: float, *, loud: bool) -> bool:
        """Count a line; whether its form is new."""
        if self._drain is None:
            self._drain, self._since_s = _miner(), self._since_s or at_s
        if self._made > 4 * MOST:  # the tree keeps branches to templates that are gone
            self.load(self.dump())
        cluster, change = self._drain.add_log_message(words)
        self._lines += 1
        form = self._forms.get(cluster.cluster_id)
        if form is None:
            self._made += change == "cluster_created"
            learnt = self._lines > LEARN_LINES and at_s - self._since_s > LEARN_S
            form = self._forms[cluster.cluster_id] = Form(at_s, at_s, begun_s=at_s, fresh=learnt and loud)
            if len(self._forms) > MOST:
                kept = {one.cluster_id for one in self._drain.clusters}
                self._forms = {key: one for key, one in self._forms.items() if key in kept}
        form.loud = form.loud or loud
        form.lines += 1
        form.last_s = at_s
        self._pass(form, at_s)
        form.recent += 1
        return bool(change == "cluster_created")

    @staticmethod
    def _pass(form: Form, at_s: float) -> None:
        """Close the window when its time is over: what came in it becomes usual, slowly."""
        gone = at_s - form.begun_s
        if gone < 0 or gone >= BURST_S:
            windows = max(1.0, gone / BURST_S) if gone > 0 else 1.0
            rate = form.recent / windows
            form.usual = rate if form.usual < 0 else form.usual + (rate - form.usual) * min(1.0, 0.2 * windows)
            form.begun_s, form.recent = at_s, 0

    def _bursts(self, form: Form, now_s: float) -> bool:
        rule = self._rules.get(BURST)
        if rule is None or form.usual < 0 or not 0 <= now_s - form.begun_s < 2 * BURST_S:
            return False
        return form.recent >= (rule.threshold or 0) and form.recent > BURST_TIMES * max(form.usual, 1.0)

    def _quoted(self, key: int) -> str:
        """A template for people: that it is a quotation, on one line, bounded."""
        cluster = next((one for one in self._drain.clusters if one.cluster_id == key), None)
        words = "" if cluster is None else cluster.get_template()
        plain = "".join(char if char.isprintable() else " " for char in words)
        return f"(quoted from the log, not ours) «{head(plain, _SHOWN)}»"


def worded(line: bytes) -> tuple[str, bool]:
    """What a line says with numbers, names and texts in quotes blanked, and whether it is a warning or an error."""
    cut = line[:LONGEST_BYTES]
    level, text = "error", ""
    try:
        told = orjson.loads(cut)
        level, text = (
            str(told.get("level")),
            f"{told.get('event', '')} {told.get('problem') or told.get('error') or ''}",
        )
    except (ValueError, AttributeError):  # cut off, or no line of ours
        text = cut.decode("utf-8", "replace")
    clean, _count = redact_text(head(text, LONGEST_TEXT))
    plain = _PLAIN.sub(_BLANK, _QUOTED.sub(_BLANK, clean))
    return " ".join(word[:LONGEST_WORD] for word in plain.split()[:LONGEST_WORDS]), level in _LOUD


def _miner() -> Any:
    from drain3.drain import Drain  # noqa: PLC0415 - 100 ms, and only where log lines are mined

    return Drain(depth=4, sim_th=0.5, max_children=50, max_clusters=MOST)


def _plant(drain: Any, tokens: list[str], number: int) -> None:
    """A template that was mined before, as it was: fed as a line it might be taken for another's."""
    from drain3.drain import LogCluster  # noqa: PLC0415 - see _miner

    cluster = LogCluster(tokens, number)
    drain.id_to_cluster[number] = cluster
    drain.clusters_counter = number
    drain.add_seq_to_prefix_tree(drain.root_node, cluster)
