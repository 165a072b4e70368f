"""What leaves for the world: packages, images, releases, gists; what comes from an unusual place; what is uninstalled.

Part of deeds.py, which loads it when one of its programs is run. A rehearsal (--dry-run and its like) is no deed.
Standard library only.
"""

from __future__ import annotations

from levaithan.hot.deed import Deed, shown
from levaithan.hot.shell_options import operands, operands_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.shell import Simple

    Reader = Callable[[Simple], Iterator[Deed]]

_REHEARSALS = ("--dry-run", "--help", "-h", "--snapshot", "--dryrun", "--whatif", "--noop")
_GRADLE = (
    "publish|publishPlugins|uploadArchives|closeAndReleaseRepository|publishAllPublicationsToMavenCentralRepository"
)
_VERBS: dict[str, str] = {
    "npm": "publish|unpublish|deprecate|dist-tag add|dist-tag rm|owner add|owner rm|access public|access set|"
    "token create",
    "pnpm": "publish|unpublish|deprecate|dist-tag add|dist-tag rm|owner add",
    "yarn": "publish|npm publish|unpublish|npm tag add|owner add",
    **dict.fromkeys(
        ("bun", "changeset", "deno", "flit", "hatch", "jsr", "lerna", "opam", "ovsx", "pdm", "poetry", "rye", "uv"),
        "publish",
    ),
    "np": "",
    "semantic-release": "",
    "release-it": "",
    "twine": "upload",
    "maturin": "publish|upload",
    "cargo": "publish|yank|owner --add|owner --remove|owner add|release",
    "gem": "push|yank|owner --add",
    "rake": "release",
    "pod": "trunk push|repo push|trunk delete|trunk deprecate",
    "mix": "hex.publish|hex.retire",
    "dart": "pub publish",
    "flutter": "pub publish",
    "cabal": "upload",
    "stack": "upload",
    "luarocks": "upload",
    "mvn": "deploy|release:perform|nexus-staging:release",
    "mvnw": "deploy|release:perform",
    **dict.fromkeys(("gradle", "gradlew"), _GRADLE),
    "sbt": "publish|publishSigned|sonatypeRelease|sonatypeBundleRelease",
    "dotnet": "nuget push|nuget delete",
    "nuget": "push|delete",
    "vsce": "publish|unpublish",
    "web-ext": "sign",
    "conan": "upload",
    "conda": "upload",
    "anaconda": "upload|remove",
    "docker": "push|image push|compose push|manifest push|plugin push|buildx imagetools create|trust sign",
    "docker-compose": "push",
    "podman": "push|image push|manifest push",
    "nerdctl": "push|image push",
    "buildah": "push",
    "crane": "push|copy|tag|delete",
    "skopeo": "copy|sync|delete",
    "oras": "push|copy",
    "ko": "publish",
    "helm": "push|cm-push|s3 push",
    "cosign": "sign|attach",
    "gh": "release create|release upload|release delete|release edit|gist create|gist edit|repo create --public|"
    "repo edit --visibility|gist delete",
    "glab": "release create|release upload|release delete|snippet create",
    "goreleaser": "release|publish",
    "hf": "upload|upload-large-folder|repo create",
    "huggingface-cli": "upload|upload-large-folder|repo create",
    "surge": "",
    "gist": "",
    "clawhub": "publish",
    "mcp-publisher": "publish",
}
"""Program -> its subcommands that publish, `|` between them; "": the program itself."""
_read: dict[str, list[tuple[str, list[str], str]]] = {}
_ENGINES = ("docker", "podman", "nerdctl", "cargo", "uv", "poetry")
_BY_MODULE = {"twine": "upload", "flit": "publish", "poetry": "publish", "hatch": "publish"}
_INSTALLS = ("install", "add", "i", "ci", "sync", "download", "wheel", "upgrade", "reinstall")
_INSTALLERS = frozenset(
    ("pip", "pip3", "pipx", "uv", "npm", "pnpm", "yarn", "bun", "cargo", "gem", "poetry", "pdm", "npx", "bunx", "brew")
)
_KNOWN_SOURCES = (
    "pypi.org files.pythonhosted.org download.pytorch.org registry.npmjs.org registry.yarnpkg.com rubygems.org "
    "crates.io npm.pkg.github.com pypi.nvidia.com wheels.vllm.ai test.pypi.org"
).split()
_SOURCE_FLAGS = "--index-url --extra-index-url -i --trusted-host --find-links -f --default-index --index".split()
_REMOVERS: dict[str, tuple[str, ...]] = {
    "apt": ("remove", "purge", "autoremove", "autopurge"),
    "apt-get": ("remove", "purge", "autoremove", "autopurge"),
    "aptitude": ("remove", "purge"),
    "yum": ("remove", "erase", "autoremove"),
    "dnf": ("remove", "erase", "autoremove"),
    "zypper": ("remove", "rm"),
    "apk": ("del",),
    "snap": ("remove",),
    "flatpak": ("uninstall", "remove"),
    "port": ("uninstall",),
    "emerge": ("--unmerge", "-C", "--depclean"),
    "dpkg": ("-r", "-P", "--remove", "--purge"),
    "rpm": ("-e", "--erase"),
    "pkg": ("delete", "remove"),
}


