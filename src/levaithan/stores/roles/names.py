"""The five roles by name: in settings, on the command line, in cursors and in what the projector says of itself."""

from __future__ import annotations

LEDGER = "ledger"
SEARCH = "search"
GRAPH = "graph"
MEMORY = "memory"
COUNTERS = "counters"

ROLES = (LEDGER, SEARCH, GRAPH, MEMORY, COUNTERS)
"""In the order in which the projector serves them: what most questions are asked of comes first."""
