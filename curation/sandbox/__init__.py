"""Runs code that a model wrote, with images, in isolation and fast."""

from curation.sandbox.backend import (
    CodeSandbox,
    CodeSession,
    SandboxSettings,
    open_sandbox,
    read_token,
)
from curation.sandbox.limits import Limits
from curation.sandbox.remote import RemoteSandbox
from curation.sandbox.sandbox import Sandbox
from curation.sandbox.server import ForkServer
from curation.sandbox.session import CellResult, Session

__all__ = [
    "CellResult",
    "CodeSandbox",
    "CodeSession",
    "ForkServer",
    "Limits",
    "RemoteSandbox",
    "Sandbox",
    "SandboxSettings",
    "Session",
    "open_sandbox",
    "read_token",
]
