"""Secrets that their look or their place gives away, of providers with prefixes of their own; and what looks like it.

All values here are made up and put together at run time.
"""

from __future__ import annotations

import base64
import json
import random
import time

import pytest

from levaithan.hot.redact import encode_redacted, redact_text
from levaithan.hot.secret_looks import looks_made

_rng = random.Random(20261127)
HEX = "0123456789abcdef"
ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def some(length: int, alphabet: str = ALNUM) -> str:
    return "a1" + "".join(_rng.choice(alphabet) for _ in range(length - 2))


def join(*parts: str) -> str:
    return "".join(parts)


UUID = "-".join(some(length, HEX) for length in (8, 4, 4, 4, 12))
MADE = "Yq7LcX2mWt9RzKd4Vb8N"
BASIC = base64.b64encode(b"dev:a7th-quiet-river").decode()

FOUND = [
    ("the key is {}, use it", join("fm", "2_", some(120))),
    ("['{}']", join("xkey", "sib-", some(64, HEX), "-", some(16))),
    ("{}", join("sl", ".", some(130))),
    ("bk := {}", join("bk", "ua_", some(40, HEX))),
    ("{}", join("CCI", "PAT_", some(22), "_", some(40, HEX))),
    ("{}", join("tvly", "-", some(32))),
    ("{}", join("pc", "sk_", some(60))),
    ("{}", join("ph", "x_", some(43))),
    ("{}", join("sg", "p_", some(40, HEX))),
    ("{}", join("rn", "d_", some(28))),
    ("resend: {}", join("re", "_", some(8), "_", some(24))),
    ("airtable {}", join("pat", some(14), ".", some(64, HEX))),
    ("['{}']", join("secret", "_", some(43))),
    ("{}", join("access_token", "$production$", some(16, HEX), "$", some(32, HEX))),
    ("{}", join("ops_", "eyJ", some(120))),
    ("{}", join("sk.", "eyJ", some(80), ".", some(22))),
    ("got {}", join("EA", "AA", some(60))),
    ("AZURE_DEVOPS_PAT={}", some(52, "abcdefghijklmnopqrstuvwxyz234567")),
    ("NUGET_KEY={}", MADE + "aa"),
    ("ENV JWT_SECRET {}", some(48, HEX)),
    ("aws configure set aws_secret_access_key {}", MADE),
    ('<add key="registryToken" value="{}"/>', MADE),
    ("  - name: SERVER_TOKEN\n    value: {}\n", UUID),
    ('[{{"name": "API_TOKEN", "value": "{}"}}]', MADE),
    ("define('DB_PASSWORD', '{}');", MADE),
    ('.setPassword("{}")', MADE),
    ("paypal_secret: {}", "Ekm_" + MADE + "_" + MADE),
    ("vault_token: {}", "s." + MADE),
    ("X-Vault-Token: {}", "nnSXbIsHcwuxWGlKQz"),
    ("secret_key_base: {}", MADE),
    ("passphrase={}", "bEsXbZyawcIqzOKQAmPfGl"),
    ('ftp_pass: "{}"', MADE),
    ("[smtp]\npass={}\n", MADE),
    ("requirepass {}", MADE),
    ("my password is {} please", MADE),
    ("use token {} for it", MADE),
    ("the api key: {}", MADE),
    ("machine h.example login dev password {}", "a7th-quiet-river"),
    ("docker login -u dev -p {} r.example", MADE),
    ("redis-cli -a {} ping", MADE),
    ("openssl enc -k {} -in a", MADE),
    ("echo {} | docker login --password-stdin -u dev", MADE),
    ("gh secret set API_KEY --body {}", MADE),
    ("auth=('dev', '{}')", MADE),
    ("Cookie: theme=dark; sessionid={}; a=b", MADE),
    ("Set-Cookie: session={}; HttpOnly", MADE),
    ('{{"auths": {{"h.example": {{"auth": "{}"}}}}}}', BASIC),
    (
        "PuTTY-User-Key-File-3: x\nPrivate-Lines: 1\n{}\nPrivate-MAC: 00",
        some(60),
    ),
]

