"""What DeepEyesV2's trainer asks its code server for (arXiv 2511.05271; environment `deepeyes_v2`,
server MultiModal-Jupyter-Sandbox, version 1).

`status` is `success` for everything that ran, exceptions, syntax errors and time-outs included:
their text stands in `stderr`, which the model reads. Only empty code is an error, with a text in
the place of the output. The trainer takes any other status, and any HTTP error, for the end of
the trajectory.

The model sees `stdout`, `stderr` and the images, and never `result`. So `stdout` ends with the echo
of the last expression, `Out[0]: 42`, as the published server's does: without it a cell that ends in
`image_1.size` would show nothing.
"""

from __future__ import annotations

import base64
import re

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from curation.sandbox.service.trainer import TrainerSessions
from curation.sandbox.session import CellResult

SYNTAX = re.compile(r"(?:Syntax|Indentation|Tab)Error: (.*)\Z")


class CellRequest(BaseModel):
    """One cell."""

    session_id: str = Field(min_length=1, max_length=256)
    code: str
    timeout: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds; the published server's default."""


class ClearRequest(BaseModel):
    """The end of a session."""

    session_id: str = Field(min_length=1, max_length=256)


class Output(BaseModel):
    """What the model and the environment get to see."""

    result: str
    """The last expression, `None` where there is none."""
    stdout: str
    stderr: str
    images: list[str]
    """PNG as base64, without a `data:` prefix, which the environment cannot decode."""


class CellAnswer(BaseModel):
    """The answer to code that ran."""

    status: str = "success"
    execution_time: float
    """Seconds."""
    output: Output


class NoCode(BaseModel):
    """The answer to code that is empty."""

    status: str = "error"
    output: str = "Error: No code provided"


class Cleared(BaseModel):
    """The answer to the end of a session, also of one that never was."""

    status: str = "success"


def routes(trainer: TrainerSessions) -> APIRouter:
    """The two routes of the published server."""
    router = APIRouter(tags=["DeepEyesV2"])

    @router.post("/jupyter_sandbox")
    async def jupyter_sandbox(cell: CellRequest) -> CellAnswer | NoCode:
        """Runs a cell in the session of this id, which begins with its first cell."""
        if not cell.code.strip():
            return NoCode()
        try:
            result = await trainer.run(cell.session_id, cell.code, cell.timeout)
        except ValueError as error:
            raise HTTPException(413, str(error)) from None
        return answer(result)

    @router.post("/clear_session")
    async def clear_session(session: ClearRequest) -> Cleared:
        """Ends the session of this id and forgets its variables."""
        await trainer.clear(session.session_id)
        return Cleared()

    return router


def answer(result: CellResult) -> CellAnswer:
    """A cell's result as the published server words it."""
    output = Output(
        result=str(result.result),
        stdout=result.stdout + _echo(result.result),
        stderr=_worded(result.stderr),
        images=[base64.b64encode(image).decode() for image in result.images],
    )
    return CellAnswer(execution_time=result.seconds, output=output)


def _echo(result: str | None) -> str:
    """The last expression as IPython shows it; several lines begin on a line of their own."""
    if result is None:
        return ""
    return "Out[0]: " + ("\n" if "\n" in result else "") + result + "\n"


def _worded(stderr: str) -> str:
    """Code that does not compile is one line there, `SyntaxError - ...`, and a traceback here."""
    found = SYNTAX.search(stderr)
    if found is None or "Traceback (most recent call last)" in stderr:
        return stderr
    return f"SyntaxError - {found[1]}"
