"""The sandbox over HTTP: `toolsight sandbox serve`.

    contract.py   POST /jupyter_sandbox, POST /clear_session: what DeepEyesV2's trainer asks for
    api.py        POST /sessions, POST /sessions/{id}/cells, DELETE /sessions/{id}, health, metrics
    trainer.py    the trainer's sessions, which outlive a time-out
    sessions.py   the open sessions behind both: places, cores, turns, expiry
    guard.py      token and size of a request, before anything of it is read
    app.py        the application; its OpenAPI page is at /docs
    settings.py   what the command line says: limits, and whether a token is needed
    serve.py      the process: address, signals, an orderly end

With a token, every route wants `Authorization: Bearer TOKEN`, or the token in the path:
`http://node:8000/token/TOKEN/jupyter_sandbox`, since the trainer's environment sends no headers.
"""

from curation.sandbox.service.serve import serve
from curation.sandbox.service.settings import read_limits

__all__ = ["read_limits", "serve"]
