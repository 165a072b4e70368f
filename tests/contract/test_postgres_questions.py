"""The questions that the benchmark asks of millions of events in PostgreSQL are answered, each in whole, of a few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.bench import ledger_postgres

FEW = 40_000
"""Enough that the last day has a page of one tool."""


def test_each_question_has_a_page(postgres_server: Any) -> None:
    server: Any = SimpleNamespace(url=lambda: postgres_server.url)
    rows = ledger_postgres.asking(server, FEW, 1)
    assert len(rows) == 7
    assert all(f"{FEW:,} events" in one.what and "N=1;" in one.how for one in rows)
