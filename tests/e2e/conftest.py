"""The client, the imitation of the API and the stage, for the end-to-end tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import real_client
from tests.e2e.messages_api_imitation import MessagesApiImitation
from tests.e2e.stage import Stage

from levaithan.hot.catalogue import EVENTS

EVERY = [spec.name for spec in EVENTS.values() if spec.registered]


@pytest.fixture(scope="session")
def client() -> Path:
    """The real client. A machine that cannot have it fails the test; only a person's word leaves it out."""
    if os.environ.get(real_client.SKIP) == "1":
        pytest.skip(f"{real_client.SKIP}=1 was set: the real client was not asked")
    try:
        return real_client.client()
    except real_client.NoClientError as error:
        pytest.fail(str(error))


@pytest.fixture
def api() -> Iterator[MessagesApiImitation]:
    imitation = MessagesApiImitation()
    yield imitation
    imitation.close()


@pytest.fixture
def bare_stage(tmp_path: Path, client: Path, api: MessagesApiImitation) -> Stage:
    """A stage whose project has only the foreign hook, on every event that we would take."""
    made = Stage(tmp_path, client, api)
    made.put_foreign_hook(EVERY)
    return made


@pytest.fixture
def stage(bare_stage: Stage) -> Stage:
    """The same with our hooks installed beside the foreign one; no service runs yet."""
    bare_stage.install()
    return bare_stage
