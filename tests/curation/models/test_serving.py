"""The client and the managed server with the real engine and the embedded model."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image

from curation.errors import RequestError
from curation.models import ManagedServer, ModelClient, Sampling
from schemas import Message

pytestmark = pytest.mark.serve
CHAT = [Message("system", "Look."), Message("user", "<image>\nWhich colour is this?")]


def picture(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (200, 160), colour).save(buffer, "PNG")
    return buffer.getvalue()


def client(server: ManagedServer) -> ModelClient:
    return ModelClient([server.url], media_root=server.media_root)


async def test_attempts_come_in_one_request(embedded_server: ManagedServer) -> None:
    async with client(embedded_server) as model:
        completion = await model.complete(CHAT, [picture()], Sampling(n=8, max_tokens=16))
    assert model.model == embedded_server.served_name
    assert len(completion.replies) == 8
    assert completion.prompt_tokens > 0
    assert completion.completion_tokens > 0


async def test_a_file_and_its_bytes_are_the_same_image(embedded_server: ManagedServer) -> None:
    assert embedded_server.media_root is not None
    path = embedded_server.media_root / "red.png"
    path.write_bytes(picture())
    sampling = Sampling(temperature=0, max_tokens=8)
    async with client(embedded_server) as model:
        by_path = await model.complete(CHAT, [path], sampling)
        by_bytes = await model.complete(CHAT, [picture()], sampling)
    assert by_path.replies == by_bytes.replies
    assert by_path.prompt_tokens == by_bytes.prompt_tokens


async def test_the_server_reads_no_other_files(
    embedded_server: ManagedServer, tmp_path: Path
) -> None:
    path = tmp_path / "red.png"
    path.write_bytes(picture())
    async with ModelClient([embedded_server.url], media_root=tmp_path) as model:
        with pytest.raises(RequestError, match="must be a subpath"):
            await model.complete(CHAT, [path], Sampling())


async def test_attempt_i_has_the_seed_plus_i(embedded_server: ManagedServer) -> None:
    async with client(embedded_server) as model:

        async def draw(n: int, seed: int) -> list[str]:
            sampling = Sampling(n=n, seed=seed, max_tokens=8)
            completion = await model.complete(CHAT, [picture()], sampling)
            return [reply.text for reply in completion.replies]

        together = await draw(4, 100)
        one_by_one = [(await draw(1, 100 + index))[0] for index in range(4)]
    assert together == one_by_one


async def test_seeds_under_load_do_not_end_the_engine(embedded_server: ManagedServer) -> None:
    """Chunked prefills of seeded requests do, on a CPU."""
    long = [Message("user", "<image>" * 4 + "Which colour is this? " * 20)]
    async with client(embedded_server) as model:
        completions = await asyncio.gather(
            *(
                model.complete(long, [picture()] * 4, Sampling(n=4, seed=seed, max_tokens=4))
                for seed in range(40)
            )
        )
    assert len(completions) == 40
    assert embedded_server.restarted == 0
    assert model.usage.retries == 0
