"""Every hook event of Claude Code: its fields, its matcher, what an answer can do, and which way it fails.

Data only, taken from the recorded payloads and the client's own schema (docs/reference/events.md is made from it).
An event that is not here is no error: it is recorded and allowed. Standard library only; imports nothing.
"""

from __future__ import annotations

BASE = ("session_id", "transcript_path", "cwd", "hook_event_name")
"""Fields that every event has. `prompt_id` is there once a prompt exists, `agent_id` and `agent_type` in a subagent."""

ALWAYS = "2.1.197 or earlier"
"""The oldest client looked at. Nothing is claimed about clients before it."""

LATER = "after 2.1.197, 2.1.330 or earlier"


class EventSpec:
    """What is known of one event.

    name; fields: beyond BASE; a `?` at the end marks one that is not always there; matcher_field: what a matcher is
    compared with, None = no matcher; answer: how a deny is said ("permission", "request", "block", "exit2", "decline",
    "none"); can_block: whether a deny has any effect; context: whether additionalContext is taken; fail: "closed" = a
    gate that cannot decide denies; timeout_s: as registered; since: first client known to have it; registered: whether
    `hooks install` registers it; why: the reason of what is out of the ordinary.
    """

    __slots__ = (
        "answer",
        "can_block",
        "context",
        "fail",
        "fields",
        "matcher_field",
        "name",
        "registered",
        "since",
        "timeout_s",
        "why",
    )

    def __init__(
        self,
        name: str,
        fields: str,
        matcher_field: str | None = None,
        *,
        answer: str = "none",
        context: bool = False,
        fail: str = "open",
        timeout_s: int = 10,
        since: str = ALWAYS,
        registered: bool = True,
        why: str = "",
    ) -> None:
        self.name = name
        self.fields: tuple[str, ...] = tuple(fields.split())
        self.matcher_field = matcher_field
        self.answer = answer
        self.can_block = answer != "none"
        self.context = context
        self.fail = fail
        self.timeout_s = timeout_s
        self.since = since
        self.registered = registered
        self.why = why

    def __repr__(self) -> str:
        return f"EventSpec({self.name!r})"


_TOOL = "permission_mode effort tool_name tool_input "
_STOP = "permission_mode effort stop_hook_active last_assistant_message background_tasks session_crons"
_SWITCH = (
    "from_model to_model requested_model source context_tokens prompt_cache_warm cache_ttl "
    "estimated_cache_write_usd pricing"
)
_REPLACES = (
    "a hook here replaces the client's own worktree creation and must print the path of a folder it made: "
    "one that only watches would break every worktree"
)
_COUNTS_AS_REMOVED = (
    "it is sent only for a worktree that somebody's WorktreeCreate hook made, and a hook that exits 0 counts as having "
    "removed it: one that only watches would leave the folder behind where the client would have removed it"
)

_ALL = (
    EventSpec(
        "SessionStart",
        "source model? seconds_since_last_response? context_tokens? prompt_cache_likely_expired? "
        "estimated_cache_write_usd?",
        "source",
        context=True,
    ),
    EventSpec("Setup", "trigger", "trigger", context=True),
    EventSpec(
        "UserPromptSubmit",
        "permission_mode prompt source? session_title?",
        answer="block",
        context=True,
        fail="closed",
    ),
    EventSpec(
        "UserPromptExpansion",
        "permission_mode expansion_type command_name command_args command_source prompt",
        "command_name",
        answer="block",
        context=True,
    ),
    EventSpec(
        "PreToolUse",
        _TOOL + "tool_use_id mcp_server?",
        "tool_name",
        answer="permission",
        context=True,
        fail="closed",
        why="continue:false alone lets the tool run: a halt denies as well",
    ),
    EventSpec(
        "PermissionRequest",
        _TOOL + "permission_suggestions",
        "tool_name",
        answer="request",
        fail="closed",
        why="exit 2 is ignored here, only decision.behavior counts; it has no tool_use_id",
    ),
    EventSpec("PermissionDenied", _TOOL + "tool_use_id reason", "tool_name"),
    EventSpec(
        "PostToolUse",
        _TOOL + "tool_response tool_use_id duration_ms mcp_server?",
        "tool_name",
        answer="block",
        context=True,
        why="the tool has run: a block only tells the model",
    ),
    EventSpec(
        "PostToolUseFailure",
        _TOOL + "tool_use_id error is_interrupt duration_ms mcp_server?",
        "tool_name",
        context=True,
    ),
    EventSpec("PostToolBatch", "permission_mode effort tool_calls", answer="block", context=True),
    EventSpec(
        "Stop",
        _STOP,
        answer="block",
        context=True,
        why="a block makes the client go on; never while stop_hook_active, so that nobody is trapped",
    ),
    EventSpec("StopFailure", "effort error error_details? last_assistant_message", "error"),
    EventSpec("SubagentStart", "agent_id agent_type", "agent_type", context=True),
    EventSpec(
        "SubagentStop",
        "agent_id agent_type agent_transcript_path " + _STOP,
        "agent_type",
        answer="block",
        context=True,
        why="as Stop; it also fires for compaction and agent hooks, without a SubagentStart",
    ),
    EventSpec("PreCompact", "trigger custom_instructions", "trigger", answer="block"),
    EventSpec("PostCompact", "trigger compact_summary", "trigger"),
    EventSpec("PreModelSwitch", _SWITCH, answer="permission", since=LATER),
    EventSpec("PostModelSwitch", _SWITCH, context=True, since=LATER),
    EventSpec("Notification", "message notification_type title?", "notification_type"),
    EventSpec(
        "MessageDisplay",
        "turn_id message_id index final delta",
        why="the screen waits for the answer, a batch of whole lines at a time, at most ten a second",
    ),
    EventSpec(
        "InstructionsLoaded",
        "file_path memory_type load_reason globs? parent_file_path? trigger_file_path? effort?",
        "load_reason",
    ),
    EventSpec("TaskCreated", "task_id task_subject task_description", answer="exit2"),
    EventSpec("TaskCompleted", "task_id task_subject task_description", answer="exit2"),
    EventSpec("TeammateIdle", "teammate_name team_name", answer="exit2", why="exit 2 keeps the teammate working"),
    EventSpec(
        "ConfigChange",
        "source file_path?",
        "source",
        answer="block",
        fail="closed",
        why="managed policy cannot be blocked",
    ),
    EventSpec("CwdChanged", "old_cwd new_cwd"),
    EventSpec("DirectoryAdded", "directory source", "source", since=LATER),
    EventSpec(
        "FileChanged",
        "file_path event",
        "file_path",
        why="a matcher is a list of files to watch, and `*` would be a name: registered without, it watches nothing",
    ),
    EventSpec("WorktreeCreate", "name", registered=False, why=_REPLACES),
    EventSpec("WorktreeRemove", "worktree_path", registered=False, why=_COUNTS_AS_REMOVED),
    EventSpec("Elicitation", "mcp_server_name message mode requested_schema", "mcp_server_name", answer="decline"),
    EventSpec("ElicitationResult", "mcp_server_name mode action content?", "mcp_server_name", answer="decline"),
    EventSpec(
        "SessionEnd",
        "reason",
        "reason",
        timeout_s=5,
        why="without a timeout the client waits 1.5 s only; it may be missing altogether in `-p`",
    ),
)

EVENTS: dict[str, EventSpec] = {spec.name: spec for spec in _ALL}

GUARDS = frozenset(spec.name for spec in _ALL if spec.fail == "closed")
"""The events where a gate that cannot decide denies."""
