"""Our entries in foreign settings: put in, brought up to date and taken out, with every other byte as it was."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levaithan.install import json_edit, json_spans, settings_merge, settings_rules

HOME = "/opt/lev/home"
OTHER_HOME = "/opt/other/home"


def group(event: str, home: str = HOME, timeout: float = 10) -> dict[str, Any]:
    handler = {"type": "command", "command": home + "/bin/levaithan-hook", "args": [event, "--home", home]}
    return {"hooks": [handler | {"timeout": timeout, "onFailure": "block"}]}


ENTRIES = {event: group(event) for event in ("PreToolUse", "PostToolUse", "Stop", "UserPromptSubmit")}
FOREIGN = {"matcher": "Bash", "hooks": [{"type": "command", "command": "./mine.sh", "timeout": 3}]}


def merged(text: str) -> str:
    return settings_merge.merge(text, ENTRIES, HOME).text


def undone(text: str) -> str:
    made = settings_merge.merge(text, ENTRIES, HOME)
    return settings_merge.without(made.text, HOME, made.created)


# --- random settings in random clothes ---------------------------------------------------------------------------

blanks = st.text(alphabet=" \t\n\r", max_size=4)
words = st.text(alphabet=string.ascii_letters + 'äß€\U0001f600"\\/\n\x1f', max_size=8)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
handlers = st.fixed_dictionaries(
    {"type": st.just("command"), "command": words.map(lambda word: "x" + word)},
    optional={"timeout": st.integers(1, 60), "if": words, "note": values},
)
groups = st.fixed_dictionaries(
    {"hooks": st.lists(handlers, max_size=3)}, optional={"matcher": words, "note": values}
) | st.just(group("PreToolUse", OTHER_HOME))
hook_objects = st.dictionaries(
    st.sampled_from(["PreToolUse", "PostToolUse", "Stop", "Notification", "PermissionRequest"]),
    st.lists(groups, max_size=3),
    max_size=4,
)
documents = st.fixed_dictionaries(
    {}, optional={"hooks": hook_objects, "permissions": st.just({"deny": ["Read(./x)"]}), "env": values, "zz": values}
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A settings document as some editor might have written it."""
    document = draw(documents)
    way = draw(st.sampled_from(["pretty", "tabs", "compact", "default", "wild"]))
    if way == "wild":
        text = draw(blanks) + wild(draw, document) + draw(blanks)
    else:
        indent = {"pretty": draw(st.integers(0, 8)), "tabs": "\t"}.get(way)
        separators = (",", ":") if way == "compact" else None
        text = json.dumps(document, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))
        text += draw(st.sampled_from(["", "\n", "\n\n"]))
    if draw(st.booleans()):
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return (json_spans.BOM if draw(st.booleans()) else "") + text


def wild(draw: st.DrawFn, value: Any) -> str:
    """`value` with blanks and line breaks anywhere that JSON allows them."""
    gap = lambda: draw(blanks)  # noqa: E731
    if isinstance(value, dict):
        inner = ",".join(
            f"{gap()}{json.dumps(key)}{gap()}:{gap()}{wild(draw, one)}{gap()}" for key, one in value.items()
        )
        return "{" + (inner or gap()) + "}"
    if isinstance(value, list):
        return "[" + (",".join(gap() + wild(draw, one) + gap() for one in value) or gap()) + "]"
    return json.dumps(value)


def foreign_hooks(document: dict[str, Any]) -> dict[str, list[Any]]:
    """The foreign groups of each event, in order, empty lists left out."""
    found = {}
    for event, listed in document.get("hooks", {}).items():
        kept = [one for one in listed if not any(settings_merge.home_of(h) == HOME for h in one["hooks"])]
        if kept:
            found[event] = kept
    return found


def holds_empty_containers_that_we_fill(document: dict[str, Any]) -> bool:
    """An empty list or object of somebody's is filled and emptied again: its inner blanks are not kept by the text."""
    hooks = document.get("hooks")
    return not document or hooks == {} or any(hooks.get(event) == [] for event in ENTRIES if hooks)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts())
def test_install_keeps_all_that_is_foreign_and_uninstall_gives_the_bytes_back(text: str) -> None:
    document = json.loads(text.removeprefix(json_spans.BOM))
    new = merged(text)
    after = json.loads(new.removeprefix(json_spans.BOM))
    assert foreign_hooks(after) == foreign_hooks(document)
    assert {key: value for key, value in after.items() if key != "hooks"} == {
        key: value for key, value in document.items() if key != "hooks"
    }
    assert list(after)[: len(document)] == list(document)
    for event, wanted in ENTRIES.items():
        assert after["hooks"][event][-1] == wanted
    assert settings_rules.problems(new) == []
    assert merged(new) == new
    back = undone(text)
    if holds_empty_containers_that_we_fill(document):
        assert json.loads(back.removeprefix(json_spans.BOM)) == document
    else:
        assert back == text


