"""Secrets go, everything else stays. All values here are made up and put together at run time."""

from __future__ import annotations

import json
import random
import time

import orjson
import pytest

from levaithan.hot import secret_rows
from levaithan.hot.redact import encode_redacted, redact_text, suspicious

_rng = random.Random(20261123)
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
HEX = "0123456789abcdef"
ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
URLSAFE = ALNUM + "_-"


def some(length: int, alphabet: str = ALNUM) -> str:
    """Made-up characters, with a digit and a letter in them."""
    return "a1" + "".join(_rng.choice(alphabet) for _ in range(length - 2)) if length > 2 else "a1"


def upper(length: int) -> str:
    return "".join(_rng.choice(UPPER) for _ in range(length))


def hexa(length: int) -> str:
    return "".join(_rng.choice(HEX) for _ in range(length))


def join(*parts: str) -> str:
    return "".join(parts)


PEM_BODY = "\n".join(some(64, ALNUM + "+/") for _ in range(6))
BEGIN, END = join("-----BEGIN ", "RSA PRIVATE KEY-----"), join("-----END ", "RSA PRIVATE KEY-----")
BASIC = "ZGVwbG95OmE3dGgtcXVpZXQtcml2ZXI="
AWS_SECRET = "wJ4" + some(37, ALNUM)

POSITIVES = [
    ("key {}", join("AK", "IA", upper(16))),
    ("{}", join("AS", "IA", upper(16))),
    ("aws_secret_access_key = {}", AWS_SECRET),
    ("AWS_SECRET_ACCESS_KEY={} aws s3 ls", AWS_SECRET),
    ("export AWS_SESSION_TOKEN={}", some(200, ALNUM + "/+")),
    ("git clone https://{}@github.com/a/b", join("gh", "p_", some(36))),
    ("{}", join("gh", "o_", some(36))),
    ("{}", join("gh", "u_", some(36))),
    ("{}", join("gh", "s_", some(36))),
    ("{}", join("gh", "r_", some(36))),
    ("'{}'", join("github", "_pat_", some(22), "_", some(59))),
    ("{}", join("gl", "pat-", some(20, URLSAFE))),
    ("{}", join("gl", "dt-", some(20, URLSAFE))),
    ("{}", join("gl", "rt-", some(20, URLSAFE))),
    ("ANTHROPIC_API_KEY={}", join("sk-", "ant-api03-", some(90, URLSAFE), "AA")),
    ("it is {}.", join("sk-", "ant-oat01-", some(90, URLSAFE))),
    ("{}", join("sk-", "proj-", some(74, URLSAFE))),
    ("{}", join("sk-", some(48))),
    ("{}", join("AI", "za", some(35, URLSAFE))),
    ("{}", join("ya", "29.", some(120, URLSAFE))),
    ("{}", join("GOC", "SPX-", some(28, URLSAFE))),
    ("{}", join("xo", "xb-", "123456789012-123456789012-", some(24))),
    ("{}", join("xo", "xp-", "123456789012-123456789012-", some(32))),
    ("{}", join("xa", "pp-1-A012345-123456789-", hexa(64))),
    ("curl https://hooks.slack.com/services/{}", join("T0123ABCD/B0123ABCD/", some(24))),
    ("{}", join("sk", "_live_", some(24))),
    ("{}", join("rk", "_live_", some(24))),
    ("{}", join("wh", "sec_", some(32))),
    ("//registry.npmjs.org/:_authToken={}", join("np", "m_", some(36))),
    ("{}", join("py", "pi-AgEIcHlwaS5vcmc", some(70, URLSAFE))),
    ("{}", join("S", "G.", some(22, URLSAFE), ".", some(43, URLSAFE))),
    ("{}", join("S", "K", hexa(32))),
    ("TWILIO_AUTH_TOKEN={}", hexa(32)),
    ("DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};", some(86, ALNUM + "+/") + "=="),
    ("https://x.blob.core.windows.net/c?sv=2022-11-02&sp=r&sig={}&se=1", some(43) + "%3D"),
    ("{}", join("eyJ", some(33), ".eyJ", some(60), ".", some(43, URLSAFE))),
    ("{}", f"{BEGIN}\n{PEM_BODY}\n{END}"),
    ("curl -H 'Authorization: Bearer {}' https://x", some(40)),
    ("Authorization: Basic {}", BASIC),
    ("Authorization: token {}", hexa(40)),
    ("DATABASE_URL=postgres://app:{}@db.internal:5432/app", "tr0ub4dor-9"),
    ("redis://:{}@cache:6379/0", "p4ss-in-url"),
    ("password={}", "hunter2-again"),
    ("DB_PASSWORD={}", "correcthorse"),
    ("password: '{}'", "l3tme-in!"),
    ('"password": "{}"', "swordfish"),
    ("client_secret: {}", some(32)),
    ('api_key = "{}"', some(32)),
    ("X-Api-Key: {}", some(32)),
    ("mysql -u root -p{} shop", "r00tpw!"),
    ("mycli --password {} --user x", "s3cr3t-pw"),
    ("tool --api-token={}", some(30)),
    ("sshpass -p {} ssh host", "w0rds!x"),
    ("curl -u admin:{} https://x", "Adm1n-pw"),
    ("CREATE USER x IDENTIFIED BY '{}'", "q7-plain"),
    ("<password>{}</password>", "xml-pw-77"),
    ("{}", join("hv", "s.", some(92, URLSAFE))),
    ("VAULT_TOKEN={}", join("s.", some(24))),
    ("{}", join("do", "p_v1_", hexa(64))),
    ("{}", join("HR", "KU-", some(36, URLSAFE))),
    ("HEROKU_API_KEY={}", "01234567-89ab-4def-8123-456789abcdef"),
    ("{}", join("123456789", ":AA", some(33, URLSAFE))),
    ("{}", join("MTA", some(21), ".", some(6, URLSAFE), ".", some(38, URLSAFE))),
    ("https://discord.com/api/webhooks/{}", join("123456789012345678/", some(68, URLSAFE))),
    ("{}", join("AGE-SECRET-", "KEY-1", upper(58))),
    ("{}", join("h", "f_", "".join(_rng.choice(ALNUM[:52]) for _ in range(34)))),
    ("{}", join("da", "pi", hexa(32))),
    ("CLOUDFLARE_API_TOKEN={}", some(40, URLSAFE)),
    ("{}", join("shp", "at_", hexa(32))),
    ("{}", join("sq0", "atp-", some(22, URLSAFE))),
    ("{}", join("NR", "AK-", upper(27))),
    ("{}", join("gl", "sa_", some(32), "_", hexa(8))),
    ("{}", join("dckr", "_pat_", some(27, URLSAFE))),
    ("{}", join("ATA", "TT3", some(180, URLSAFE))),
    ("{}", join("ts", "key-auth-", some(12), "-", some(32))),
    ('{{\\"password\\": \\"{}\\"}}', "nested-pw-1"),
    ("kubectl create secret generic x --from-literal=password={}", "k8s-pw-1"),
]

