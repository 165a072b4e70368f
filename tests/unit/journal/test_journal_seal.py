"""Keys and checkpoints: made once, refused when others may read them, checked by OpenSSL too; sinks that may fail."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from levaithan.hot import segments
from levaithan.journal import checkpoints, read, seal


def test_a_key_is_made_once_private_and_known_by_its_public_half(tmp_path) -> None:
    private, public = tmp_path / "k" / "journal.key", tmp_path / "k" / "journal.pub"
    key = seal.ensure_key(str(private), str(public))
    again = seal.ensure_key(str(private), str(public))
    assert key.id == again.id and public.read_bytes() == key.public
    assert private.stat().st_mode & 0o777 == 0o600 and private.parent.stat().st_mode & 0o777 == 0o700
    (known,) = seal.public_keys(public.read_bytes()).values()
    raw = known.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert key.id == hashlib.sha256(raw).hexdigest()[:16]
    assert list(seal.public_keys(raw)) == [key.id]
    assert sorted(path.name for path in private.parent.iterdir()) == ["journal.key", "journal.pub"]


def test_many_processes_that_make_the_key_at_once_have_the_same(tmp_path) -> None:
    code = "import sys; from levaithan.journal import seal; print(seal.ensure_key(sys.argv[1], sys.argv[2]).id)"
    run = [sys.executable, "-c", code, str(tmp_path / "journal.key"), str(tmp_path / "journal.pub")]
    workers = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert len({worker.communicate()[0] for worker in workers}) == 1


def test_keys_that_cannot_be_trusted_are_refused_with_the_way_out(tmp_path) -> None:
    path = tmp_path / "journal.key"
    seal.ensure_key(str(path), str(tmp_path / "journal.pub"))
    path.chmod(0o644)
    with pytest.raises(seal.KeyUnusable) as caught:
        seal.load_key(str(path))
    assert "chmod 600" in caught.value.fix
    path.chmod(0o600)
    path.write_text("junk")
    with pytest.raises(seal.KeyUnusable):
        seal.load_key(str(path))
    with pytest.raises(seal.KeyUnusable):
        seal.load_key(str(tmp_path / "none"))
    with pytest.raises(ValueError):
        seal.public_keys(b"junk")


def test_a_checkpoint_holds_only_as_it_was_signed(made, tmp_path) -> None:
    one = made.key.sign("j" * 32, 7, "a" * 64)
    keys = seal.public_keys(made.key.public)
    assert seal.check(one, keys) == ""
    for change in (
        {"size": 8},
        {"head": "b" * 64},
        {"at": "2026"},
        {"journal": "k" * 32},
        {"signature": "AAAA"},
        {"signature": "é"},
    ):
        assert seal.check(seal.from_record({**one.as_dict(), **change}, ""), keys)
    other = seal.ensure_key(str(tmp_path / "o.key"), str(tmp_path / "o.pub"))
    assert "another key" in seal.check(other.sign("j" * 32, 7, "a" * 64), keys)
    both = seal.public_keys(made.key.public + other.public)
    assert seal.check(other.sign("j" * 32, 7, "a" * 64), both) == ""
    for junk in ({}, {"size": True}, {**one.as_dict(), "size": "7"}, {**one.as_dict(), "head": None}):
        with pytest.raises(ValueError):
            seal.from_record(junk, "")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_openssl_checks_a_checkpoint_from_the_journal(made, tmp_path) -> None:
    made.fill(5, every=5)
    record = json.loads(made.lines()[-1][65:])
    text = f"levaithan-checkpoint/1\n{record['journal']}\n{record['size']}\n{record['head']}\n{record['at']}\n"
    (tmp_path / "text").write_text(text)
    (tmp_path / "sig").write_bytes(base64.b64decode(record["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(made.root / "keys" / "journal.pub")]
    command += ["-in", str(tmp_path / "text"), "-sigfile", str(tmp_path / "sig")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    (tmp_path / "text").write_text(text.replace(f"\n{record['size']}\n", "\n4\n"))
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0


def test_a_sealer_signs_activity_only_and_ends_each_segment(made) -> None:
    journal = made.writer(segment_bytes=1500)
    taken: list[int] = []
    sealer = checkpoints.Sealer(
        journal, made.key, [lambda one: taken.append(one.size), lambda one: "no", lambda one: 1 // 0]
    )
    assert sealer.checkpoint() is None
    for number in range(1, 30):
        journal.append([made.event(number)])
    one = sealer.checkpoint()
    assert one.size == read.tail(str(made.path)).seq - 1
    assert sealer.checkpoint() is None
    assert taken == []
    problems = sealer.deliver()
    assert len(taken) == len(made.segments()) and taken[-1] == one.size
    assert len(problems) == 2 * len(taken) and any("ZeroDivisionError" in problem for problem in problems)
    assert sealer.deliver() == []
    for path in made.segments()[:-1]:
        assert json.loads(path.read_bytes().splitlines()[-1][65:])["kind"] == "checkpoint"
    beside, problems = checkpoints.load(str(made.path / segments.CHECKPOINTS))
    assert [each.size for each in beside] == taken and problems == []
    made.writer().append([made.event(99)])  # another process: that is activity too
    assert sealer.checkpoint() is not None
    assert made.verify().ok


def test_append_checkpoint_reports_what_sinks_say(made, tmp_path) -> None:
    journal = made.writer()
    journal.append([made.event(1)])
    (tmp_path / "out").mkdir()
    sinks = [checkpoints.export_to(str(tmp_path / "out")), checkpoints.export_to(str(tmp_path / "away"))]
    one, problems = checkpoints.append_checkpoint(journal, made.key, sinks)
    assert len(problems) == 1 and "make or mount it" in problems[0]
    loaded, _ = checkpoints.load(str(tmp_path / "out"))
    assert [each.as_dict() for each in loaded] == [one.as_dict()]
    assert made.verify(checkpoints=loaded).ok


def test_half_a_line_beside_the_journal_swallows_no_later_checkpoint(made) -> None:
    made.fill(3, every=3)
    path = made.path / segments.CHECKPOINTS
    path.write_bytes(path.read_bytes()[:-20])
    journal = made.writer()
    checkpoints.append_checkpoint(journal, made.key)
    found, problems = checkpoints.load(str(path))
    assert len(found) == 1 and len(problems) == 1


class Taker(http.server.BaseHTTPRequestHandler):
    """Answers by path; keeps what was sent."""

    got: list[dict]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/ok":
            self.got.append(json.loads(body))
        status = {"/ok": 204, "/no": 503, "/moved": 302}[self.path]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/ok")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_checkpoints_are_posted_and_refusals_are_said_not_raised(made, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Taker.got = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    one = made.key.sign("j" * 32, 7, "a" * 64)
    try:
        assert checkpoints.export_to(base + "/ok")(one) is None
        assert "503" in checkpoints.export_to(base + "/no")(one)
        assert "302" in checkpoints.export_to(base + "/moved")(one)
    finally:
        server.shutdown()
        server.server_close()
    assert Taker.got == [one.as_dict()]
    assert "did not take" in checkpoints.export_to(base + "/ok", timeout_s=0.5)(one)


def test_thinning_keeps_what_is_about_the_records_that_are_left(made, tmp_path) -> None:
    made.fill(40, every=10)
    sizes = [one.size for one in checkpoints.load(str(made.path / segments.CHECKPOINTS))[0]]
    checkpoints.thin(str(made.path), sizes[2])
    assert [one.size for one in checkpoints.load(str(made.path / segments.CHECKPOINTS))[0]] == sizes[2:]
    assert (made.path / segments.CHECKPOINTS).stat().st_mode & 0o777 == 0o600
    checkpoints.thin(str(tmp_path), 1)
    assert Path(made.path).is_dir()
