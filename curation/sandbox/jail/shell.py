"""Runs cells as a Jupyter kernel would: state is kept, the last expression is the result."""

from __future__ import annotations

import ast
import io
import linecache
import random
import re
import sys
import traceback
import types
from collections.abc import Mapping

import cv2
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from curation.sandbox.jail.gallery import Gallery
from curation.sandbox.jail.wire import Reply

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+>")
"""Memory addresses in a repr differ from run to run; they are told as 0x0."""
SHOWN = 10_000
"""Characters of a line that tracebacks may quote. Longer ones hold data (an image as base64), and
kept for every cell they would fill a session's memory."""


class BoundedText(io.TextIOBase):
    """A text stream that keeps the first `limit` characters."""

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self._room = limit
        self._cut = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._room:
            self._parts.append(text[: self._room])
        self._cut = self._cut or len(text) > self._room
        self._room = max(0, self._room - len(text))
        return len(text)

    def value(self) -> str:
        return "".join(self._parts) + ("\n[output cut]" if self._cut else "")


class Shell:
    """One session's names and its output streams."""

    def __init__(self, *, text: int, traceback: int, gallery: Gallery) -> None:
        self._text = text
        self._traceback = traceback
        self._gallery = gallery
        self._count = 0
        # A real `__main__` lets dataclasses and pickling inside the cells find their module.
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        self._names = main.__dict__
        self._names.update(np=np, plt=plt, Image=Image)
        self._names.update(show=gallery.display, display=gallery.display)

    def seed(self, seed: int) -> None:
        """Fixes every generator that code uses without a seed of its own."""
        random.seed(seed)
        np.random.seed(seed % 2**32)
        cv2.setRNGSeed(seed % 2**31)
        sequence = np.random.SeedSequence(seed)
        make = np.random.default_rng

        def default_rng(seed: int | None = None) -> np.random.Generator:
            return make(sequence.spawn(1)[0] if seed is None else seed)

        np.random.default_rng = default_rng  # type: ignore[assignment]

    def add(self, names: Mapping[str, object]) -> None:
        self._names.update(names)

    def run(self, code: str) -> Reply:
        """Runs a cell; whatever it raises becomes text in `stderr`."""
        self._count += 1
        out = BoundedText(self._text)
        # Warnings, logging and progress bars are not errors: only tracebacks are told as stderr.
        sys.stdout, sys.stderr = out, BoundedText(0)
        result, error = None, ""
        try:
            result = self._tell(self._execute(code))
        except BaseException as raised:
            error = self._explain(raised)
        return Reply(ADDRESS.sub(" at 0x0>", out.value()), error, result, self._gallery.take())

    def _execute(self, code: str) -> object:
        name = f"<cell {self._count}>"
        lines = [line if len(line) < SHOWN else "\n" for line in code.splitlines(keepends=True)]
        linecache.cache[name] = (len(code), None, lines, name)
        body = ast.parse(code, name)
        last = None
        if body.body and isinstance(body.body[-1], ast.Expr):
            last = ast.Expression(body.body.pop().value)  # type: ignore[attr-defined]
        exec(compile(body, name, "exec"), self._names)
        return None if last is None else eval(compile(last, name, "eval"), self._names)

    def _tell(self, value: object) -> str | None:
        if value is None or self._gallery.offer(value):
            return None
        if isinstance(value, str | bytes):
            value = value[: self._text + 1]
        text = ADDRESS.sub(" at 0x0>", repr(value))
        return text if len(text) <= self._text else text[: self._text] + " [output cut]"

    def _explain(self, error: BaseException) -> str:
        """The traceback from the cell on, never empty; the end is kept."""
        trace = error.__traceback__
        while trace and not trace.tb_frame.f_code.co_filename.startswith("<cell "):
            trace = trace.tb_next
        try:
            text = "".join(traceback.format_exception(type(error), error, trace)).strip()
        except BaseException:
            text = type(error).__name__
        return ADDRESS.sub(" at 0x0>", text)[-self._traceback :] or "Exception"
