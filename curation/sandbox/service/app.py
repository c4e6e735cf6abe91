"""The application: both sets of routes, and one sentence for everything that goes wrong."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from curation.errors import SandboxError
from curation.sandbox.limits import Limits
from curation.sandbox.service import api, contract
from curation.sandbox.service.guard import Guard, fault
from curation.sandbox.service.metrics import Meters
from curation.sandbox.service.sessions import BusyError, Sessions, UnknownError
from curation.sandbox.service.trainer import TrainerSessions


def make_app(
    sessions: Sessions,
    trainer: TrainerSessions,
    meters: Meters,
    limits: Limits,
    *,
    token: str | None,
    body: int,
) -> FastAPI:
    """The ASGI application; see `Guard` for `token` and `body`."""
    app = FastAPI(title="Toolsight sandbox", root_path_in_servers=False)
    app.include_router(contract.routes(trainer))
    app.include_router(api.routes(sessions, meters, limits))
    app.add_middleware(Guard, token=token, body=body)

    @app.exception_handler(BusyError)
    async def busy(request: Request, error: BusyError) -> JSONResponse:
        stopping = "the service is stopping" if sessions.stopping else "everything is in use"
        return fault(503, f"{stopping}: come again")

    @app.exception_handler(UnknownError)
    async def unknown(request: Request, error: UnknownError) -> JSONResponse:
        return fault(404, "there is no such session: it was closed, was not used or is lost")

    @app.exception_handler(SandboxError)
    async def broken(request: Request, error: SandboxError) -> JSONResponse:
        return fault(500, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return fault(400, "; ".join(_sentence(part["loc"], part["msg"]) for part in error.errors()))

    return app


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in place)
    return f"{where}: {message}".encode("ascii", "backslashreplace").decode()
