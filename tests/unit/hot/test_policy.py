"""Rules: what the base pack holds up and lets pass, links, packs that are refused, the last good set."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from levaithan.hot import policy
from levaithan.hot.event import Event
from levaithan.hot.paths import home_at
from levaithan.hot.policy_pack import compile_packs

REPOSITORY = Path(__file__).resolve().parents[3]
BASE = REPOSITORY / ".claude/context/policies/base.toml"
GOOD = """
[[rule]]
id = "t.no-mv"
severity = "low"
effect = "deny"
does = ["move"]
reason = "moves {place}"
instead = "copy it"
[rule.examples]
deny = ["mv a b"]
allow = ["cp a b"]
"""


class Installation:
    """A home, a project and a user's home under a temporary folder, with the base pack and hooks registered."""

    def __init__(self, top: Path) -> None:
        self.user = top / "user"
        self.project = self.user / "demo"
        self.home = home_at(str(top / "h"))
        for folder in ("context/policies", "hooks", "state", "logs/journal", "keys", "bin", "run"):
            Path(self.home.root, folder).mkdir(parents=True, mode=0o700)
        (self.project / ".claude").mkdir(parents=True)
        self.settings = self.project / ".claude/settings.json"
        self.register()
        Path(self.home.context, "policies/base.toml").write_bytes(BASE.read_bytes())
        Path(self.home.hot_conf).write_text(f"src={top}/clone/src\n")
        Path(self.home.installs).write_text(json.dumps({"installs": [{"path": str(self.settings)}]}))
        for pid, part in zip((4242, 5243, 5244, 5245), ("service", "monitor", "projector", "projector-1"), strict=True):
            Path(self.home.run, part + ".json").write_text(json.dumps({"pid": pid}))
        Path(self.home.run, "other.json").write_text(json.dumps({"pid": 4250}))

    def register(self) -> None:
        entry = [{"hooks": [{"type": "command", "command": self.home.root + "/bin/levaithan-hook", "args": ["X"]}]}]
        guards = ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange")
        self.settings.write_text(json.dumps({"hooks": dict.fromkeys(guards, entry)}))

    def judge(self, tool: str, name: str = "PreToolUse", cwd: Path | None = None, **given: object):
        rules = policy.load(self.home)
        made = policy.Policy(self.home, rules.conf, rules.rules, rules.problems, str(self.user))
        payload = {"tool_name": tool, "tool_input": given, "cwd": str(cwd or self.project)}
        event = Event("", name, payload)
        event.project = str(self.project)
        return made.judge(event)

    def bash(self, command: str, **more: object):
        return self.judge("Bash", command=command.replace("{h}", self.home.root), **more)

    def change(self, path: Path):
        rules = policy.load(self.home)
        return rules.judge(Event("", "ConfigChange", {"file_path": str(path), "source": "project_settings"}))


@pytest.fixture
def installed(tmp_path) -> Installation:
    return Installation(tmp_path)


def test_the_base_pack_stands_its_own_examples():
    rules = compile_packs([(str(BASE), BASE.read_bytes())])
    assert {rule["id"] for rule in rules} >= {
        "fs.delete-root",
        "self.edit",
        "self.switch-off",
        "self.kill",
        "self.unregister",
    }


