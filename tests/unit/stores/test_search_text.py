"""Which words of a record are searched, and snippets."""

from __future__ import annotations

from levaithan.stores import search_text


def test_texts_of_the_payload_without_what_repeats() -> None:
    record = {
        "event": "PostToolUse", "reason": "because", "rule": "rm",
        "payload": {"session_id": "sss", "cwd": "/home/x", "tool_name": "Bash",
                    "tool_input": {"command": "ls", "deep": [{"a": "b"}, 7, None]}},
    }  # fmt: skip
    assert search_text.text_of(record).split("\n") == ["Bash", "ls", "b", "because", "rm"]


def test_a_batch_of_calls_is_not_repeated_but_its_own_texts_are() -> None:
    calls = {"tool_calls": [{"tool_response": "x"}], "other": "y"}
    assert search_text.text_of({"event": "PostToolBatch", "payload": calls}) == "y"
    assert search_text.text_of({"event": "Something", "payload": calls}) == "x\ny"


def test_unparsable_input_is_searched_too() -> None:
    assert search_text.text_of({"raw": "{half", "problem": "not JSON"}) == "{half\nnot JSON"
    assert search_text.text_of({"payload": "no object"}) == ""


def test_words_become_quoted_terms() -> None:
    assert search_text.match_of('a "b c" d* AND -', []) == 'text : ("a" AND "b c" AND "d"* AND "and")'
    assert search_text.match_of("a", ["s6162"]) == 'text : ("a") AND tags : "s6162"'
    assert search_text.match_of(' - " * ', []) is None


def test_a_snippet_is_around_the_first_word_found() -> None:
    text = "a " * 200 + "the Needle\nis here " + "b " * 200
    found = search_text.snippet(text, search_text.terms_of('needle "is here"'))
    assert "the Needle is here" in found
    assert found.startswith("…")
    assert found.endswith("…")
    assert search_text.snippet("short", ["nothing"]) == "short"