@settings(max_examples=200, deadline=None)
@given(values, st.randoms(use_true_random=False))
def test_the_reader_agrees_with_the_standard_one(value: Any, chance: Any) -> None:
    text = json.dumps(value, indent=chance.choice([None, 2]), ensure_ascii=chance.choice([True, False]))
    root = json_spans.parse(text)
    assert root.plain() == value
    assert text[root.start : root.end] == text


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \n/\\*', max_size=20))
def test_the_reader_takes_what_the_standard_one_takes(text: str) -> None:
    def no_constants(word: str) -> None:
        raise ValueError(word)

    try:
        json.loads(text, parse_constant=no_constants)
        fine = True
    except ValueError:
        fine = False
    try:
        json_spans.parse(text)
        ours = True
    except json_spans.NotJsonError as error:
        ours = False
        assert error.line >= 1
        assert error.column >= 1
    assert ours == fine


# --- what it looks like ------------------------------------------------------------------------------------------


def test_a_new_file_is_laid_out_to_be_read() -> None:
    text = settings_merge.merge("", {"Stop": group("Stop")}, HOME).text
    assert text == json.dumps({"hooks": {"Stop": [group("Stop")]}}, indent=2) + "\n"


def test_added_entries_look_like_their_neighbours() -> None:
    before = json.dumps({"hooks": {"Stop": [FOREIGN]}, "model": "x"}, indent=4) + "\n"
    after = settings_merge.merge(before, {"Stop": group("Stop")}, HOME).text
    assert after == json.dumps({"hooks": {"Stop": [FOREIGN, group("Stop")]}, "model": "x"}, indent=4) + "\n"


def test_crlf_and_tabs_are_kept() -> None:
    before = json.dumps({"model": "x"}, indent="\t").replace("\n", "\r\n")
    after = merged(before)
    assert after.count("\n") == after.count("\r\n")
    assert "\r\n\t\t" in after
    assert "  " not in after


def test_duplicate_keys_of_others_stay() -> None:
    text = '{"env": {"A": "1"}, "env": {"A": "2"}}'
    assert merged(text).startswith('{"env": {"A": "1"}, "env": {"A": "2"}')
    assert undone(text) == text


# --- bringing up to date -----------------------------------------------------------------------------------------


def test_an_older_entry_is_replaced_in_its_place() -> None:
    old = {"hooks": {"PreToolUse": [FOREIGN, group("PreToolUse", timeout=99), FOREIGN]}}
    after = json.loads(merged(json.dumps(old, indent=2)))
    assert after["hooks"]["PreToolUse"] == [FOREIGN, group("PreToolUse"), FOREIGN]


def test_a_second_entry_and_one_of_an_event_that_is_no_longer_registered_go() -> None:
    twice = [group("PreToolUse"), FOREIGN, group("PreToolUse", timeout=2)]
    old = {"hooks": {"PreToolUse": twice, "WorktreeCreate": [group("WorktreeCreate")]}}
    after = json.loads(merged(json.dumps(old)))["hooks"]
    assert after["PreToolUse"] == [group("PreToolUse"), FOREIGN]
    assert after["WorktreeCreate"] == []


def test_a_hook_that_somebody_put_beside_ours_stays() -> None:
    shared = {"matcher": "Bash", "hooks": [*group("PreToolUse")["hooks"], *FOREIGN["hooks"]]}
    after = json.loads(merged(json.dumps({"hooks": {"PreToolUse": [shared]}})))["hooks"]["PreToolUse"]
    assert after == [{"matcher": "Bash", "hooks": FOREIGN["hooks"]}, group("PreToolUse")]
    back = json.loads(settings_merge.without(json.dumps({"hooks": {"PreToolUse": [shared]}}), HOME))
    assert back["hooks"]["PreToolUse"] == [{"matcher": "Bash", "hooks": FOREIGN["hooks"]}]


def test_another_installation_is_left_alone() -> None:
    text = json.dumps({"hooks": {"PreToolUse": [group("PreToolUse", OTHER_HOME)]}}, indent=2)
    after = json.loads(merged(text))["hooks"]["PreToolUse"]
    assert after == [group("PreToolUse", OTHER_HOME), group("PreToolUse")]
    assert undone(text) == text