NEGATIVES = [
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "550e8400-e29b-41d4-a716-446655440000",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "md5 d41d8cd98f00b204e9800998ecf8427e",
    "integrity sha512-" + "Qm9" * 28 + "==",
    "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAA" * 40,
    "input_tokens: 5",
    '"input_tokens": 4096, "output_tokens": 1234567890123',
    "token_count = 12",
    "max_tokens=200000",
    "tokenizer: cl100k_base",
    "next_page_token: CAUQAA0123456789abc",
    "password = os.environ['DB_PASSWORD']",
    'password = os.getenv("DB_PASSWORD")',
    "const token = process.env.GITHUB_TOKEN;",
    "api_key=<your-key>",
    "API_KEY=your-api-key-here",
    "password=xxxxxxxx",
    "password: ********",
    "token: $TOKEN",
    "TOKEN=${GITHUB_TOKEN}",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "password={{ db_password }}",
    "PASSWORD=%PASSWORD%",
    'curl -H "Authorization: Bearer $TOKEN" https://x',
    "Authorization: Bearer <token>",
    "Bearer authentication is used here",
    "Basic authentication is described below",
    "basic understanding of shells",
    "def check(password: str) -> bool:",
    "def login(user, password):",
    "password = get_password(user)",
    "self.password = password",
    "login(password=password)",
    "if password == user.password_hash:",
    "secret: Optional[str] = None",
    "password: null",
    '"password": ""',
    '"type": "password", "name": "password"',
    'getpass("Password: ")',
    "Enter password: ",
    "the password is required",
    "reset your password: click the link",
    "forgot password? see https://example.org/reset",
    "secret_file: /run/secrets/db",
    "private_key: ./keys/id_rsa",
    "ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519",
    "PWD=/home/dev/demo",
    "OLDPWD=/home/dev/a1b2c3d4",
    "author: Jane Doe 1234567890",
    "authors = 12345678901234567890",
    "git config user.name authority1234567890",
    "https://example.org/path?x=1#frag",
    "https://example.org:8443/a@b",
    "git@github.com:owner/repo.git",
    "ssh://git@host.example:2222/repo",
    "postgres://${USER}:${PASS}@db/app",
    "postgres://$DB_USER:$DB_PASS@db/app",
    "mailto:a@b.example",
    "docker run -u 1000:1000 image",
    "chown -R www:www /srv",
    "ls -u file:name",
    "mysql -u root -p shop < dump.sql",
    "-----BEGIN CERTIFICATE-----\n" + "MIIB" * 40 + "\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n" + "MFkw" * 20 + "\n-----END PUBLIC KEY-----",
    "grep -r 'BEGIN RSA PRIVATE KEY-----' .",
    'if "-----BEGIN PRIVATE KEY-----" in text:',
    "toolu_01A09q90qw90lq917835lq9",
    "msg_01XFDUDYJgAACzvnptvVoYEL",
    "agent-a1b2c3d4e5f6a7b8c.jsonl",
    "/home/dev/.claude/projects/-home-dev-demo/472b73d9-9270-445f-8211-c85a3b84bbba.jsonl",
    "sk-learn is a library; task-runner, disk-usage",
    "risk_live_test and ask_test_things",
    "npm_config_registry=https://registry.npmjs.org",
    "npm_lifecycle_event",
    "hf_hub_download(repo_id='x')",
    "pypi-attestations",
    "glpat is a prefix",
    "xoxo-kisses",
    "SG.x and SKU1234",
    "eyJ is base64 for an opening brace",
    "key: value",
    "primary_key=True, foreign_key=users.id",
    "public_key=ssh-ed25519AAAAC3NzaC1lZDI1NTE5AAAA1234567890",
    "keyboard=qwerty12345678901",
    "monkey: 12345678901234567890",
    "cache_key = f'{name}:{version}'",
    "for key in sorted(values): pass",
    "sort_key=lambda r: r.at",
    "token = next(tokens)",
    "token: string;",
    "csrf_token()",
    "cancellation_token=ct",
    "pad_token: '<pad>'",
    "version 1.2.3.abcdef.4",
    "www.example.org and api.github.com",
    "Ünïcödé pässwörd 日本語 🛑",
]


