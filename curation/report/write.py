"""Writes the page: the template with its style sheet and its script, which lie beside it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from curation.look.charts import share_bar
from curation.look.page import environment, style
from curation.look.pictures import Gallery
from curation.report.contents import read_contents
from curation.runs import Run
from curation.tables import whole

FOLDER = Path(__file__).parent
PAGE = 50
"""Cards that the page shows at a time; the script turns the pages."""


def write_report(run: Run, path: Path, *, cards: int = 500) -> None:
    """Write a run's report as one file that needs no other, with at most `cards` samples and as
    many rollouts of the teacher; one of every fate in every source is among them.

    Raises:
        RunError: the folder holds no run, or one that another version wrote.
    """
    contents = read_contents(run, cards=cards)
    gallery = Gallery(run, shared=True)
    gallery.prepare(contents.image_ids())
    script = Markup((FOLDER / "report.js").read_text(encoding="utf-8"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial, partial.open("wb") as file:
        _environment().get_template("report.jinja").stream(
            run=contents,
            gallery=gallery,
            page=PAGE,
            style=style() + Markup((FOLDER / "report.css").read_text(encoding="utf-8")),
            script=script,
            policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{_digest(script)}'",
        ).dump(file, encoding="utf-8")


def _environment() -> Environment:
    made = environment(FOLDER)
    made.globals["share_bar"] = share_bar
    return made


def _digest(script: str) -> str:
    """What a browser must find before it runs this script; it runs no other."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