def _publishes(made: Simple) -> Iterator[Deed]:
    """A subcommand of _VERBS, wherever options stand."""
    words = made.words
    if any(word in _REHEARSALS or word.startswith("--dry-run=") for word in words[1:]):
        return
    if "--version" in words[1:2] or words[-1] == "--version":
        return
    plain = [word for word in words[1:] if word[:1] != "-" and not word.startswith("+")]
    if made.name in ("gradle", "gradlew", "sbt"):
        tasks = [word.rpartition(":")[2].lstrip("+") for word in words[1:]]
        plain = [one for one in tasks if not one.endswith("Local")]
        plain = ["publish" for one in plain if one.startswith("publish")] or plain
    for verb, wanted, first in _wanted(made.name):
        if (not first or first in plain) and _stands(wanted, plain, words):
            yield Deed("publish", f"{made.name} {verb}".strip(), made.cwd, shown(words))
            return
    if made.name == "docker" and "--push" in words and ("build" in plain or "buildx" in plain):
        yield Deed("publish", "docker build --push", made.cwd, shown(words))


def _wanted(program: str) -> list[tuple[str, list[str], str]]:
    """(subcommand, its words, the first that is no flag) of what _VERBS has of `program`."""
    known = _read.get(program)
    if known is None:
        verbs = [(verb, verb.split()) for verb in _VERBS[program].split("|")]
        known = [(verb, words, next((word for word in words if word[:1] != "-"), "")) for verb, words in verbs]
        _read[program] = known
    return known


def _stands(wanted: list[str], plain: list[str], words: list[str]) -> bool:
    """Whether the subcommand `wanted` is called: its words lead, behind a flag's value or a workspace at most."""
    if not wanted:
        return bool(plain) or len(words) == 1
    flags = [word for word in wanted if word[:1] == "-"]
    names = [word for word in wanted if word[:1] != "-"]
    if any(not any(word == flag or word.startswith(flag + "=") for word in words) for flag in flags):
        return False
    grouped = plain and plain[0] in ("workspace", "workspaces", "run") and words[0] not in _ENGINES
    later = grouped or "".join(words[1:2]).startswith(("-", "+"))
    return any(plain[at : at + len(names)] == names for at in range(3 if later else 1))


def _python(made: Simple) -> Iterator[Deed]:
    """python -m twine upload, python setup.py upload."""
    words = made.words
    for i, word in enumerate(words[1:-1], 1):
        module = words[i + 1]
        if word == "-m" and module in _BY_MODULE and _BY_MODULE[module] in words[i + 2 :] and "--dry-run" not in words:
            yield Deed("publish", f"{module} {_BY_MODULE[module]}", made.cwd, shown(words))
        if word == "-m" and module == "pip":
            yield from _installs_from(made, words[i + 2 :])
        if word.endswith("setup.py") and "upload" in words[i + 1 :]:
            yield Deed("publish", "setup.py upload", made.cwd, shown(words))


def _installs(made: Simple) -> Iterator[Deed]:
    rest = made.words[1:]
    if made.name == "uv" and rest[:1] in (["pip"], ["tool"]):
        rest = rest[1:]
    if rest[:1] in (["uninstall"], ["remove"], ["rm"]) and "levaithan" in rest:
        yield Deed("switch", "uninstall", made.cwd, shown(made.words))
    if made.name.startswith("pip") and rest[:2] == ["config", "set"] and "index-url" in "".join(rest[2:3]):
        rest = ["install", "--index-url", *rest[3:]]
    if made.name == "npm" and rest[:3] in (["config", "set", "registry"], ["c", "set", "registry"]):
        rest = ["install", "--registry", *rest[3:]]
    yield from _installs_from(made, rest)


def _installs_from(made: Simple, rest: list[str]) -> Iterator[Deed]:
    """install, add, i and the like, with a source that is not the usual one; npx and dlx run what they fetch."""
    if made.name in ("npx", "bunx"):
        rest = operands_on(made.words, "p package")[:1]
    elif rest[:1] == ["dlx"]:
        rest = [word for word in rest[1:] if word[:1] != "-"][:1]
    elif not any(word in _INSTALLS for word in rest[:2]):
        return
    for source in _sources(made.name, rest):
        if source and not _is_known(source):
            yield Deed("foreign-package", source, made.cwd, shown(made.words))
            return


