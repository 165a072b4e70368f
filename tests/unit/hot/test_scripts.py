"""What stands in a file is judged as what it runs, at the moment of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from levaithan.hot import policy_pack
from levaithan.hot.event import Event
from levaithan.hot.policy import Policy

PACKS = Path(__file__).resolve().parents[3] / ".claude" / "context" / "policies"


@pytest.fixture(scope="module")
def rules() -> Policy:
    packs = [(str(path), path.read_bytes()) for path in sorted(PACKS.glob("*.toml"))]
    return policy_pack.stage(policy_pack.compile_packs(packs))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bad.sh").write_text("#!/bin/bash\nset -e\nrm -rf /\n")
    (tmp_path / "good.sh").write_text("#!/bin/bash\necho 'rm -rf /' > notes.txt\nrm -rf build\n")
    (tmp_path / "outer.sh").write_text("cd . && ./bad.sh\n")
    (tmp_path / "loop.sh").write_text("./loop.sh; bash loop.sh\n")
    (tmp_path / "bad.py").write_text("import os\n\nos.system(\n    'rm -rf /'\n)\n")
    (tmp_path / "args.py").write_text("import subprocess\nsubprocess.run(['git', 'push', '--force'], check=True)\n")
    (tmp_path / "good.py").write_text("import subprocess\nBAD = ['rm -rf /', 'x']\nsubprocess.run(['ls'])\n")
    (tmp_path / "bad.js").write_text("const { execSync } = require('child_process');\nexecSync('git reset --hard');\n")
    (tmp_path / "binary").write_bytes(b"\x7fELF\x00\x00rm -rf /\n")
    (tmp_path / "Makefile").write_text(
        "DIR = /\nOUT := build\n.PHONY: all\nall: first $(LATER)\n\t@echo hi\nfirst:\n\t-rm -rf $(DIR)\n"
        "clean:\n\trm -rf $(OUT) $(UNKNOWN)/x\nescape:\n\techo $$HOME\n"
    )
    scripts = {
        "pretest": "git push --force",
        "test": "jest",
        "build": "tsc",
        "wipe": "rm -rf /",
        "postinstall": "rm -rf ~",
    }
    (tmp_path / "package.json").write_text(json.dumps({"scripts": scripts}))
    (tmp_path / "justfile").write_text("default: wipe\nwipe:\n    rm -rf /\nok:\n    echo ok\n")
    return tmp_path


def verdict(rules: Policy, project: Path, command: str) -> tuple[str, str]:
    event = Event("", "PreToolUse", {"tool_name": "Bash", "tool_input": {"command": command}, "cwd": str(project)})
    event.project = str(project)
    said = rules.judge(event)
    return (said.verdict, said.reason or "") if said else ("allow", "")


@pytest.mark.parametrize(
    "command",
    [
        "bash bad.sh", "./bad.sh", "sh -x bad.sh a b", "sh < bad.sh", ". ./bad.sh", "source bad.sh", "sudo ./bad.sh",
        "env A=1 timeout 9 bash bad.sh", "bash -c './bad.sh'", "chmod +x bad.sh && ./bad.sh", "cp bad.sh c.sh; sh c.sh",
        "bash outer.sh", "python3 bad.py", "python3 -u bad.py --flag", "python3 args.py", "node bad.js", "make",
        "make first", "make -C . all", "make clean OUT=/", "npm test", "npm run wipe", "npm run-script wipe",
        "yarn wipe",
        "pnpm run wipe", "npm install", "npm ci", "just", "just wipe",
        "cat > new.sh <<'EOF'\nrm -rf /\nEOF\nbash new.sh", "echo 'rm -rf /' > new.sh && sh new.sh",
        "printf 'echo a\\n' > n.sh; echo 'rm -rf ~' >> n.sh; bash n.sh", "echo 'rm -rf /' | tee n.sh && bash n.sh",
        "cat > n.py <<E\nimport shutil\nshutil.rmtree('/')\nE\npython3 n.py", "find . -name bad.sh -exec sh {} \\;",
    ],
)  # fmt: skip
def test_what_it_runs_is_held(rules: Policy, project: Path, command: str) -> None:
    assert verdict(rules, project, command)[0] in ("deny", "ask")


@pytest.mark.parametrize(
    "command",
    [
        "cat bad.sh", "bash -n good.sh", "bash good.sh", "python3 good.py", "./binary", "bash missing.sh", "make clean",
        "make escape", "make -n first", "make missing", "npm run build", "npm ls", "just ok", "just --list",
        "bash loop.sh",
        "echo 'rm -rf /' > notes.txt; cat notes.txt", "ls -l bad.sh", "git add bad.sh", "shellcheck bad.sh",
        "wc -l bad.py",
    ],
)  # fmt: skip
def test_what_it_does_not_run_is_not(rules: Policy, project: Path, command: str) -> None:
    assert verdict(rules, project, command) == ("allow", "")


def test_the_reason_names_the_file(rules: Policy, project: Path) -> None:
    assert verdict(rules, project, "bash outer.sh")[1].startswith("`outer.sh: ./bad.sh: rm -rf /` would delete /")
    assert verdict(rules, project, "npm test")[1].startswith("`npm run pretest: git push --force`")


def test_pipes_folders_and_what_cannot_be_read_are_passed_over(rules: Policy, project: Path) -> None:
    import os

    os.mkfifo(project / "pipe.sh")
    (project / "folder.sh").mkdir()
    (project / "latin.sh").write_bytes(b"echo caf\xe9\nrm -rf /\n")
    assert verdict(rules, project, "bash pipe.sh")[0] == "allow"
    assert verdict(rules, project, "bash folder.sh")[0] == "allow"
    assert verdict(rules, project, "bash latin.sh")[0] == "deny"
