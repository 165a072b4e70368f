"""The Weaviate adapter when things go wrong, on the wire, against an imitation of the server.
What machines share is in test_weaviate_machines.py, on the real one too.

What an imitation shows is how the adapter takes an answer, not that a real server gives it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_memory_contract import CAKE, compared, ids, prompt, put, story
from tests.servers import certificates
from tests.servers.weaviate_imitation import Imitation
from tests.support import homes
from tests.support.ledger_records import JOURNAL, JournalFiles, cursor, delivery
from tests.support.weaviate_place import KEY

from levaithan.errors import NotConfigured
from levaithan.hot import paths
from levaithan.stores import embedding, weaviate_link
from levaithan.stores.opening import Opening, parts
from levaithan.stores.roles import StoreAuthError, StoreBusyError, StoreDownError, StoreTimeoutError, StoreTlsError
from levaithan.stores.weaviate_memory import WeaviateMemory, opened

Opener = Callable[..., WeaviateMemory]


@pytest.fixture
def open_memory(imitation: Imitation, tmp_path: Path) -> Iterator[Opener]:
    made: list[WeaviateMemory] = []

    def make(model: Any = None, **over: Any) -> WeaviateMemory:
        told = {
            "role": "memory", "path": "", "state": str(tmp_path), "url": imitation.url, "api_key": KEY,
            "timeout_s": 5.0, "journal": JOURNAL,
        }  # fmt: skip
        store = WeaviateMemory(Opening(**{**told, **over}), model or embedding.model("hashing"))
        made.append(store)
        return store

    yield make
    for one in made:
        one.close()


@pytest.fixture
def memory(open_memory: Opener) -> WeaviateMemory:
    store = open_memory()
    store.migrate()
    return store


def test_a_lost_connection_is_a_lag_and_nothing_more(imitation: Imitation, memory: WeaviateMemory) -> None:
    put(memory, story()[:4])
    imitation.stop()
    began = time.monotonic()
    with pytest.raises(StoreDownError):
        memory.apply([delivery(one) for one in story()], cursor(9))
    with pytest.raises(StoreDownError):
        memory.near("login")
    assert time.monotonic() - began < 30, "the client's own waiting is cut short"
    told = memory.health()
    assert not told.ok
    assert told.problems
    assert told.fix
    imitation.start()
    until = time.monotonic() + 20
    while not memory.health().ok and time.monotonic() < until:
        time.sleep(0.1)
    assert memory.cursor() == cursor(story()[3]["seq"])
    put(memory, story())
    compared(memory, story())


def test_a_server_that_hangs_is_given_up_in_time(imitation: Imitation, open_memory: Opener) -> None:
    open_memory().migrate()  # a schema may take longer than what is tried here waits
    memory = open_memory(timeout_s=0.5)
    memory.edge.attempts = 1
    imitation.hang_s = 3.0
    began = time.monotonic()
    with pytest.raises(StoreTimeoutError, match=r"0\.5 s"):
        memory.current()
    assert time.monotonic() - began < 2.5
    imitation.hang_s = 0.0
    assert memory.current()


@pytest.mark.parametrize("key", ["wrong-key-0123456789", ""])
def test_a_wrong_key_is_said_without_the_key(open_memory: Opener, key: str) -> None:
    memory = open_memory(api_key=key)
    with pytest.raises(StoreAuthError) as caught:
        memory.migrate()
    told = f"{caught.value} {caught.value.fix} {caught.value.__cause__!r} {memory!r} {memory.opening!r}"
    assert "LEVAITHAN_MEMORY_API_KEY" in told
    assert not key or key not in told
    assert KEY not in told
    assert not memory.health().ok


def test_a_port_that_is_none_is_named_and_not_waited_for(imitation: Imitation, open_memory: Opener) -> None:
    memory = open_memory(url=re.sub(r"grpc_port=\d+", "grpc_port=1", imitation.url), timeout_s=20.0)
    memory.edge.attempts = 1
    began = time.monotonic()
    with pytest.raises(StoreDownError, match=r"gRPC \(grpc_port of LEVAITHAN_MEMORY_URL\) at 127\.0\.0\.1:1: "):
        memory.migrate()
    imitation.stop()
    with pytest.raises(StoreDownError, match=r"REST at 127\.0\.0\.1:"):
        open_memory().migrate()
    assert time.monotonic() - began < 15


def test_the_key_may_be_the_password_of_the_url(imitation: Imitation, open_memory: Opener) -> None:
    url = imitation.url.replace("http://", f"http://any:{KEY}@")
    memory = open_memory(url=url, api_key="")
    memory.migrate()
    assert memory.current()
    assert KEY not in memory.health().where


def test_the_url_s_own_key_goes_before_the_one_that_setup_makes(imitation: Imitation, open_memory: Opener) -> None:
    url = imitation.url.replace("http://", f"http://any:{KEY}@")
    memory = open_memory(url=url, api_key="made-by-setup")
    memory.migrate()
    assert memory.current()


def test_of_two_keys_the_one_that_is_used_is_never_told(open_memory: Opener) -> None:
    memory = open_memory(url="http://any:of-the-url@127.0.0.1:1", api_key="made-by-setup")
    failure = memory.edge.translate(ConnectionError("the header of-the-url is wrong"))
    assert "header *** is wrong" in str(failure)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", None),
        ("http://127.0.0.1:8080?grpc_host=localhost", None),
        ("http://weaviate.example:8080", False),
        ("http://127.0.0.1:8080?grpc_host=weaviate.example", False),
        ("https://weaviate.example", True),
        ("https://localhost?grpc_host=weaviate.example", True),
    ],
)
def test_a_key_that_leaves_the_machine_in_the_clear_is_told(url: str, expected: bool | None) -> None:
    assert weaviate_link.encrypted(parts("memory", url)) is expected


def test_a_key_that_may_not_see_shards_is_told_all_else(imitation: Imitation, memory: WeaviateMemory) -> None:
    put(memory, story())
    before = memory.health()
    imitation.silent = True
    told = memory.health()
    assert (told.ok, told.problems, told.rows) == (True, before.problems, before.rows)
    assert (bool(told.rows), told.free_bytes) == (True, None)


def test_certificates_are_checked(tmp_path: Path, open_memory: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, certificate, key = certificates.make(tmp_path / "tls")
    other, _, _ = certificates.make(tmp_path / "other")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    server = Imitation(key=KEY, certificate=(certificate, key))
    server.start()
    try:
        memory = open_memory(url=server.url, ca_file=str(authority))
        memory.migrate()
        put(memory, story())
        assert ids(memory.near("chocolate cake", 1)) == {3}
        told = memory.health()
        assert (told.encrypted, told.skew_ms is not None) == (True, True), "its clock is asked for over TLS, too"
        for wrong in ("", str(other)):
            with pytest.raises(StoreTlsError, match="CERTIFICATE_VERIFY_FAILED"):
                open_memory(url=server.url, ca_file=wrong).migrate()
        with pytest.raises(NotConfigured, match="cannot be read"):
            open_memory(url=server.url, ca_file=str(tmp_path / "none")).migrate()
    finally:
        server.stop()


def test_a_full_server_takes_nothing_and_loses_nothing(imitation: Imitation, memory: WeaviateMemory) -> None:
    memory.edge.attempts = 1
    put(memory, story()[:2])
    imitation.full = True
    with pytest.raises(StoreBusyError, match="read-only") as told:
        memory.apply([delivery(one) for one in story()], cursor(9))
    assert "restart it" in told.value.fix
    imitation.full = False
    assert memory.cursor() == cursor(story()[1]["seq"])
    assert memory.dead_count() == 0
    put(memory, story())
    compared(memory, story())


def test_a_full_server_that_makes_no_collection_is_waited_for(imitation: Imitation, open_memory: Opener) -> None:
    memory = open_memory()
    memory.edge.attempts = 1
    imitation.full = True
    with pytest.raises(StoreBusyError, match="no space left") as told:
        memory.migrate()
    assert "restart it" in told.value.fix
    imitation.full = False
    memory.migrate()
    put(memory, story())
    compared(memory, story())


def test_what_the_server_refuses_for_itself_is_a_dead_letter(memory: WeaviateMemory) -> None:
    batch = [delivery(prompt(1, "sound")), delivery(prompt(2, "poison")), delivery(prompt(3, "as sound"))]
    (rejected,) = memory.apply(batch, cursor(4))
    assert "invalid text property" in rejected.reason
    assert [one.seq for one in memory.dead_letters()] == [3]
    assert ids(memory.near("sound", 9)) == {1, 3}
    only = [delivery(prompt(5, "poison")), delivery(prompt(6, "poison too"))]
    assert len(memory.apply(only, cursor(7))) == 2, "also where nothing of a call is taken"
    assert memory.cursor() == cursor(7)


@pytest.mark.parametrize("query", ["grpc_port=nine", "grpc_port=0", "prefix=small", "prefix=A_b", "grpc_port=70000"])
def test_an_url_that_cannot_be_meant_is_said(open_memory: Opener, query: str) -> None:
    with pytest.raises(NotConfigured, match="LEVAITHAN_MEMORY_URL"):
        open_memory(url=f"http://127.0.0.1:1?{query}").migrate()


def test_a_mistake_of_ours_does_not_pass_for_a_lag(memory: WeaviateMemory) -> None:
    with pytest.raises(KeyError):
        memory.ask(lambda _client: {}["missing"])


def test_a_client_that_is_not_installed_is_said(imitation: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levaithan.stores.weaviate_memory.util.find_spec", lambda _name: None)
    with pytest.raises(NotConfigured, match="not installed") as caught:
        opened(Opening(role="memory", path="", state="", url=imitation.url))
    assert "levaithan[weaviate]" in str(caught.value.fix)


def test_opening_it_loads_no_driver() -> None:
    code = (
        "import sys\n"
        "from levaithan.stores.opening import Opening\n"
        "from levaithan.stores.registry import adapter\n"
        "adapter('memory', 'http')(Opening(role='memory', path='', state='', url='http://127.0.0.1:1'))\n"
        "print(sorted({'weaviate', 'grpc', 'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_environment_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with weaviate_link._trusting("ca.pem"):
        assert os.environ["SSL_CERT_FILE"] == "ca.pem"
        assert "HTTPS_PROXY" not in os.environ
    assert "SSL_CERT_FILE" not in os.environ
    assert os.environ["HTTPS_PROXY"] == "http://127.0.0.1:9"


def test_the_command_line_answers_from_it_and_the_projector_fills_it(imitation: Imitation, tmp_path: Path) -> None:
    root = Path(homes.make_home(tmp_path / "home", native=False, memory_url=imitation.url, memory_api_key=KEY))
    files = JournalFiles(paths.home_at(str(root)).journal)
    for record in story():
        files.add(record)

    def rows(*words: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-c", "from levaithan.cli.main import run; run()", "--home", str(root), *words, "--json"],
            env=homes.plain_environment(), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert KEY not in done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
        return found

    assert [one["text"] for one in rows("memory", "search", "chocolate cake", "--k", "1")] == [CAKE]
    (note,) = rows("memory", "add", "The oven is broken")
    assert rows("memory", "show", note["id"])[0]["text"] == "The oven is broken"
    assert rows("memory", "forget", "--session", "s2", "--yes")[0]["forgotten"] == 2
    (rebuilt,) = rows("store", "rebuild", "memory")
    assert rebuilt["dead_letters"] == 0
    assert [one["text"] for one in rows("memory", "search", "chocolate cake", "--session", "s2")] == []
    (compared_,) = rows("store", "compare", "memory")
    assert compared_["equal"] is True
    assert compared_["journal"] == compared_["stored"] == 7
    (status,) = rows("store", "status", "memory")
    assert (status["state"], status["server"]) == ("ok", "Weaviate 1.40.3")
    assert "error" not in {one["status"] for one in rows("store", "check", "memory")}