def _sources(name: str, rest: list[str]) -> Iterator[str]:
    """The addresses that packages come from, by option or as the package itself."""
    for i, word in enumerate(rest):
        option, found, value = word.partition("=")
        following = value if found else " ".join(rest[i + 1 : i + 2])
        python = name.startswith(("pip", "uv", "poetry", "pdm", "python"))
        if (python and option in _SOURCE_FLAGS) or option in ("--registry", "--source", "--git"):
            yield following if "://" in following or option in ("--trusted-host", "--registry", "--git") else ""
        elif word[:1] == "-":
            continue
        elif word.startswith(
            ("git+", "http://", "https://", "git://", "ssh://", "github:", "gitlab:", "bitbucket:", "gist:")
        ):
            yield word
        elif "@git+" in word or " @ http" in word or "@http" in word or " @ git+" in word or "@github:" in word:
            yield word.partition("@")[2].strip()
        elif name in ("npm", "npx", "pnpm", "yarn", "bun", "bunx") and _is_repository(word):
            yield "github:" + word


def _is_repository(word: str) -> bool:
    """owner/name, which npm takes for a repository of GitHub; not @scope/name and no path."""
    owner, found, name = word.partition("/")
    plain = owner.replace("-", "").replace("_", "").isalnum()
    return bool(
        found and name and plain and "/" not in name and not name.endswith((".tgz", ".js", ".json", ".ts", ".css"))
    )


def _is_known(source: str) -> bool:
    from levaithan.hot.addresses import host_of, is_local

    host = host_of(source.removeprefix("git+"))
    return any(host == known or host.endswith("." + known) for known in _KNOWN_SOURCES) or is_local(host)


def _both(made: Simple) -> Iterator[Deed]:
    if made.name in _VERBS:
        yield from _publishes(made)
    if made.name in _INSTALLERS:
        yield from _installs(made)
    inner = _run_by(made)
    if inner and inner[0] in _VERBS:
        yield from _publishes(type(made)(inner, [], made.cwd, made.stdin))


def _run_by(made: Simple) -> list[str]:
    """The command that npx, bunx, pnpm dlx, pnpm exec or yarn dlx runs, without a version behind its name."""
    rest = made.words[1:]
    if made.name in ("npx", "bunx"):
        rest = operands_on(made.words, "p package")
    elif made.name == "bundle" and rest[:1] == ["exec"]:
        rest = rest[1:]
    elif made.name in ("pnpm", "yarn", "npm") and rest[:1] in (["dlx"], ["exec"], ["x"]):
        rest = [word for word in rest[1:] if word != "--"]
    else:
        return []
    return [rest[0].rpartition("/")[2].partition("@")[0], *rest[1:]] if rest else []


def _removes(made: Simple) -> Iterator[Deed]:
    """Packages of the system taken away; what depends on them goes too."""
    words = made.words[1:]
    if any(word in ("--dry-run", "-s", "--simulate", "--help", "--just-print", "--test", "--recon") for word in words):
        return
    named = [word for word in words if word in _REMOVERS.get(made.name, ())]
    if made.name == "pacman":
        named = [word for word in words if word.startswith("-R") or word == "--remove"]
    elif made.name == "brew":
        forced = {"--force", "--zap", "--ignore-dependencies", "-f"} & set(words)
        named = [word for word in words[:1] if word in ("uninstall", "remove", "rm") and forced]
    if named:
        what = operands(made.words, "oct option config-file")
        yield Deed("uninstall", what[-1] if what else named[0], made.cwd, shown(made.words))


def _repositories(made: Simple) -> Iterator[Deed]:
    """add-apt-repository, apt-key: whom the system's packages are taken from."""
    if made.name == "apt-key" and made.words[1:2] not in (["add"], ["adv"]):
        return
    if made.words[1:] and not {"--help", "-h", "-l", "--list", "-r", "--remove"} & set(made.words):
        yield Deed("foreign-package", made.words[-1], made.cwd, shown(made.words))


def _names() -> dict[str, Reader]:
    found: dict[str, Reader] = dict.fromkeys((*_VERBS, *_INSTALLERS, "bundle"), _both)
    found |= dict.fromkeys((*_REMOVERS, "pacman"), _removes)
    found |= dict.fromkeys(("add-apt-repository", "apt-key", "apt-add-repository"), _repositories)
    found |= dict.fromkeys(("python", "python3", "python2", "py"), _python)
    return found


def _brew(made: Simple) -> Iterator[Deed]:
    yield from _removes(made)
    yield from _installs(made)


OF: dict[str, Reader] = {**_names(), "brew": _brew}