KEPT = [
    "sk-loading-spinner-wrapper-element",
    "sk-circle-fade-dot-animation-container",
    "postgres://postgres:postgres@localhost:5432/test",
    "cache_key=" + some(64, HEX),
    "primary_key=Yq7LcX2mWt9RzKd4Vb8N",
    "sort_key: " + UUID,
    "PARTITION_KEY=" + MADE,
    "tests pass: 128, fail: 0",
    "bypass=true compass=" + MADE,
    "token is required",
    "password is too short",
    "the token is passed in a header",
    'getItem("token", "default")',
    'fill("password", "string")',
    "t('password', 'Enter your password')",
    'login("password")',
    "set password policy",
    "ENV SECRET_NAME production",
    "- name: mode\n  value: fast\n",
    "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {}\n",
    "Cookie: consent=yes; lang=en; theme=dark-high-contrast",
    "token=getUserTokenFromRequestContext",
    "password: this.props.currentUserPassword",
    "docker login -u dev --password-stdin",
    "docker run -p 8080:80 nginx",
    "openssl genrsa -out server.key 2048",
    "pat-" + some(12),
    "sl.js and ssl.conf",
    "re_compile_pattern_of_a_long_name",
    "secret_" + "manager_service_client_configuration_object",
    "sdk-2.1.0",
    "EAAAAA== is base64",
    "login page password form",
]


@pytest.mark.parametrize(("frame", "secret"), FOUND, ids=range(len(FOUND)))
def test_it_goes_and_all_else_stays(frame, secret):
    before, _, after = frame.replace("{{", "\x01").replace("}}", "\x02").partition("{}")
    before, after = (part.replace("\x01", "{").replace("\x02", "}") for part in (before, after))
    clean, count = redact_text(before + secret + after)
    assert count >= 1 and secret not in clean
    assert clean.startswith(before.rstrip("s.")) and clean.endswith(after), clean
    encoded, _ = encode_redacted({"tool_response": {"stdout": before + secret + after}}, json.dumps)
    assert secret not in json.loads(encoded)["tool_response"]["stdout"], "the gate let it through"


@pytest.mark.parametrize("text", KEPT, ids=range(len(KEPT)))
def test_what_looks_alike_stays(text):
    assert redact_text(text) == (text, 0)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (MADE, True), (UUID, True), (some(40, HEX), True), ("nnSXbIsHcwuxWGlKQz", True),
        ("getUserTokenFromRequestContext", False), ("correct-horse-battery-staple", False), ("production", False),
        ("my_module.submodule.ClassName", False), ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", False), ("", False), ("a1", False),
        ("sha256-rsa2048-pkcs1", False), ("version-1.2.3-beta.4", False),
    ],
)  # fmt: skip
def test_what_a_machine_made_changes_its_letters_often(value, made):
    assert looks_made(value) is made


@pytest.mark.parametrize(
    "piece",
    [
        "secret\n", "secret\\n", "password', '", "password(", "token is ", "cookie: a=", "Cookie: ", "a=aaaaaaaaaaaa;",
        "ENV SECRET ", "docker login -p ", "openssl ", "login a password ", "echo a | ", "auth=('a', 'b", "pat",
        "Private-Lines: 1\n", "Private-Lines: 1aaaaaaaaaaaaaaaaaaaaaaaa", "sk-a1", "re_aaaaaa_", "_key=", "EAAA",
    ],
)  # fmt: skip
def test_time_grows_with_the_length_only(piece):
    def seconds(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = 9e9
        for _ in range(2):
            begin = time.perf_counter()
            redact_text(text)
            best = min(best, time.perf_counter() - begin)
        return best

    assert seconds(80_000) < 12 * seconds(20_000) + 0.05
