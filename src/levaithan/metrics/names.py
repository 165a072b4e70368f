"""The values that labels may have: closed lists, so that nothing from outside can add one. Imports nothing."""

from __future__ import annotations

OTHER = "other"
NONE = "none"
DECISIONS = ("allow", "ask", "deny", "halt")
PATHS = ("native", "python", "oneshot")
FAILURES = ("crash", "timeout", "invalid_output")
MODES = ("enforce", "shadow")
GATE_PARTS = (
    "halt_check", "policy_check", "restraint_check", "pace_reserve", "budget_reserve", "lease_reserve",
    "approval_reserve", "pace_watch", "session_register", "spend_watch", "lease_keep", "output_watch", "audit_record",
    "workflow", "workflows",
)  # fmt: skip
"""The hooks that come with LevAIthan, and the gate's own two names for what fails around them."""
PACKS = (
    "base", "cloud", "containers", "database", "ethics", "execution", "filesystem", "git", "guard", "network",
    "persistence", "privilege", "publishing", "secrets", "system", "tools", "charter", "pace", "budget", "lease",
    "approval", "restraint", "gate", OTHER,
)  # fmt: skip
"""The shipped packs, and what else decides: the charter's own rules, quotas, budgets, leases, approvals,
restraints, a failure."""
TOOLS = (
    "Agent", "AskUserQuestion", "Bash", "BashOutput", "Edit", "EnterPlanMode", "ExitPlanMode", "Glob", "Grep",
    "KillShell", "LSP", "MultiEdit", "NotebookEdit", "Read", "Skill", "SlashCommand", "Task", "TaskCreate", "TaskGet",
    "TaskList", "TaskOutput", "TaskStop", "TaskUpdate", "TodoWrite", "ToolSearch", "WebFetch", "WebSearch", "Write",
    "mcp", OTHER,
)  # fmt: skip
"""Claude Code's built-in tools; `mcp` is any tool of a server. An agent can invent the rest."""
LOOPS = ("loop", "pingpong")
LIMITS = ("calls", "agent", "tool", "project", "denials", "tokens", "backoff")
WINDOWS = {"5m": 300.0, "10m": 600.0}
LEVELS = ("critical", "any")
STORES = ("ledger", "search", "graph", "memory", "counters")
OPERATIONS = ("put", "query")
STORE_ERRORS = ("down", "timeout", "auth", "tls", "busy", "damaged", "unsupported", "schema", OTHER)
WHERE = ("prompt", "tool_input", "tool_output", OTHER)
SECURITY = (
    "self_protection", "settings_changed", "chain_broken", "secret_seen", "auth_failed", "new_deny", "guard_bypassed",
)  # fmt: skip
LEVELS_OF_LOG = ("debug", "info", "warning", "error")
COMPONENTS = ("service", "projector", "monitor", "journal", "sharing", OTHER)
TOKENS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
WORK = ("lines_added", "lines_removed", "commits", "pull_requests", "active_seconds")
OUTCOMES = ("completed", "failed", "blocked", "abandoned", "cancelled")
SEVERITIES = ("P0", "P1", "P2", "P3")
ACTION_ENDS = ("verified", "failed", "undone", "dry_run", "refused", "expired")
HALTS = ("all", "project", "session", "agent", "task")
SCOPES = ("all", "project", "agent_type", "session", "task")
PERIODS = ("day", "week", "month", NONE)
SLOS = ("gate", "latency", "freshness", "tasks", "store")
