"""One real sandbox for all tests of the folder: starting it takes seconds, a session does not."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from curation.sandbox import Limits, Sandbox, Session
from curation.sandbox.limits import MIB

LIMITS = Limits(memory=512 * MIB, disk=8 * MIB, inodes=256, threads=16, images=3, pixels=1_000_000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(LIMITS, sessions=16, cells=2) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="session")
async def session(sandbox: Sandbox) -> AsyncIterator[Session]:
    async with await sandbox.open() as session:
        yield session


@pytest.fixture
def photo() -> bytes:
    """A JPEG of 80 by 60 pixels, red on the left and blue on the right."""
    image = Image.new("RGB", (80, 60), "red")
    image.paste("blue", (40, 0, 80, 60))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()