DENIED = [
    "rm {h}/state/hot.conf",
    "cd {h} && rm -rf logs",
    "cd {h}/.. && rm -r h",
    "echo x >> {h}/context/policies/base.toml",
    "tee {h}/hooks/x.py < y",
    "mv {h}/hooks {h}/hooks.off",
    "cp -t {h}/context/policies a.toml",
    "ln -f a {h}/state/halts.json",
    "ln {h}/state/halts.json /tmp/second-name",
    "chmod -x {h}/bin/levaithan-hook",
    "sed -i.bak s/a/b/ {h}/context/workflows.toml",
    "python3 -c 'import shutil; shutil.rmtree(\"{h}/logs\")'",
    "perl -e 'unlink \"{h}/state/hot.conf\"'",
    "rm .claude/settings.json",
    "rm -rf .claude",
    "rm -rf ../demo",
    "mv .claude .claude-off",
    "cat > .claude/settings.json <<'E'\n{}\nE",
    "echo '{}' > ./x/../.claude/settings.local.json",
    "jq . a > $CLAUDE_PROJECT_DIR/.claude/settings.json",
    "rm .claude/sett*",
    "rm .cl*/settings.json",
    "find {h}/logs -delete",
    "find {h}/logs -name '*.log' -exec rm {} +",
    "find . -name settings.json | xargs -I{} rm {h}/state/hot.conf",
    "kill 4242",
    "kill -9 4242",
    "sudo kill -s TERM 4242",
    "kill -STOP 5243",
    "kill 1 5244",
    "kill -9 5245 -0",
    "kill -s 0 -9 5243",
    "kill -9 -5243",
    "renice 19 5243",
    "renice -n 19 -p 5244",
    "gdb -p 5243",
    "gdb ./a 5243",
    "gdb --pid=5243",
    "strace -fp 5243",
    "taskset -p 0x1 5243",
    "prlimit --pid 5243 --cpu=1",
    "cpulimit -p 5243 -l 1",
    "python3 -c 'import os; os.kill(5243, 19)'",
    "perl -e 'kill 9, 5244'",
    "wget -O {h}/bin/levaithan-hook https://example.org/x",
    "tar -xf x.tar -C {h}/hooks",
    "touch {h}/state/halts.json",
    "truncate -s0 {h}/logs/journal/j",
]
PASSED = [
    "cat {h}/logs/service.log | grep deny",
    "tail -f {h}/logs/journal/j.log",
    "ls {h}",
    "cp {h}/logs/service.log /tmp/",
    "wc -l < {h}/state/hot.conf",
    "rm -rf build .venv node_modules",
    "echo '{h}/state/hot.conf' > notes.txt",
    "git add .claude/commands && git commit -m 'change .claude/settings.json by hand'",
    "kill 4243",
    "kill 4250",
    "kill -0 5243",
    "renice 19 4250",
    "strace -o 5243 ls",
    "gdb ./a",
    "python3 -c 'import os; os.kill(4250, 19)'",
    "mv a b",
    "chmod +x run.sh",
    "python3 -c 'print(1)' > out.txt",
    "python3 manage.py test",
    "levaithan journal verify",
    "npm run build 2>&1 | tee build.log",
    "mkdir -p .claude/agents && cp a.md .claude/agents/",
]


@pytest.mark.parametrize("command", DENIED)
def test_the_guard_guards_itself(installed, command):
    opinion = installed.bash(command)
    assert opinion is not None and opinion.verdict == "deny", command
    assert f"[rule {opinion.rule}]" in opinion.reason and "Instead: " in opinion.reason and "\n" not in opinion.reason


@pytest.mark.parametrize("command", PASSED)
def test_what_only_looks_like_it_passes(installed, command):
    assert installed.bash(command) is None


def test_a_folder_with_settings_elsewhere_is_no_concern(installed, tmp_path):
    assert installed.judge("Write", file_path=str(tmp_path / "other/notes.json"), content="") is None


@pytest.mark.parametrize("tool", ["Write", "Edit", "MultiEdit"])
def test_file_tools_through_links(installed, tmp_path, tool):
    link = installed.project / "harmless.txt"
    link.symlink_to(Path(installed.home.state, "hot.conf"))
    assert installed.judge(tool, file_path=str(link)).rule == "self.edit"
    dangling = installed.project / "dangling.txt"
    dangling.symlink_to(Path(installed.home.hooks, "not-there-yet.py"))
    assert installed.judge(tool, file_path=str(dangling)).rule == "self.edit"
    folder = installed.project / "folder"
    folder.symlink_to(installed.home.root)
    assert installed.judge(tool, file_path=str(folder / "state/new.json")).rule == "self.edit"
    assert installed.bash("rm folder/state/hot.conf").rule == "self.edit"
    assert installed.bash("echo > dangling.txt").rule == "self.edit"
    assert installed.judge(tool, file_path=str(installed.project / "real.txt")) is None


