"""The native client on good, broken and hostile input: under the address and undefined-behaviour sanitizers, and as it
is linked without a libc, which no sanitizer can watch: there a crash is what tells."""

from __future__ import annotations

import random
import subprocess

import pytest

from levaithan.install.native import SOURCE, WAYS, build

_FLAGS = [
    "-std=c11",
    "-g",
    "-O1",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
]


@pytest.fixture(scope="session", params=["sanitizers", *(["bare"] if "bare" in WAYS else [])])
def checked(request, tmp_path_factory):
    """The client built with sanitizers, and without a libc."""
    made = tmp_path_factory.mktemp("san") / "hook"
    if request.param == "bare":
        how, said = build(made, ways=("bare",))
        assert how == "bare", said
        return made
    done = subprocess.run(["cc", *_FLAGS, "-o", made, SOURCE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a compiler with sanitizers is needed (Debian: apt install gcc): {done.stderr[:300]}"
    return made


def run(checked, payload: bytes, *arguments: str, env=None) -> subprocess.CompletedProcess[bytes]:
    environ = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=77", "UBSAN_OPTIONS": "exitcode=78", **(env or {})}
    return subprocess.run(
        [checked, *arguments], input=payload, capture_output=True, timeout=30, env=environ, check=False
    )


def test_hostile_payloads_and_configurations(checked, tmp_path):
    rng = random.Random(7)
    seed = b'{"a":"\\"x","hook_event_name":"Stop","b":[{"c":1}],"d":"\\u0041"}'
    (tmp_path / "state").mkdir()
    confs = [
        b"",
        b"\n=\n==\n python = \npython=\nsrc",
        b"wait_ms=99999999999999999999\n",
        b"\xff\xfe=\x00\nwait_ms=1",
        b"x" * 70_000,
    ]
    for i in range(60):
        data = bytearray(seed * rng.choice((1, 1, 50)))
        for _ in range(rng.randrange(6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.randrange(len(data) + 1) :]
        (tmp_path / "state/hot.conf").write_bytes(confs[i % len(confs)])
        done = run(checked, bytes(data), *rng.choice(([], ["PreToolUse"], ["Stop"])), "--home", str(tmp_path))
        assert done.returncode in (0, 2), (bytes(data), done.stderr[-800:])
        assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr


def test_hostile_arguments_and_environment(checked, tmp_path):
    for arguments in (
        ["--home"],
        ["--home", ""],
        ["--home="],
        ["x" * 5000],
        ["-", "--", "--home", "/" + "d" * 6000],
        [""],
    ):
        assert run(checked, b"{}", *arguments, env={"CLAUDE_PROJECT_DIR": "\n" * 9000}).returncode in (0, 2)


def test_a_whole_round_trip(checked, tmp_path):
    from test_native_client import Service

    from levaithan.hot.wire import pack_answer

    (tmp_path / "run").mkdir(mode=0o700)
    if len(str(tmp_path)) > 80:
        pytest.fail("give pytest a shorter --basetemp: this test needs the socket inside its home")
    Service(tmp_path, pack_answer(0, b"o" * 200_000, b"e" * 70_000))
    done = run(checked, b"p" * 500_000, "PreToolUse", "--home", str(tmp_path), env={"CLAUDE_PROJECT_DIR": "x" * 20_000})
    assert (done.returncode, len(done.stdout), len(done.stderr)) == (0, 200_000, 70_000)
