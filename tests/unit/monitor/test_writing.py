"""The monitor's own records: in the journal, without secrets; what keeps them out is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from levaithan.monitor.writing import Writer
from levaithan.projector.feed import Feed

if TYPE_CHECKING:
    from levaithan.hot.paths import Home


def kept(home: Home) -> list[dict[str, Any]]:
    """The incidents in the journal."""
    batch, _ = Feed(home.journal).batch(None, 1 << 20)
    return [one.record for one in batch if one.record is not None and one.record["kind"] == "incident"]


def test_what_the_monitor_writes_is_in_the_journal(home: Home) -> None:
    Path(home.root).mkdir()
    writer = Writer(home, "here")
    writer.write("incident", {"action": "open", "incident": "INC-1", "at": "2026-11-27T05:00:01.000000Z"})
    writer.write("incident", {"action": "ack", "incident": "INC-1"})
    writer.close()
    first, second = kept(home)
    assert (first["action"], first["machine"], first["at"]) == ("open", "here", "2026-11-27T05:00:01.000000Z")
    assert second["at"] > "2026-11-27"
    assert first["id"] != second["id"]


def test_a_journal_that_takes_nothing_is_told_and_taken_into_use_later(home: Home) -> None:
    Path(home.journal).parent.mkdir(parents=True)
    Path(home.journal).write_text("in the way")
    writer = Writer(home, "here")
    with pytest.raises(OSError, match="journal"):
        writer.write("incident", {"action": "open", "incident": "INC-1"})
    Path(home.journal).unlink()
    writer.write("incident", {"action": "open", "incident": "INC-1"})
    assert len(kept(home)) == 1


def test_secrets_do_not_reach_the_disk(home: Home) -> None:
    Path(home.root).mkdir()
    Writer(home, "here").write("incident", {"action": "note", "text": "ghp_" + "a1B2" * 9})
    assert "[redacted" in kept(home)[0]["text"]
    assert not any(b"ghp_a1B2" in path.read_bytes() for path in Path(home.journal).glob("journal-*.log"))