def test_relative_and_dotted_paths(installed):
    assert installed.judge("Write", file_path=".claude/settings.json").rule == "self.edit"
    assert installed.judge("Write", file_path=f"{installed.project}/a/../.claude/./settings.json").rule == "self.edit"
    assert installed.judge("NotebookEdit", notebook_path=installed.home.root + "/hooks/a.ipynb").rule == "self.edit"


@pytest.mark.parametrize("value", [None, 5, ["x"], {}, ""])
def test_inputs_of_the_wrong_type_do_no_harm(installed, value):
    assert installed.judge("Write", file_path=value) is None
    assert installed.judge("Bash", command=value) is None


def test_a_permission_request_is_judged_like_the_call(installed):
    assert installed.judge("Bash", "PermissionRequest", command="rm -rf /").rule == "fs.delete-root"


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "",
        "{",
        "[]",
        '{"hooks": {}}',
        '{"hooks": 5}',
        '{"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": "other"}]}]}}',
    ],
)
def test_taking_the_hooks_out_of_a_settings_file_is_denied(installed, content):
    assert installed.change(installed.settings) is None
    installed.settings.write_text(content)
    opinion = installed.change(installed.settings)
    assert opinion.verdict == "deny" and opinion.rule == "self.unregister"


def test_switching_all_hooks_off_or_deleting_the_file_is_denied(installed):
    settings = json.loads(installed.settings.read_text())
    installed.settings.write_text(json.dumps({**settings, "disableAllHooks": True}))
    assert "disableAllHooks" in installed.change(installed.settings).reason
    installed.settings.unlink()
    assert installed.change(installed.settings).verdict == "deny"
    other = installed.project / ".claude/other.json"
    other.write_text("{}")
    assert installed.change(other) is None


def write(installed: Installation, text: str, name: str = "more.toml") -> None:
    Path(installed.home.context, "policies", name).write_text(text)


def test_a_new_pack_counts_at_once(installed):
    assert installed.bash("mv a b") is None
    write(installed, GOOD)
    assert installed.bash("mv a b").rule == "t.no-mv"


def test_a_shadow_rule_is_said_and_bites_nobody(installed):
    write(installed, GOOD.replace('effect = "deny"', 'effect = "deny"\nmode = "shadow"'))
    opinion = installed.bash("mv a b")
    assert opinion.verdict == "allow" and opinion.rule == "t.no-mv" and opinion.reason.startswith("shadow, would deny")
    assert installed.bash("mv a b; rm -rf /").verdict == "deny"


def test_a_warning_is_told_to_the_model_and_bites_nobody(installed):
    write(installed, GOOD.replace('effect = "deny"', 'effect = "warn"'))
    opinion = installed.bash("mv a b")
    assert opinion.verdict == "allow" and "copy it" in opinion.context


