"""What a store must be able to do, a file a role: every adapter is held to these Protocols by tests/contract.

Imports the standard library and the error tree only: the read path of the CLI loads this package, so no driver,
no SQLAlchemy and no pydantic may come in here.
"""

from levaithan.stores.roles.counters import Counters, StreamEvent
from levaithan.stores.roles.failures import (
    SchemaTooNewError,
    StoreAuthError,
    StoreBusyError,
    StoreDamagedError,
    StoreDownError,
    StoreTimeoutError,
    StoreTlsError,
    StoreUnsupportedError,
)
from levaithan.stores.roles.graph import Graph
from levaithan.stores.roles.ledger import Ledger
from levaithan.stores.roles.memory import Memory, MemoryFilters, Remembered
from levaithan.stores.roles.names import COUNTERS, GRAPH, LEDGER, MEMORY, ROLES, SEARCH
from levaithan.stores.roles.projected import Cursor, DeadLetter, Delivery, Health, Projected, Rejected, Shared
from levaithan.stores.roles.search import FIELDS, Hit, Pattern, Search, SearchFilters

__all__ = (
    "COUNTERS",
    "FIELDS",
    "GRAPH",
    "LEDGER",
    "MEMORY",
    "ROLES",
    "SEARCH",
    "Counters",
    "Cursor",
    "DeadLetter",
    "Delivery",
    "Graph",
    "Health",
    "Hit",
    "Ledger",
    "Memory",
    "MemoryFilters",
    "Pattern",
    "Projected",
    "Rejected",
    "Remembered",
    "SchemaTooNewError",
    "Search",
    "SearchFilters",
    "Shared",
    "StoreAuthError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreDownError",
    "StoreTimeoutError",
    "StoreTlsError",
    "StoreUnsupportedError",
    "StreamEvent",
)