@pytest.mark.parametrize(("frame", "secret"), POSITIVES, ids=range(len(POSITIVES)))
def test_found_in_text_and_in_a_record_and_the_rest_stays(frame, secret):
    frame = frame.replace("{{", "\x01").replace("}}", "\x02")
    before, _, after = frame.partition("{}")
    before, after = (part.replace("\x01", "{").replace("\x02", "}") for part in (before, after))
    text = before + secret + after
    clean, count = redact_text(text)
    assert count == 1, clean
    assert "[redacted:" in clean
    assert secret not in clean
    kept_before, _, rest = clean.partition("[redacted:")
    assert before.startswith(kept_before) or kept_before == before
    assert rest.partition("]")[2] == after
    assert suspicious(json.dumps({"c": text}).encode()), "the gate would have let it through"
    encoded, found = encode_redacted({"tool_input": {"command": "x; " + text}}, json.dumps)
    assert found == 1
    assert secret not in json.loads(encoded)["tool_input"]["command"]


@pytest.mark.parametrize("text", NEGATIVES, ids=range(len(NEGATIVES)))
def test_what_is_no_secret_stays_to_the_letter(text):
    assert redact_text(text) == (text, 0)
    record = {"command": text, "list": [text, {"n": text}]}
    assert encode_redacted(record, json.dumps) == (json.dumps(record).encode(), 0)


def test_enough_cases_of_both_kinds():
    assert len(POSITIVES) >= 60 and len(NEGATIVES) >= 80


@pytest.mark.parametrize(
    "name", ["password", "db_password", "apiKey", "api-key", "client_secret", "access_token", "PASSWD"]
)
def test_the_value_of_a_secret_key_goes_whatever_it_looks_like(name):
    encoded, count = encode_redacted({"tool_input": {name: "plain-value"}}, json.dumps)
    assert count == 1
    assert "plain-value" not in encoded.decode()