def test_a_shadow_rule_does_not_hide_a_warning(installed):
    shadow = GOOD.replace('effect = "deny"', 'effect = "deny"\nmode = "shadow"').replace("t.no-mv", "t.a-shadow")
    write(installed, shadow + GOOD.replace('effect = "deny"', 'effect = "warn"'))
    opinion = installed.bash("mv a b")
    assert opinion.rule == "t.no-mv" and "copy it" in opinion.context


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (('does = ["move"]', 'does = ["move"'), 7, ""),
        (('id = "t.no-mv"', 'id = "t.no-mv"\ncolour = "red"'), 2, "unknown key 'colour'"),
        (('effect = "deny"', 'effect = "forbid"'), 2, "effect is 'forbid', expected deny, ask, warn"),
        (('does = ["move"]', 'does = ["dance"]'), 2, "'dance' in does"),
        (('does = ["move"]', 'does = ["move"]\nto = ["mars"]'), 2, "'mars' in to"),
        (('instead = "copy it"', 'instead = ""'), 2, "instead is missing"),
        (('deny = ["mv a b"]', 'deny = ["cp a b"]'), 2, "lets it pass"),
        (('allow = ["cp a b"]', 'allow = ["mv a b"]'), 2, "holds it up"),
        (('allow = ["cp a b"]', ""), 2, "no allow example"),
        (("[[rule]]", "[[rules]]"), 1, "unknown table 'rules'"),
        (('id = "t.no-mv"', 'id = "fs.delete-root"'), 2, "stands in"),
        (("[[rule]]", "[pack]\nrules = 2\n[[rule]]"), 1, "there are 2 rules, and there are 1, as if"),
        (("[[rule]]", "[pack]\nrules = true\n[[rule]]"), 1, "the number of [[rule]]"),
        (("[[rule]]", f"[pack]\nrules = {'9' * 5000}\n[[rule]]"), None, "4300 digits"),
        (("[[rule]]", f"deep = {'[' * 3000}{']' * 3000}\n[[rule]]"), None, "recursion"),
        (('deny = ["mv a b"]', "deny = 5"), 2, "a list, not 5"),
        (('deny = ["mv a b"]', 'deny = "mv a b"'), 2, "a list, not 'mv a b'"),
    ],
)
def test_a_bad_pack_is_refused_with_file_line_and_reason_and_the_last_good_rules_stay(installed, change, line, said):
    write(installed, GOOD)
    assert policy.load(installed.home).problems == []
    write(installed, GOOD.replace(*change))
    problem = policy.load(installed.home).problems[0]
    assert re.search(rf"/policies/more\.toml:{line or '[0-9]+'}: ", problem) and said in problem
    assert "last good" in problem
    assert installed.bash("mv a b").rule == "t.no-mv"
    assert installed.bash("rm -rf /").rule == "fs.delete-root"


def test_without_any_good_rules_guards_are_denied_with_the_way_out(installed, tmp_path):
    os.unlink(installed.home.context + "/policies/base.toml")
    opinion = policy.load(installed.home).judge(Event("", "PreToolUse", {"tool_name": "Bash"}))
    assert opinion.verdict == "deny" and "levaithan doctor --fix" in opinion.reason
    assert policy.load(installed.home).judge(Event("", "Stop", {})) is None


def test_compiled_rules_need_no_toml_parser(installed):
    policy.load(installed.home)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from levaithan.hot import policy, paths\n"
        "from levaithan.hot.event import Event\n"
        "rules = policy.load(paths.home_at(sys.argv[2]))\n"
        "edit = Event('', 'PreToolUse', {'tool_name': 'Edit', 'tool_input': {'file_path': '/x/y'}, 'cwd': '/'})\n"
        "assert rules.judge(edit) is None and len(rules.rules) > 5\n"
        "heavy = {'tomllib', 're', 'json', 'typing', 'pathlib', 'hashlib', 'fnmatch', 'dataclasses'} & {*sys.modules}\n"
        "assert not heavy, heavy\n"
    )
    arguments = [sys.executable, "-I", "-S", "-c", code, str(REPOSITORY / "src"), installed.home.root]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_cache_that_is_no_cache_is_made_anew(installed):
    policy.load(installed.home)
    cache = Path(installed.home.state, "cache/policy.json")
    softer = cache.read_bytes().replace(b'"root"', b'"soot"')  # one bit: a place that no deletion ever meets
    assert softer != cache.read_bytes()
    for content in (b"", b"{", b"[]", b'{"format": 1}', b"\xff", softer):
        cache.write_bytes(content)
        policy._loaded.clear()
        assert installed.bash("rm -rf /").rule == "fs.delete-root"


def test_a_home_that_cannot_be_written_still_judges(installed):
    cache = Path(installed.home.state, "cache")
    cache.write_text("a file in the way")
    policy._loaded.clear()
    assert installed.bash("rm -rf /").rule == "fs.delete-root"
    assert policy.load(installed.home).problems == []
