"""What can go wrong with the service as such, in words for people. Imports the error tree only."""

from __future__ import annotations

from levaithan.errors import FAILED, LevaithanError


class AlreadyRunning(LevaithanError):  # noqa: N818 - named for people, as is all of the error tree
    """A service runs already for {home} (pid {pid})."""

    code = "already_running"
    exit_code = FAILED
    fix = "use that one, or `levaithan restart`"

    def __init__(self, home: str, pid: int | None) -> None:
        super().__init__(home=home, pid=pid or "unknown")
        self.pid = pid


class NotStarted(LevaithanError):  # noqa: N818
    """The service of {home} did not start: {reason}."""

    code = "not_started"
    exit_code = FAILED
    fix = "look at {home}/logs/service.log; hooks are decided and recorded without it meanwhile, slower"


class NotStopped(LevaithanError):  # noqa: N818
    """The service of {home} did not stop: {reason}."""

    code = "not_stopped"
    exit_code = FAILED
    fix = "see which process it is with `lsof {run}/service.lock`, then end it by its pid"


class RunFolderUnusable(LevaithanError):  # noqa: N818
    """The folder {path} cannot be used for the service's socket and lock: {reason}."""

    code = "run_folder_unusable"
    exit_code = FAILED
    fix = "see that {path} is a folder of yours that can be written, then start again"
