"""Restraints: scopes, kinds, expiry, two setters at once, broken files; what counts as only looking."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest
from tests.support import compiled_rules

from levaithan.hot import halts, hotconf, restraints
from levaithan.hot.event import Event
from levaithan.hot.paths import home_at
from levaithan.hot.workflow import Context

ROOT = Path(__file__).parents[3]
NOW = time.time_ns() // 1000


@pytest.fixture
def home(tmp_path):
    shutil.copytree(ROOT / ".claude" / "context", tmp_path / "context")
    compiled_rules.put(tmp_path)
    return home_at(str(tmp_path))


@pytest.fixture
def context(home):
    made = Context(home, hotconf.HotConf(), json.loads, json.dumps)
    made.now_us = NOW
    return made


def event(name: str = "PreToolUse", **payload: object) -> Event:
    made = Event("", name, {"session_id": "s1", "cwd": "/p/demo/sub", "tool_name": "Bash", **payload})
    made.project = "/p/demo"
    made.path = "native"
    return made


def bash(command: str, **more: object) -> Event:
    return event(tool_input={"command": command}, **more)


def put(home, kind="read_only", scope="session", target="s1", **more):
    return restraints.set_restraint(home, kind, scope, target, reason="why so", by="anna", **{"now_us": NOW, **more})


def test_without_a_file_nothing_is_held(home, context):
    assert restraints.active(home) == []
    assert restraints.restraint_for(bash("rm -r x"), context) is None


def test_it_says_what_is_held_by_whom_until_when_and_how_it_ends(home, context):
    one = put(home, lasts_s=3600)
    said = restraints.restraint_for(event(tool_name="Write", tool_input={"file_path": "/p/demo/a"}), context)
    assert (said.verdict, said.rule) == ("deny", "restraint.read_only")
    for part in ("Write", "anna", "why so", one.expires_at[:19], f"levaithan restraint release {one.id}"):
        assert part in said.reason


@pytest.mark.parametrize(
    ("scope", "target", "misses"),
    [
        ("session", "s1", {"session_id": "s2"}),
        ("agent", "a7", {"agent_id": "a8"}),
        ("project", "/p/demo", {}),
        ("all", "", None),
    ],
)
def test_scopes(home, context, scope, target, misses):
    put(home, "block_tool", scope, target, tool="Bash")
    assert restraints.restraint_for(event(agent_id="a7"), context).rule == "restraint.block_tool"
    if misses is not None:
        other = event(**{"agent_id": "a7", **misses})
        if scope == "project":
            other = Event("", "PreToolUse", {"session_id": "s1", "cwd": "/p/demolition", "tool_name": "Bash"})
        assert restraints.restraint_for(other, context) is None


def test_a_tool_is_blocked_by_its_name_and_a_servers_tools_by_their_prefix(home, context):
    put(home, "block_tool", tool="WebFetch")
    put(home, "block_tool", tool="mcp__db__*")
    for tool in ("WebFetch", "mcp__db__query"):
        for name in ("PreToolUse", "PermissionRequest"):
            assert restraints.restraint_for(event(name, tool_name=tool), context).rule == "restraint.block_tool"
    for tool in ("Read", "WebFetcher", "mcp__dbx__query"):
        assert restraints.restraint_for(event(tool_name=tool), context) is None


def test_a_throttle_lets_so_many_calls_a_minute_pass_and_says_when_the_next_may(home, context):
    put(home, "throttle", calls_per_minute=3)
    assert [restraints.restraint_for(event(), context) for _ in range(3)] == [None, None, None]
    said = restraints.restraint_for(event(), context)
    assert said.rule == "restraint.throttle" and "wait 61 s" in said.reason
    assert restraints.restraint_for(event("PermissionRequest"), context) is None, "the same call, asked about again"
    assert restraints.restraint_for(event(session_id="s2"), context) is None
    context.now_us += 62_000_000
    assert restraints.restraint_for(event(), context) is None


def test_what_is_refused_does_not_count_and_keeps_nobody_waiting_longer(home, context):
    put(home, "throttle", calls_per_minute=1)
    assert restraints.restraint_for(event(), context) is None
    for second in range(60):
        context.now_us = NOW + second * 1_000_000
        assert restraints.restraint_for(event(), context) is not None
    context.now_us = NOW + 62_000_000
    assert restraints.restraint_for(event(), context) is None


def test_without_a_service_the_calls_of_processes_are_counted_together(home):
    put(home, "throttle", calls_per_minute=2)

    def one_process():
        made = Context(home, hotconf.HotConf(), json.loads, json.dumps)
        made.now_us = NOW
        call = event()
        call.path = "oneshot"
        return restraints.restraint_for(call, made)

    assert [one_process() is None for _ in range(4)] == [True, True, False, False]


def test_it_ends_at_its_expiry_and_not_before(home, context):
    put(home, lasts_s=60)
    context.now_us = NOW + 59_000_000
    assert restraints.restraint_for(bash("touch a"), context) is not None
    context.now_us = NOW + 61_000_000
    assert restraints.restraint_for(bash("touch a"), context) is None


def test_a_clock_that_was_ahead_does_not_end_it_for_good(home, context):
    put(home, lasts_s=60)
    put(home, "throttle", calls_per_minute=5, now_us=NOW + 86_400_000_000)  # written while the clock was ahead
    context.now_us = NOW
    assert restraints.restraint_for(bash("touch a"), context) is not None


@pytest.mark.parametrize("name", ["Stop", "SessionEnd", "PostToolUse", "UserPromptSubmit", "Unknown"])
def test_it_holds_tool_calls_only(home, context, name):
    put(home)
    assert restraints.restraint_for(event(name), context) is None


def test_the_installations_own_probe_is_not_held(home, context):
    put(home, scope="all", target="")
    assert restraints.restraint_for(bash("touch a", session_id="levaithan-canary-1"), context) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"version": 2, "restraints": []}', '{"version": 1, "restraints": {}}',
        '{"version": 1, "restraints": [3]}', '{"version": 1, "restraints": [{"kind": "read_only", "scope": "all"}]}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_holds_every_guard_and_nothing_else(home, context, text):
    Path(home.state).mkdir(exist_ok=True)
    Path(home.restraints).write_text(text)
    for guard in ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange"):
        said = restraints.restraint_for(event(guard), context)
        assert said.verdict == "deny" and said.rule == "restraint.unreadable" and "doctor --fix" in said.reason
    assert restraints.restraint_for(event("PostToolUse"), context) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "hold"}, {"scope": "galaxy"}, {"scope": "all"}, {"target": ""}, {"kind": "throttle"},
        {"kind": "throttle", "calls_per_minute": -1}, {"calls_per_minute": 3}, {"kind": "block_tool"},
        {"kind": "block_tool", "tool": "*"}, {"tool": "Read"}, {"lasts_s": 0}, {"lasts_s": 1e15},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_nothing_is_written(home, wrong):
    with pytest.raises(ValueError):
        put(home, **wrong)
    assert not os.path.exists(home.restraints)


def test_one_is_released_and_the_others_stay(home, context):
    first, second = put(home), put(home, "block_tool", tool="Bash")
    assert [one.id for one in restraints.release_restraint(home, first.id)] == [first.id]
    assert [one.id for one in restraints.active(home)] == [second.id]
    assert restraints.release_restraint(home, "t-none") == []


def test_the_same_id_is_set_once(home):
    first = put(home, restraint_id="t-run")
    again = put(home, restraint_id="t-run", lasts_s=1)
    assert again.as_dict() == first.as_dict() and len(restraints.active(home)) == 1


def _set_many(root: str, start: object, count: int) -> None:
    start.wait()
    for number in range(count):
        restraints.set_restraint(home_at(root), "read_only", "session", f"{os.getpid()}-{number}", reason="r", by="b")


def test_of_setters_at_once_each_counts(tmp_path):
    made = multiprocessing.get_context("fork")
    start = made.Barrier(4)
    all_of_them = [made.Process(target=_set_many, args=(str(tmp_path), start, 25)) for _ in range(4)]
    for one in all_of_them:
        one.start()
    for one in all_of_them:
        one.join(60)
    assert len({one.target for one in restraints.active(home_at(str(tmp_path)))}) == 100


def test_a_change_is_seen_at_once_and_an_unchanged_file_is_not_read_again(home, context, monkeypatch):
    assert restraints.restraint_for(event(), context) is None
    put(home, "block_tool", tool="Bash")
    assert restraints.restraint_for(event(), context) is not None
    monkeypatch.setattr(halts, "_parse", lambda *_: pytest.fail("it was read again"))
    assert restraints.restraint_for(event(), context) is not None


LOOKS = [
    "ls -la", "cat a.txt b.txt", "grep -rn foo src | head -20", "git status", "git --no-pager log --oneline -5",
    "git diff HEAD~1", "find . -name '*.py' -newer a", "wc -l a 2>/dev/null", "echo done", "cd src && ls",
    "sort a | uniq -c | sort -rn", "stat a; file a", "/usr/bin/cat a", "test -f a && cat a", "rg -n foo", "cat a 2>&1",
    "pwd", "tree -L 2", "uniq a", "head -c 100 < a", "grep -rn a=b src", "echo x=1",
    "grep -n PATH= a; echo LD_PRELOAD=x", "echo a | grep x=1", "git log --grep=x=1", "printf '%s\\n' a=1",
    "printf 'a %s' $HOME ${HOME} \"$USER\"", "printf -- -v", "test -d src", "[ -f a ] && [ a != b ]",
    "[[ -f a ]] && cat a", "[[ $x == a* ]] && ls", "echo ${x:-y} ${x%.py} ${#x}", "date", "date +%F",
    "date -u '+%F %T'", "date -d yesterday +%s", "date -r a", "date --date='2 days ago'", "date -Iseconds",
    "git log -p -3 --stat --since=yesterday -- a", "git -P diff --cached --name-only", "git status -sb --porcelain=v2",
    "git show HEAD:a", "git log -Sfoo --oneline --all --graph", "git blame -L 1,5 a", "git rev-parse --show-toplevel",
    "git ls-files -o --exclude-standard", "git cat-file -p HEAD", "git describe --tags --always",
    "git log --format=%H%n%s", "git diff --no-ext-diff --no-textconv -w", "git shortlog -sn",
    "git rev-list --count HEAD", "git diff -U10 a b", "cd -", "uniq -c a",
]  # fmt: skip
CHANGES = [
    "touch a", "rm a", "echo x > a", "cat a >> b", "python3 -c 'print(1)'", "make test", "npm test", "git commit -m x",
    "git checkout main", "git -c alias.x='!touch a' x", "git log --output=a", "git diff --ext-diff", "find . -delete",
    "find . -exec touch {} ;", "find . -fprint a", "sort -o a b", "sort --output=a b", "uniq a b", "./ls", "/tmp/cat a",
    "sudo ls", "env ls", "bash -c ls", "PATH=/tmp ls", "LD_PRELOAD=x.so ls", "GIT_PAGER=touch git log", "ls $(touch a)",
    "ls `touch a`", "ls | tee a", "ls; touch a", "ls && touch a", "ls & touch a", "alias ls='touch a'; ls",
    "ls() { touch a; }; ls", "cat <<< x > a", "xargs touch", "sed -n 1p a", "awk 1 a", "tar tf a", "curl http://x.test",
    "ssh host ls", "docker ps", "$X", "git $X", "find $X", "exec 3> a", "date -s 2020-01-01", "file -C -m a",
    "rg --pre x y",
    "tree -o a", "dd if=a of=b", "source a", ". a", "eval ls", "cp a b", "kill 1", "levaithan halt set --scope all",
    "vim a", "less a", "", "   ", "ls\ntouch a", "(touch a)", "{ touch a; }", "if true; then touch a; fi",
    "coproc touch a", "time touch a", "! touch a", "cat a > /dev/tcp/x/1", "git show > a", "ls >| a", "ls &> a",
    "test -v 'a[$(touch a)]'", "[ -v 'a[$(touch a)]' ]", "test -v x", "test $X 'a[$(touch a)]'", "[ ! -v x ]",
    "test -R x", "printf -v 'a[$(touch a)]' y", "printf -v x '$(touch a)'; echo ${x@P}", "printf -v PATH /tmp; ls",
    "printf -vPATH /tmp", "printf $X PATH /tmp; ls", "printf $(cat a) PATH /tmp; ls", "echo ${x@P}",
    "echo \"${PS1@P}\"", "cat <<E\n${x@P}\nE", "echo ${PATH:=/tmp}; ls", "echo ${x:=$'a[\\x24(touch a)]'}; echo $((x))",
    "echo ${x='$(touch a)'}", "echo $((PATH=5)); ls", "((PATH=5)); ls", "echo $[PATH=5]; ls", "[[ PATH=5 -eq 5 ]]; ls",
    "[[ -v x ]] && ls", "[[ PATH=5 -e\\\nq 5 ]]; ls", "echo ${a[PATH=5]}; ls", "echo ${#a[PATH=5]}; ls",
    "echo ${!a[PATH=5]}; ls", "echo ${x:PATH=5}; ls", "PATH+=:/tmp; ls", "> /dev/null PATH=/tmp ls",
    "if PATH=/tmp; then ls; fi", "{ PATH=/tmp; ls; }", "(PATH=/tmp; ls)", "a[0]=1 ls", "x=(a); ls", "! PATH=/tmp ls",
    "ls | PATH=/tmp cat", "for PATH in /tmp; do ls; done", "echo $(PATH=/tmp ls)", "echo `PATH=/tmp ls`",
    "case a in a) PATH=/tmp;; esac; ls", "echo ${x:-{}; touch a; echo }", "echo ${x:-'}'}; touch a; echo '}'",
    "date 0101000026", "date 010100002026.30", "date -u 01010000", "date -Id 01010000", "date --set=2020-01-01",
    "date --s x", "date -us x", "date --da=now 01010000", "date -- 01010000", "date -f a", "date $X",
    "git diff --ext-d", "git log --textc -p", "git cat-file --filters HEAD:a", "git cat-file --filt HEAD:a",
    "git log --outp=a", "git diff --outpu a", "git show --output a", "git grep -O x",
    "git grep --open-files-in-pager x", "git diff -Oa", "git log --show-signature", "git log --show-sig",
    "git log --format=%GG", "git log '--pretty=format:%h %G?'", "git log --grep -- --output=a",
    "git blame -L -- --output=a", "git -p log", "git --exec-path=/tmp log", "git diff --no-such",
    "git log --remerge-diff", "git --paginate log", "git status --x=a", "uniq - a", "uniq a -- -b", "sort a -oa",
]  # fmt: skip


@pytest.mark.parametrize("command", LOOKS)
def test_a_session_that_may_read_only_still_looks(home, context, command):
    put(home)
    assert restraints.restraint_for(bash(command), context) is None


@pytest.mark.parametrize("command", CHANGES)
def test_a_session_that_may_read_only_changes_nothing(home, context, command):
    put(home)
    said = restraints.restraint_for(bash(command), context)
    assert said is not None and said.rule == "restraint.read_only" and said.reason.isprintable()


@pytest.mark.parametrize("tool", ["Read", "Grep", "Glob", "LS", "TodoWrite", "AskUserQuestion"])
def test_reading_tools_pass(home, context, tool):
    put(home)
    assert restraints.restraint_for(event(tool_name=tool, tool_input={"file_path": "/p/demo/a"}), context) is None


@pytest.mark.parametrize(
    "tool", ["Write", "Edit", "NotebookEdit", "WebFetch", "Agent", "Task", "mcp__fs__read", "Monitor", "New", None, ""]
)
def test_what_may_write_send_or_start_another_agent_does_not_pass(home, context, tool):
    put(home)
    assert restraints.restraint_for(event(tool_name=tool, tool_input={"command": "ls"}), context) is not None


def test_what_runs_in_the_background_is_not_looking(home, context):
    put(home)
    call = event(tool_input={"command": "ls", "run_in_background": True})
    assert restraints.restraint_for(call, context) is not None


def test_a_repository_that_has_git_start_programs_is_not_looked_at(home, context, tmp_path):
    (tmp_path / "r/.git").mkdir(parents=True)
    put(home)
    call = bash("git status", cwd=str(tmp_path / "r"))
    assert restraints.restraint_for(call, context) is None
    (tmp_path / "r/.git/config").write_text("[core]\n\tfsmonitor = ./x\n")
    said = restraints.restraint_for(call, context)
    assert said is not None and "core.fsmonitor" in said.reason
    (tmp_path / "r/sub").mkdir()
    assert restraints.restraint_for(bash("cd sub && git log", cwd=str(tmp_path / "r")), context) is not None
