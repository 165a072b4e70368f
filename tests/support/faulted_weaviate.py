"""The memory on Weaviate, to be hurt: see faulted_stores."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.servers.weaviate import Weaviate
from tests.support.faulted_stores import Faulted, unlike

from levaithan.stores import embedding
from levaithan.stores.sqlite_memory import SqliteMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.process import Server

_OLDER = "LevaithanPrompt_hashing_0"


class WeaviateMemoryStore(Faulted):
    """The memory of a home."""

    role = "memory"

    def make(self) -> Server:
        return Weaviate()

    def settings(self) -> dict[str, object]:
        return {
            "memory_url": f"{self.server.endpoint().url}?grpc_port={self._grpc()}", "memory_model": "hashing",
            "memory_api_key_file": self.secret(self.server.password),
        }  # fmt: skip

    def change_password(self) -> Callable[[], None]:
        return self.started_with_another_key()

    def age(self) -> None:
        from weaviate.classes.config import Configure, DataType, Property

        with self._client() as client:
            client.collections.delete([one for one in client.collections.list_all() if one != _OLDER])
            if not client.collections.exists(_OLDER):
                text = Property(name="text", data_type=DataType.TEXT)
                vectors = Configure.Vectors.self_provided()
                client.collections.create(_OLDER, properties=[text], vector_config=vectors)
                client.collections.use(_OLDER).data.insert({"text": "of before"}, vector=[1.0, 0.0])
        self.server.kill()
        self.server.restart()

    def brought_up(self, root: str) -> None:
        with self._client() as client:
            assert len(client.collections.use(_OLDER)) == 1

    def doubled(self, store: Any, root: str) -> int:
        """What the memory has more or less of than one that is made of the journal by the other adapter."""
        path = str(self.folder / f"memory-{secrets.token_hex(4)}.sqlite3")
        other = SqliteMemory(path, 1 << 20, embedding.model("hashing"))
        return unlike(store, other, root)

    def room_again(self) -> None:
        """What the message says: it makes its collections read-only, and stays so until it is started anew."""
        self.server.kill()
        self.server.restart()

    def _grpc(self) -> str:
        return self.server.endpoint().more["grpc"].rpartition(":")[2]

    @contextmanager
    def _client(self) -> Iterator[Any]:
        import weaviate
        from weaviate.classes.init import Auth

        client = weaviate.connect_to_local(
            host="127.0.0.1", port=self.server.port, grpc_port=int(self._grpc()),
            auth_credentials=Auth.api_key(self.server.password),
        )  # fmt: skip
        try:
            yield client
        finally:
            client.close()