def test_the_python_client_and_a_shell_command_are_known_as_ours() -> None:
    python = {"command": "/usr/bin/python3", "args": ["-I", "-S", "/s/levaithan/hot/client.py", "Stop", "--home", HOME]}
    shell = {"command": f"{HOME}/bin/levaithan-hook Stop --home={HOME}"}
    assert settings_merge.home_of(python) == settings_merge.home_of(shell) == HOME
    for foreign in ({"command": "levaithan-hooks"}, {"command": "echo 'levaithan"}, {"url": "x"}, None, 7):
        assert settings_merge.home_of(foreign) is None


def test_uninstall_without_a_memory_leaves_no_empty_lists_of_ours() -> None:
    assert settings_merge.without(merged('{"model": "x"}'), HOME) == '{"model": "x"}'


# --- refusals ----------------------------------------------------------------------------------------------------


def pre(**handler: Any) -> str:
    return json.dumps({"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": "x"} | handler]}]}})


REFUSED = {
    "comment": ('{\n  // why\n  "model": "x"\n}', "2:3", "comment"),
    "trailing comma": ('{"model": "x",}', "1:14", "comma"),
    "half": ('{"hooks": {', "1:12", "ends too early"),
    "two hooks": ('{"hooks": {}, "hooks": {}}', "1:24", "twice"),
    "hooks list": ('{"hooks": []}', "1:11", "object"),
    "event object": ('{"hooks": {"PreToolUse": {}}}', "1:26", "list"),
    "handlers missing": ('{"hooks": {"PreToolUse": [\n{"matcher": "x"}]}}', "2:1", "handlers"),
    "timeout 0": (pre(timeout=0), "1:", "over 0"),
    "timeout text": (pre(timeout="9"), "1:", "number"),
    "matcher": ('{"hooks": {"PreToolUse": [{"matcher": 7, "hooks": []}]}}', "1:39", "string"),
    "no command": ('{"hooks": {"PreToolUse": [{"hooks": [{"type": "command"}]}]}}', "1:", "command"),
    "type": ('{"hooks": {"PermissionRequest": [{"hooks": [{"type": "shell"}]}]}}', "1:", "one of"),
    "onFailure": (pre(onFailure="deny"), "1:", "block"),
    "no object": ("[]", "1:1", "object"),
    "permissions": ('{"permissions": {"allow": 7}}', "1:27", "list"),
    "other event": ('{"hooks": {"Stop": {}}}', "1:20", "list"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_claude_code_would_drop_is_refused_with_its_place(case: str) -> None:
    text, place, word = REFUSED[case]
    with pytest.raises(settings_merge.Refused) as refused:
        merged(text)
    said = f"{refused.value.problem.line}:{refused.value.problem.column} {refused.value.problem.message}"
    assert said.startswith(place)
    assert word in said


@pytest.mark.parametrize(
    "text",
    [
        '{"hooks": {"NoSuchEvent": 7}}',
        '{"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": "x", "unknown": 1}]}]}}',
        '{"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": "x", "onFailure": "continue"}]}]}}',
        '{"unknown": {"deep": [1, 2]}, "env": {"A": 7}}',
    ],
)
def test_what_claude_code_tolerates_is_taken(text: str) -> None:
    assert undone(text) == text


def test_a_broken_entry_of_another_event_is_noted_and_left() -> None:
    text = '{"hooks": {"PostToolUse": [{"hooks": [{"type": "command", "command": "x", "timeout": 0}]}]}}'
    made = settings_merge.merge(text, ENTRIES, HOME)
    assert [note.place for note in made.notes] == ["PostToolUse[0].hooks[0].timeout"]
    assert settings_merge.without(made.text, HOME, made.created) == text


def test_splices_that_overlap_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        json_edit.apply("abc", [json_edit.Splice(0, 2, ""), json_edit.Splice(1, 3, "")])


@pytest.mark.parametrize("text", ["{}\n", '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}}'])
def test_whichever_of_two_installations_goes_last_takes_all_away(text: str) -> None:
    first = settings_merge.merge(text, ENTRIES, HOME)
    second = settings_merge.merge(first.text, {name: group(name, OTHER_HOME) for name in ENTRIES}, OTHER_HOME)
    assert (second.created.hooks, second.created.events) == (first.created.hooks, first.created.events)
    left = settings_merge.without(second.text, HOME, first.created)
    assert settings_merge.without(left, OTHER_HOME, second.created) == text
