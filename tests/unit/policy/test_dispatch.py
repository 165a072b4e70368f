"""What is sorted so that a command meets little of it means the same as when all of it is asked."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.hot import addresses, deeds_publish, file_places
from levaithan.hot.deed import Deed
from levaithan.hot.deed_rules import DeedRules
from levaithan.hot.invocation import Globs, like
from levaithan.hot.late import Late
from levaithan.hot.simple import Simple
from levaithan.hot.where import FILE_PLACES, INSIDE_OUT, PATH_PLACES, PLACES

WORDS = st.text("ab:/*", max_size=5)
HOME = "/home/dev"
PATHS = [
    "/home/dev/demo/src/a.py", "/home/dev/.bashrc", "/home/dev/.ssh/rc", "/home/dev/.config/fish/conf.d/a",
    "/etc/passwd", "/etc", "/home/dev/demo/.git", "/home/dev/demo/.git/hooks/x", "/home/dev/demo/.husky/x",
    "/home/dev/demo/Jenkinsfile", "/home/dev/demo/.GitLab-ci.yml", "/home/dev/demo/.github/workflows/a.yml",
    "/home/dev/.claude/settings.json", "/home/dev/.claude.json", "/home/dev/demo/.mcp.json",
    "/home/dev/demo/.cursor/mcp.json", "/home/eve/.profile", "/Users/eve/Library/LaunchAgents/a.plist",
    "/home/dev/x/claude_desktop_config.json", "/home/dev/.ssh/authorized_keys", "/usr/lib/systemd/system/a",
    "/var/www/a", "/usr/local/bin/a", "/home/dev/demo/.env", "/", "/workspace/.claude/hooks",
    "/home/dev/.local/share/systemd/a", "/home/dev/demo/.claude/plugins/p/hooks.json", "/var/spool/cron/root",
    "/tmp/a", "/home/dev/.gitconfig", "/home/dev/demo/.MCP.json", "/home/dev/demo/.Claude/Settings.json",
    "/home/dev/demo/.GIT/hooks/pre-commit", "/home/dev/bin/git", "/home/dev/.local/bin/ssh", "/home/dev/.vimrc",
    "/home/dev/.ssh/config", "/home/dev/demo/.vscode/tasks.json", "/home/dev/lib/sitecustomize.py",
    "/home/dev/v/site-packages/a.pth", "/home/dev/.local/state/levaithan/x", "/p/.claude/context/charter.toml",
]  # fmt: skip


@given(WORDS, st.lists(WORDS, max_size=4))
def test_sorted_globs_are_like_each(word: str, globs: list[str]) -> None:
    assert Globs(globs).fit(word) == any(like(word, glob) for glob in globs)


@pytest.mark.parametrize("path", PATHS)
def test_places_of_files(path: str) -> None:
    assert file_places.places_of(path, HOME) == [
        place for place, meets in file_places.FILE_PLACES.items() if meets(path, HOME)
    ]


@pytest.mark.parametrize(
    "host", ["webhook.site", "a.b.webhook.site", "xwebhook.site", "site", "", ".webhook.site", "a."]
)
def test_domains(host: str) -> None:
    wanted = host in addresses._DROPS or any(host.endswith("." + domain) for domain in addresses._DROPS)
    assert addresses._below(host, addresses._DROP_NAMES) == wanted


def test_the_same_host_is_the_same_after_another() -> None:
    urls = ["https://a.example/x", "http://[::1]:80/", "https://u:p@B.example.", "https://a.example/x"]
    assert [addresses.host_of(url) for url in urls] == ["a.example", "::1", "b.example", "a.example"]


class _Where:
    """Answers what rules are chosen by."""

    def __init__(self, *true: str) -> None:
        self._true = true

    def __getattr__(self, name: str) -> object:
        return lambda _deed: name in self._true


@pytest.mark.parametrize(
    ("where", "left_out"),
    [
        (_Where(), FILE_PLACES),
        (_Where("is_in_files"), frozenset[str]()),
        (_Where("is_inside"), FILE_PLACES | INSIDE_OUT),
        (_Where("is_ordinary"), PATH_PLACES),
    ],
    ids=["elsewhere", "in files", "inside", "ordinary"],
)
def test_only_rules_on_places_where_the_path_is_not_are_left_out(where: object, left_out: frozenset[str]) -> None:
    rules = [{"id": place, "tools": [], "does": ["write", "kill"], "to": [place]} for place in PLACES]
    kinds = DeedRules(rules).of_tool("Bash")
    for kind, wanted in (("write", set(PLACES) - left_out), ("kill", set(PLACES))):
        found = kinds[kind].about(Deed(kind, "x", None, "x"), where)  # type: ignore[arg-type]
        assert {rule["id"] for rule in found} == wanted


def test_rules_are_those_of_the_tool() -> None:
    names = [("all", []), ("bash", ["Bash"]), ("servers", ["mcp__*"])]
    rules = DeedRules([{"id": name, "tools": tools, "does": ["kill"], "to": ["any"]} for name, tools in names])
    where = _Where()
    for tool, wanted in (("Bash", ["all", "bash"]), ("mcp__x__y", ["all", "servers"]), ("Write", ["all"])):
        found = rules.of_tool(tool)["kill"].about(Deed("kill", "x", None, "x"), where)  # type: ignore[arg-type]
        assert [rule["id"] for rule in found] == wanted


@pytest.mark.parametrize("program", sorted(deeds_publish._VERBS))
def test_a_name_alone_is_read(program: str) -> None:
    kinds = [deed.kind for deed in deeds_publish.OF[program](Simple([program], [], None, None))]
    assert kinds == (["publish"] if "" in deeds_publish._VERBS[program].split("|") else [])


def test_a_late_module_is_imported_when_it_is_asked() -> None:
    late = Late("backoff")
    assert not hasattr(late, "__wrapped__") and list(vars(late)) == ["_module"]
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = late.no_such_name
    assert "levaithan.hot.backoff" in sys.modules
    name = next(name for name in vars(sys.modules["levaithan.hot.backoff"]) if not name.startswith("_"))
    assert getattr(late, name) is vars(late)[name]
