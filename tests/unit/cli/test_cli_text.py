"""What an agent wrote cannot act on a terminal, run in a spreadsheet, or break a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.cli import output, table
from levaithan.cli.text import clean, cut, pad, width, wrap

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp\u2066\u200b\ufeff\x00\x7f\r\n\t\udcff\U000e0041"


def test_nothing_that_acts_on_a_terminal_is_left() -> None:
    shown = clean(HOSTILE)
    assert shown.isprintable()
    assert shown.startswith("\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202egnp") and "\\udcff\\U000e0041" in shown
    assert "\\r\\n\\t" in shown


def test_honest_text_stays() -> None:
    for text in ("plain", "grüße 日本語 🙂", "👨\u200d👩\u200d👧"):
        assert clean(text) == text
    assert clean("a\nb\tc", lines=True) == "a\nb\tc"


@given(st.text(alphabet=st.characters()))
def test_cleaned_text_is_printable_and_encodes(text: str) -> None:
    assert all(char.isprintable() or char == "\u200d" for char in clean(text))
    clean(text, lines=True).encode()


@given(st.text(max_size=40), st.integers(0, 30))
def test_cut_and_pad_keep_to_their_columns(text: str, columns: int) -> None:
    shown = cut(clean(text), columns)
    assert width(shown) <= columns
    assert width(pad(shown, columns)) == columns


def test_wide_and_combining_characters_are_counted() -> None:
    assert (width("日本"), width("e\u0301"), cut("日本語", 4)) == (4, 1, "日…")


ROWS: list[dict[str, object]] = [
    {"at": "2026-11-23T15:04:05Z", "tool": "Bash", "decision": "deny", "reason": "r" * 90, "ms": 1.25},
    {"at": "2026-11-23T15:04:06Z", "tool": None, "decision": "allow", "reason": HOSTILE, "ms": 12},
]
COLUMNS = ["at", "tool", "decision", "reason", "ms"]


@pytest.mark.parametrize("room", [200, 100, 72, 60, 50, 30, 12])
def test_a_table_fits_its_room_and_stays_safe(room: int) -> None:
    lines = list(table.render(ROWS, COLUMNS, room))
    assert max(width(line) for line in lines) <= max(room, 8 + 2 + 6)
    assert all(line.isprintable() for line in lines)
    assert any("deny" in line for line in lines)


def test_a_table_that_is_piped_keeps_its_cells_whole() -> None:
    lines = list(table.render(ROWS, COLUMNS, None))
    assert "r" * 90 in lines[1] and lines[0].split() == ["AT", "TOOL", "DECISION", "REASON", "MS"]
    assert lines[1].endswith("1.25") and lines[2].endswith("   12")


def test_only_the_widest_columns_give_way() -> None:
    lines = list(table.render(ROWS, COLUMNS, 72))
    assert "2026-11-23T15:04:05Z  Bash  deny      rrr" in lines[1] and "…" in lines[1]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1", "＝1", "\r=1"])
def test_a_cell_of_csv_cannot_start_a_formula(cell: str) -> None:
    assert str(output.csv_cell(cell)).startswith("'")


def test_other_cells_of_csv_stay() -> None:
    assert [output.csv_cell(value) for value in ("a=b", -1, -1.5, None, True, ["x"], "a\nb")] == [
        "a=b", -1, -1.5, None, "yes", '["x"]', "a\nb",
    ]  # fmt: skip
    assert output.csv_cell("a\x1b[2J") == "a\\x1b[2J"


def test_json_is_exact_and_ascii() -> None:
    import json

    text = output.envelope([{"reason": HOSTILE}], "c1")
    assert text.isascii() and text.isprintable()
    assert json.loads(text) == {"schema_version": 1, "ok": True, "rows": [{"reason": HOSTILE}], "next": "c1"}


def test_facts_are_aligned_and_leave_out_what_is_not_known() -> None:
    assert list(table.facts([("tool", "Bash"), ("reason", "a\nb"), ("rule", None)])) == [
        "tool    Bash", "reason  a", "        b",
    ]  # fmt: skip


def test_what_is_wrong_is_read_before_what_to_do_about_it() -> None:
    row = {"item": "journal", "status": "fail", "value": "9 events were not recorded", "remedy": "r" * 80}
    _head, line, remedy = table.render([row], ["item", "status", "value", "remedy"], 80)
    assert "9 events were not recorded" in line
    assert remedy == "  next: " + "r" * 80


FINDINGS = ["item", "status", "value", "remedy"]
FOUND: list[dict[str, object]] = [
    {"item": "search", "status": "fail", "value": "it does not answer " * 9 + "日本" * 30, "remedy": "do this, " * 30},
    {"item": "graph", "status": "ok", "value": "up to date", "remedy": ""},
]


@pytest.mark.parametrize("room", [300, 120, 80, 40, 20, None])
def test_nothing_of_a_finding_is_cut_in_any_room(room: int | None) -> None:
    lines = list(table.render(FOUND, FINDINGS, room))
    said = " ".join(lines)
    assert "…" not in said
    assert str(FOUND[0]["remedy"]).strip() in said
    assert said.count("answer") == 9 and said.count("日") == said.count("本") == 30
    assert all(width(line) <= (room or 1000) for line in lines if "do this, " not in line)


def test_a_table_of_findings_that_fits_has_a_column_for_what_to_do() -> None:
    row = {"item": "graph", "status": "warn", "value": "5 behind", "remedy": "levaithan start"}
    head, line = table.render([row], FINDINGS, 80)
    assert head.split() == ["ITEM", "STATUS", "VALUE", "REMEDY"] and line.endswith("  levaithan start")


def test_what_is_piped_is_whole_however_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    row = {"at": "now", "reason": "r" * 5000, "ms": 1}
    output.emit([row], ["at", "reason", "ms"], "table")
    _head, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["now", "r" * 5000, "1"]
    line = table.fixed_end(table.fixed(row, [("at", 2), ("reason", 9)]), "e" * 500, 13, table.terminal_width())
    assert line.split() == ["now", "r" * 5000, "e" * 500]


def test_a_table_in_a_terminal_is_cut_as_ever() -> None:
    row = {"at": "now", "reason": "r" * 500}
    assert max(map(width, table.render([row], ["at", "reason"], 60))) == 60
    assert "…" in table.fixed_end("now", "e" * 500, 3, 60)


@given(st.text(max_size=60), st.integers(1, 30))
def test_wrapped_text_keeps_to_its_columns_and_loses_no_word(text: str, columns: int) -> None:
    shown = clean(text)
    lines = wrap(shown, columns)
    assert all(width(line) <= max(columns, 2) for line in lines)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")


def test_the_names_of_facts_are_stored_text_too() -> None:
    """A session's calls are counted by the tool's name, which an MCP server chose."""
    lines = list(table.facts([("Bash", 3), ("x\x1b[2J\nall is well\u202e", 1)], "  "))
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
