"""Every action by its name: one file and one line here each."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from levaithan.actions import (
    block_tool,
    circuit_break_store,
    degrade,
    emergency_stop,
    order_waiters,
    platform_hook,
    quarantine_session,
    release_stale_lease,
    restart_projector,
    retry_dead_letters,
    scale_projector,
    throttle_session,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.actions.action import Action

ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        one.name: one
        for one in (
            emergency_stop.ACTION,
            throttle_session.ACTION,
            quarantine_session.ACTION,
            block_tool.ACTION,
            release_stale_lease.ACTION,
            order_waiters.ACTION,
            restart_projector.ACTION,
            retry_dead_letters.ACTION,
            circuit_break_store.ACTION,
            scale_projector.ACTION,
            platform_hook.ACTION,
            degrade.ACTION,
        )
    }
)
HUMAN_ALERT = "human_alert"
"""The last: people are told through notify.py, whose records have the same form."""
