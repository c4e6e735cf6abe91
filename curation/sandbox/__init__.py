"""Runs code that a model wrote, with images, in isolation and fast."""

from curation.sandbox.limits import Limits
from curation.sandbox.sandbox import Sandbox
from curation.sandbox.session import CellResult, Session

__all__ = ["CellResult", "Limits", "Sandbox", "Session"]
