"""Where secrets hide: behind escapes and colours, in keys, in names, at every edge where a text is cut.

All values are made up. What counts is the record that would be written, and the files of a home.
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

from levaithan.hot import halts, paths, policy_pack, redact
from levaithan.hot.bounded import head
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate
from levaithan.hot.hotconf import HotConf

TAIL = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
TOKEN = "".join(("gh", "p_", TAIL))
OTHERS = [
    TOKEN,
    "".join(("sk-", "ant-api03-", TAIL, TAIL)),
    "".join(("sk-", "proj-", TAIL)),
    "".join(("xox", "b-123456789012-123456789012-", TAIL[:24])),
    "".join(("sk_", "live_", TAIL[:24])),
    "".join(("hf", "_", "abcdefghijklmnopqrstuvwxyzABCDEFGH")),
    "".join(("AI", "za", TAIL[:35])),
]
AROUND: dict[str, Callable[[str], str]] = {
    "colour": lambda secret: f"\x1b[31m{secret}\x1b[0m",
    "colour of grep": lambda secret: f"a:\x1b[01;31m\x1b[K{secret}\x1b[m\x1b[K",
    "colour as text": lambda secret: f"\\033[31m{secret}\\x1b[0m \\x1b[1;32m{secret}",
    "escaped newline": lambda secret: f"A=1\\n{secret}\\nB=2",
    "escaped tab": lambda secret: f"a\\t{secret}\\tb",
    "escaped quote": lambda secret: f"\\u0022{secret}\\u0022 \\x22{secret}",
    "json in json in json": lambda secret: json.dumps(json.dumps({"log": f"first\n{secret}\nlast"})),
    "percent": lambda secret: "q=a%20" + secret + "&u=token%3D" + secret + "%22",
    "quoted url": lambda secret: "https://example.org/?u=" + urllib.parse.quote(f'x "{secret}"'),
}


@pytest.fixture
def gate(tmp_path: Any) -> Gate:
    return Gate(paths.home_at(str(tmp_path)), HotConf())


def _record(gate: Gate, payload: dict[str, Any] | bytes, **header: str) -> str:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    _outcome, body = gate.decide(parse({"event": "PostToolUse", **header}, raw))
    return body.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("secret", OTHERS, ids=[secret[:6] for secret in OTHERS])
def test_what_stands_right_before_a_token_does_not_hide_it(
    gate: Gate, around: Callable[[str], str], secret: str
) -> None:
    text = around(secret)
    record = _record(gate, {"tool_name": "Bash", "tool_input": {"command": "x"}, "tool_response": {"stdout": text}})
    assert secret[-12:] not in record
    assert redact.redact_text(text)[1] == text.count(secret)


def test_escapes_around_ordinary_words_stay() -> None:
    text = "task\\nask-for-it%20risk-free \x1b[31mdesk-top\x1b[0m C:\\new\\table %41%42 \\u0041bc"
    assert redact.redact_text(text) == (text, 0)


def test_a_private_key_in_base64_goes() -> None:
    """As kubeconfig (`client-key-data`) and Kubernetes secrets carry it."""
    for kind in ("RSA ", "", "EC ", "OPENSSH ", "ENCRYPTED "):
        pem = f"-----BEGIN {kind}PRIVATE KEY-----\n" + (TAIL + TAIL[:28] + "\n") * 9
        wrapped = base64.b64encode(pem.encode()).decode()
        text, count = redact.redact_text(f"client-key-data: {wrapped}\n")
        assert count == 1 and wrapped[-40:] not in text
        assert redact.suspicious(wrapped.encode())
    certificate = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n" + TAIL.encode() * 9).decode()
    assert redact.redact_text(certificate) == (certificate, 0)


FIELDS = (
    "session_id",
    "cwd",
    "tool_use_id",
    "agent_id",
    "agent_type",
    "permission_mode",
    "prompt_id",
    "transcript_path",
)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("shift", range(0, 40, 3))
def test_a_field_cut_in_the_record_does_not_end_in_half_a_secret(gate: Gate, field: str, shift: int) -> None:
    value = "a " * (2048 - 20) + "b" * shift + f" {TOKEN} tail"
    record = _record(gate, {"tool_name": "Bash", field: value}, project=value)
    assert TAIL[:7] not in record


@pytest.mark.parametrize("shift", range(0, 40, 3))
def test_bad_input_is_cut_between_secrets(gate: Gate, shift: int) -> None:
    for edge in (64 << 10, 128 << 10, 192 << 10):
        raw = b'{"x":"' + b"a" * (edge - 30 - shift) + b" " + TOKEN.encode() + b" " + b"b" * 300_000
        assert TAIL[:7] not in _record(gate, raw)


def test_a_head_that_shrank_does_not_reach_into_what_was_cut() -> None:
    """Long keys become short marks, so that what is left of the window ends where the window was cut."""
    pem = "-----BEGIN PRIVATE KEY-----\n" + (TAIL + "\n") * 40 + "-----END PRIVATE KEY-----\n"
    for shift in range(0, 60, 3):
        text = (pem * 9)[: 2 * 4096 + 512 - 30 - shift] + " " + TOKEN + " tail" * 4096
        assert TAIL[:7] not in head(text, 4096).replace(pem, "")


@pytest.mark.parametrize("shift", range(0, 60, 3))
def test_a_reason_shows_no_half_of_a_secret(shift: int) -> None:
    """The reason is recorded, and it repeats the beginning of the command."""
    staged = policy_pack.stage(policy_pack.compile_packs([("base.toml", _base())]))
    path = "{home}/state/" + "x" * (50 + shift) + f" {TOKEN}"
    lines = (f"rm -rf / {'x' * (60 + shift)} {TOKEN} y", {"tool": "Write", "input": {"file_path": path}})
    for line in lines:
        found = staged.judge(policy_pack.example_event("", line))
        assert found is not None and found.reason is not None
        assert TAIL[:7] not in redact.redact_text(found.reason)[0]


def _base() -> bytes:
    from pathlib import Path

    return (Path(__file__).resolve().parents[3] / ".claude/context/policies/base.toml").read_bytes()


def test_a_hook_that_fails_with_the_event_in_its_words_says_no_secret(tmp_path: Any) -> None:
    from levaithan.hot.hook_file import say

    for shift in range(0, 60, 3):
        said = say(ValueError("x" * (360 - shift) + f" {TOKEN} " + "y" * 500), "hook.py")
        assert TAIL[:7] not in redact.redact_text(said)[0]


def test_the_reason_of_a_halt_is_kept_without_its_secret(tmp_path: Any) -> None:
    home = paths.home_at(str(tmp_path))
    paths.ensure_private(home.state)
    halt = halts.set_halt(home, "all", "", f"leaked {TOKEN}", "me")
    assert TAIL[:7] not in halt.reason
    assert TAIL[:7] not in (tmp_path / "state" / "halts.json").read_text()