@pytest.mark.parametrize(
    "name", ["input_tokens", "token_count", "next_page_token", "keyboard", "file_path", "session_id"]
)
def test_the_value_of_an_ordinary_key_stays(name):
    assert encode_redacted({name: "plain-value-1"}, json.dumps)[1] == 0


def test_a_name_and_value_pair_is_read_as_one():
    record = {"env": [{"name": "DB_PASSWORD", "value": "blue-river"}, {"name": "MODE", "value": "blue-river"}]}
    clean = json.loads(encode_redacted(record, json.dumps)[0])
    assert clean["env"][0]["value"] == "[redacted:password]"
    assert clean["env"][1]["value"] == "blue-river"


def test_a_secret_as_a_key_goes_too_and_keys_stay_apart():
    first, second = join("gh", "p_", some(36)), join("gh", "p_", some(36))
    clean = json.loads(encode_redacted({first: 1, second: 2}, json.dumps)[0])
    assert sorted(clean.values()) == [1, 2]
    assert all("[redacted:github]" in key for key in clean)


def test_an_escape_in_the_input_hides_nothing():
    secret = join("AK", "IA", upper(16))
    raw = '{"c": "\\u0041' + secret[1:] + '"}'
    encoded, count = encode_redacted(json.loads(raw), json.dumps)
    assert count == 1 and secret.encode() not in encoded


def test_the_record_itself_is_not_changed():
    record = {"a": {"password": "blue-river"}}
    encode_redacted(record, json.dumps)
    assert record == {"a": {"password": "blue-river"}}


def test_lone_surrogates_and_depth_survive():
    deep: object = "password=blue-river-1"
    for _ in range(300):
        deep = [deep]
    encoded, count = encode_redacted({"x": "\ud800 \udcff", "deep": deep}, json.dumps)
    assert count == 1
    assert json.loads(encoded)["x"] == "\ud800 \udcff"


def test_orjson_like_bytes_are_taken_as_they_are():
    record = {"c": "é password=blue-river-1"}
    encoded, count = encode_redacted(record, lambda value: json.dumps(value, ensure_ascii=False).encode())
    assert count == 1 and "é".encode() in encoded


@pytest.mark.parametrize("keep", ["begin", "end"])
def test_a_cut_private_key_goes(keep):
    text = f"x {BEGIN}\n{PEM_BODY}" if keep == "begin" else f"{PEM_BODY}\n{END} y"
    clean, count = redact_text(text)
    assert count == 1
    assert PEM_BODY[:40] not in clean and PEM_BODY[-40:] not in clean


def test_a_private_key_in_one_line_goes():
    line = f"{BEGIN}\\n{PEM_BODY}\\n{END}".replace("\n", "\\n")
    assert redact_text(f'KEY="{line}"')[0] == 'KEY="[redacted:private-key]"'


def test_what_follows_a_cut_private_key_stays():
    clean, _ = redact_text(f"{BEGIN}\n{PEM_BODY}\n\nThen the deployment went on as usual.")
    assert clean.endswith("Then the deployment went on as usual.")


ADVERSARIES = [
    "://a:",
    'password="',
    "token ",
    "eyJ",
    "eyJaaaaaaaa.",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "sk-",
]
ADVERSARIES += [
    "mysql -p ",
    "-u a:",
    "bearer ",
    "Mabcde.",
    "secret_key",
    "password" + " " * 50,
    "AKIA",
    "--password ",
    "xoxb-",
]
ADVERSARIES += ["A" * 60 + "-----END PRIVATE KEY-----", "password:\\\\\\", "authorization: token "]


@pytest.mark.parametrize("piece", ADVERSARIES, ids=range(len(ADVERSARIES)))
def test_time_grows_with_the_length_only(piece):
    def seconds(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = 9e9
        for _ in range(2):
            begin = time.perf_counter()
            redact_text(text)
            best = min(best, time.perf_counter() - begin)
        return best

    small, large = seconds(125_000), seconds(1_000_000)
    assert large < 8 and large < max(small, 0.004) * 40, f"8 times the text took {large / small:.0f} times as long"


def test_what_marks_a_kind_of_secret_looks_the_same_in_json():
    """A record's JSON says which kinds are looked for in its texts: a mark that JSON escapes would never be seen there,
    and an empty one always."""
    for row in secret_rows.ROWS:
        for needle in row.needles:
            assert needle, row.kind
            for dumps in (json.dumps, orjson.dumps):
                encoded = dumps(needle)
                assert needle in (encoded if isinstance(encoded, str) else encoded.decode()), (row.kind, needle)
