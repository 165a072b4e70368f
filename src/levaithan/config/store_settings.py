"""The settings of the five stores: the second part of the one list (see settings)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from levaithan.config.core_settings import CoreSettings, Size, lower

_PASSWORD = "Password of its user, when the URL names none"  # noqa: S105 - a description
_KEY = (
    "API key, where the server asks for one instead of user and password; it belongs to the URL, goes to whichever "
    "server that names, and the URL's own key or password goes before it"
)
_CA = "File with the certificate of the authority (PEM) that signed the server's, when it is none of the system's"
Partition = Annotated[Literal["local", "deny"], BeforeValidator(lower)]
Model = Annotated[Literal["auto", "minilm", "hashing"], BeforeValidator(lower)]


def _url(what: str, example: str) -> str:
    return f"{what}, as {example}; unset = embedded, in the home"


class StoreSettings(CoreSettings):
    """Where each role's store is, and what it takes. A store is embedded (SQLite) until its URL is set."""

    ledger_url: str | None = Field(
        default=None, description=_url("The ledger's database", "postgresql://user@host:5432/name?sslmode=verify-full")
    )
    ledger_password: str | None = Field(default=None, description=_PASSWORD)
    ledger_writer_password: str | None = Field(
        default=None,
        description="Password of PostgreSQL's role levaithan_writer, made by setup; when it is set, all daily work is "
        "done as that role, and the URL's own user is for the schema and the roles alone",
    )
    ledger_reader_password: str | None = Field(
        default=None,
        description="Password of PostgreSQL's role levaithan_reader, made by setup; dashboards read as that role",
    )
    ledger_owner_password: str | None = Field(
        default=None,
        description="Password of PostgreSQL's role levaithan_owner, made by setup, to which the tables belong; when it "
        "is set, newer schemas are made as that role",
    )
    ledger_ca_file: str | None = Field(default=None, description=_CA)
    ledger_max_field_bytes: Size = Field(
        default=1 << 20,
        ge=1024,
        le=1 << 30,
        description="Largest text the ledger takes; a longer one waits in the dead letters",
    )
    ledger_retention_months: int = Field(
        default=0,
        ge=0,
        le=1200,
        description="Months that the events stay in a Postgres ledger; whole months are dropped. 0 = all of them",
    )
    search: bool = Field(default=True, description="Keep a full-text index of all events (on, off)")
    search_url: str | None = Field(
        default=None, description=_url("The search's server (Elasticsearch)", "https://user@host:9200")
    )
    search_password: str | None = Field(default=None, description=_PASSWORD)
    search_api_key: str | None = Field(default=None, description=_KEY)
    search_ca_file: str | None = Field(default=None, description=_CA)
    graph: bool = Field(default=True, description="Keep the graph of who touched what (on, off)")
    graph_url: str | None = Field(
        default=None,
        description=_url("The graph's server (HelixDB)", "http://host:7474")
        + "; helix:///folder = HelixDB's own engine in this process",
    )
    graph_api_key: str | None = Field(default=None, description=_KEY)
    graph_ca_file: str | None = Field(default=None, description=_CA)
    memory: bool = Field(default=True, description="Keep prompts, outcomes and notes to be found by meaning (on, off)")
    memory_url: str | None = Field(
        default=None, description=_url("The memory's server (Weaviate)", "http://host:8080?grpc_port=50051")
    )
    memory_api_key: str | None = Field(default=None, description=_KEY)
    memory_ca_file: str | None = Field(default=None, description=_CA)
    memory_model: Model = Field(
        default="auto",
        description="What makes vectors of texts: minilm = a language model on this machine (the extra `memory`), "
        "hashing = words alone, with no dependency, auto = minilm where it is installed",
    )
    counters_url: str | None = Field(
        default=None,
        description="Where machines share counters, leases, halts and the live stream (Redis), as "
        "rediss://user@host:6379/0; unset = each machine by itself",
    )
    counters_password: str | None = Field(default=None, description=_PASSWORD)
    counters_ca_file: str | None = Field(default=None, description=_CA)
    counters_timeout_ms: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="Milliseconds a hook may wait for shared counters before this machine's own share decides",
    )
    counters_lease_partition: Partition = Field(
        default="local",
        description="Leases while the shared counters are out of reach: local = this machine's own book decides, "
        "deny = nobody takes one",
    )
    store_timeout_ms: int = Field(
        default=10_000, ge=100, le=300_000, description="Milliseconds a store's server may take to answer the projector"
    )
