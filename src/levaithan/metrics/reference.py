"""Makes docs/reference/metrics.md from the table of families: `python -m levaithan.metrics.reference`."""

from __future__ import annotations

import sys

from levaithan.metrics import families as table
from levaithan.metrics.families import HISTOGRAM, Family
from levaithan.metrics.otel import called, name_of
from levaithan.metrics.slo import TARGETS

_HEAD = """\
# Metrics

Made from the code by `python -m levaithan.metrics.reference`; a test compares.

`levaithan metrics show` prints them, the monitor serves them at `http://127.0.0.1:9465/metrics`
(`LEVAITHAN_METRICS_LISTEN`), `levaithan metrics textfile PATH` writes them for node_exporter (or the monitor does,
`LEVAITHAN_METRICS_TEXTFILE`), `levaithan metrics push URL` sends them to a Pushgateway, and `LEVAITHAN_OTEL_ENDPOINT`
exports them by OpenTelemetry's protocol (OTLP over HTTP).

- Counters come from the journal: what ran while nothing watched is counted too, once, whatever is killed. They go on
  over restarts (`state/metrics.json`), and begin anew only with another journal or a state that was damaged.
- Labels are few and closed. A tool is one of Claude Code's own, else `mcp` or `other`; a model is one of the table of
  prices, else `other`; a project is its folder, at most 50 of them, then `other`; a hook is one that is installed.
  Never a session, an agent, a file, a command or the text of an error: those are in the incident and in `levaithan
  audit`.
- `address` of a store's gauges is `embedded`, or the kind of server and eight digits that stand for its address
  (`postgresql-1f3a9c02`): a store at another address is another series. `store_errors_total` and histograms go on.
  It is `unusable` for a URL that cannot be read; it says where the running projector has the store, whatever `.env`
  says since.
- `machine` is the machine's name in records (`state/machine-id`, else the host's), `host` the host's: two homes of one
  host are two. A Pushgateway's group has both (`instance` is the host), OpenTelemetry's resource
  `service.instance.id` and `host.name`. What was pushed under the group without `machine` stays there until somebody
  deletes it.
- `metrics show` leaves out counters at 0 and zeros that stand from the start, not a gauge that was found to be 0.
- There are at most 5,000 series, whatever agents invent.
- Label sets that are known from the start are there with 0, for Prometheus sees no increase in a series that is born
  at 1.
- While records of more than 60 s ago are read, and a minute after, `levaithan_metrics_catching_up` is 1: rates are
  of then.
- "Needs" says what must be there for a metric to have a sample.
"""

_FOOT = """\
## The service's process

`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and their like are prometheus-client's
own, of the service's process, on Linux, while a service runs.

## What is meant

- **Refusals and failures.** A refused call is no failure of a tool, nor is one that a person interrupted.
- **`session_denies_max`** counts what rules refused of what was *attempted*: not what a halt, a quota, a budget, a
  lease or a missing approval held up.
- **Tasks** go from a prompt to the stop of the main thread. `blocked`: the prompt was refused, or a halt was met.
  `cancelled`: a new prompt came first, or a person ended the session. `failed`: StopFailure, or the session ended in
  another way with the task under way. `abandoned`: no end within 24 hours.
- **`guard_bypassed`** is a call that ran though its PreToolUse never came, in a session that was seen from its begin;
  or that ran although it was refused.
- **Work** is what the journal shows: lines by the patches of Edit and Write, `git commit` and `gh pr create` that
  succeeded. The client's own counts (below) go by other rules.
- **Cost** goes by the clients' transcripts, each message once. It never falls, even when the table of prices does.
- **Value** is an assumption of the operator's: completed tasks x minutes x rate. Whoever shows it says so.
- **`projection_latency_seconds`** is measured for records that are read within 5 s, too long by a look of the monitor
  at most.
- **`journal_fsync_seconds`** is what the service's own syncs took; without a service, those of a probe in `logs/`.
- **`journal_chain_ok`** is 0 from the moment a line is read that does not follow from the one before it until a
  verification that began later finds nothing. The monitor proves the whole journal every
  `LEVAITHAN_JOURNAL_VERIFY_HOURS`, and at once where it meets records that are missing, whatever the setting.
- **`store_slow_queries_total`** counts questions of every process of this home by what they noted in
  `logs/slow-queries.log` (store, milliseconds, kind of process; never their words), its tries and waiting included; the
  projector's batches by its own count; the monitor's look of every 10 s by its own.
- **Leases that expired** are found by looking every few seconds: one that ends in the moment of being given back may
  count.
"""


def markdown() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, rows in (
        ("Hook executions", table.HOOKS), ("The machine", table.SYSTEM), ("Stores", table.STORES),
        ("Journal and log", table.JOURNAL), ("Business", table.BUSINESS), ("Operations", table.OPERATIONS),
    ):  # fmt: skip
        parts.append(f"\n## {title}\n\n| name | type | labels | meaning |\n|---|---|---|---|\n")
        parts += [_row(family) for family in rows]
    parts.append("\n## Buckets\n\n| name | upper edges |\n|---|---|\n")
    parts += [
        f"| `{family.name}` | {', '.join(f'{edge:g}' for edge in family.buckets)} |\n"
        for family in table.FAMILIES
        if family.kind == HISTOGRAM
    ]
    parts.append(
        "\n## OpenTelemetry\n\nWhere Claude Code's own telemetry has a name for it, that name is used; the rest is "
        "called `levaithan.` and the name\nwithout its unit. The resource's `service.name`, `levaithan`, tells both "
        "apart.\n\n"
        "| here | there | unit | attributes |\n|---|---|---|---|\n"
    )
    parts += _otel()
    parts.append("\n## Objectives\n\nOver 30 days; `levaithan_slo_error_budget_remaining_ratio` says what is left.\n\n")
    parts.append("| slo | target |\n|---|---|\n")
    parts += [f"| `{slo}` | {target:.1%} |\n" for slo, target in TARGETS.items()]
    return "".join([*parts, "\n", _FOOT])


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels) or "-"
    needs = f" *Needs {family.needs}.*" if family.needs else ""
    return f"| `{family.name}` | {family.kind} | {labels} | {family.help}{needs} |\n"


def _otel() -> list[str]:
    rows = []
    for family in table.FAMILIES:
        kinds = [one[0] for one in family.known] if family.name == "levaithan_work_total" else ["input"]
        for kind in kinds:
            labels = tuple(kind if label == "kind" else label for label in family.labels)
            name, unit, attributes = called(family, labels)
            if name != name_of(family):
                told = ", ".join(f"`{key}`" for key in attributes) or "-"
                of = f"`{family.name}`" + (f' `kind="{kind}"`' if len(kinds) > 1 else "")
                rows.append(f"| {of} | `{name}` | {unit} | {told} |\n")
    return rows


if __name__ == "__main__":
    sys.stdout.write(markdown())
