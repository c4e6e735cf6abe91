"""Our own routes: open a session with images, run cells in it, close it; health and metrics."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from pydantic import BaseModel, Field

from curation.sandbox.limits import Limits
from curation.sandbox.service.metrics import Meters
from curation.sandbox.service.sessions import Sessions
from curation.sandbox.session import CellResult, Status, refusal


class Opening(BaseModel):
    """A session to be opened."""

    images: list[str] = Field(default_factory=list, max_length=64)
    """Encoded images as base64; they become `image_1`, `image_2`, ..."""
    seed: int = 0
    idle_seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds without use after which it is ended; the service's own bound by default."""


class Opened(BaseModel):
    """An open session."""

    session: str


class Cell(BaseModel):
    """Code to run in a session."""

    code: str
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds; at most the service's `cell_seconds`, which is the default."""


class Result(BaseModel):
    """What a cell did; the fields of `curation.sandbox.CellResult`."""

    status: Status
    stdout: str
    stderr: str
    result: str | None
    images: list[str]
    """PNG as base64."""
    seconds: float


class Health(BaseModel):
    """What a caller needs to know before it sends anything."""

    status: Literal["ok", "stopping"]
    probes: dict[str, str]
    """What the self-test of the isolation found."""
    limits: dict[str, float]
    """The fields of `curation.sandbox.Limits`."""


def routes(sessions: Sessions, meters: Meters, limits: Limits) -> APIRouter:
    """The routes over the service's sessions; `limits` are those that callers are told."""
    router = APIRouter(tags=["sessions"])

    @router.post("/sessions", status_code=201)
    async def open_session(opening: Opening) -> Opened:
        """Opens a session with its images loaded."""
        try:
            images = [decoded(text, i) for i, text in enumerate(opening.images, 1)]
            name = await sessions.open(images, seed=opening.seed, idle_seconds=opening.idle_seconds)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        return Opened(session=name)

    @router.post("/sessions/{session}/cells")
    async def run_cell(session: str, cell: Cell) -> Result:
        """Runs a cell; what goes wrong in it is told in the result."""
        fault = refusal(cell.code, limits)
        if fault is not None:
            raise HTTPException(413 if cell.code.strip() else 400, fault.stderr)
        return result(await sessions.run(session, cell.code, cell.timeout))

    @router.delete("/sessions/{session}", status_code=204)
    async def close_session(session: str) -> None:
        """Ends a session, also in the middle of a cell."""
        await sessions.close(session)

    @router.get("/health")
    async def health() -> Health:
        """Whether work is taken, how code is isolated, and within which limits it runs."""
        status: Literal["ok", "stopping"] = "stopping" if sessions.stopping else "ok"
        return Health(status=status, probes=sessions.sandbox.probes, limits=asdict(limits))

    @router.get("/metrics")
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def result(cell: CellResult) -> Result:
    return Result(
        status=cell.status,
        stdout=cell.stdout,
        stderr=cell.stderr,
        result=cell.result,
        images=[base64.b64encode(image).decode() for image in cell.images],
        seconds=cell.seconds,
    )


def decoded(text: str, number: int) -> bytes:
    """An image's bytes; raises ValueError for text that is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"image {number} is no base64: {error}") from None
