"""What comes out of the gate: hooks' Opinions on an event, the Decision made of them, the Answer to the client.

Standard library only, and lean: the one-shot path loads this while Claude Code waits.
"""

from __future__ import annotations

VERDICTS = ("allow", "ask", "deny", "halt")
"""From the weakest to the strongest: the strongest opinion on an event wins."""


class Opinion:
    """What one atomic hook thinks: verdict "halt", "deny", "ask" or "allow"; why; which rule; text for the model.

    answers: it takes the place of an "ask" that stands, weaker or not: the question has been put to a person.
    """

    __slots__ = ("answers", "context", "reason", "rule", "verdict")

    def __init__(
        self,
        verdict: str = "allow",
        reason: str | None = None,
        rule: str | None = None,
        context: str | None = None,
        *,
        answers: bool = False,
    ) -> None:
        self.answers = answers
        self.verdict = verdict
        self.reason = reason
        self.rule = rule
        self.context = context

    def __repr__(self) -> str:
        return f"Opinion({self.verdict!r}, {self.reason!r}, rule={self.rule!r}, context={self.context!r})"


class Decision:
    """What the gate decided: verdict, reason, rule, the hook that said so, and text for the model's context.

    granted: a person has allowed just this, so that the client need not ask again.
    """

    __slots__ = ("context", "granted", "hook", "reason", "rule", "verdict")

    def __init__(
        self,
        verdict: str = "allow",
        reason: str | None = None,
        rule: str | None = None,
        hook: str | None = None,
        context: str | None = None,
    ) -> None:
        self.granted = False
        self.verdict = verdict
        self.reason = reason
        self.rule = rule
        self.hook = hook
        self.context = context

    def __repr__(self) -> str:
        return f"Decision({self.verdict!r}, {self.reason!r}, rule={self.rule!r}, hook={self.hook!r})"


class Answer:
    """What a hook process gives Claude Code: exit_code (0 or 2), stdout and stderr as bytes."""

    __slots__ = ("exit_code", "stderr", "stdout")

    def __init__(self, exit_code: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr

    def __repr__(self) -> str:
        return f"Answer({self.exit_code}, {self.stdout!r}, {self.stderr!r})"
