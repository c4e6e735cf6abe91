"""Cards as HTML. All that comes from data or from a model is escaped, in every template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from curation.dialects.base import IMAGE
from curation.look.cards import read_rollouts, read_samples
from curation.look.pictures import Gallery
from curation.runs import Run
from schemas import ToolCall

TEMPLATES = Path(__file__).parent / "templates"
NOTHING = Markup("<p>Nothing to show: the run holds no such rows.</p>")
_TAG = re.compile("&lt;/?[a-z_]+&gt;|```[a-z]*")


def environment(*folders: Path) -> Environment:
    """Templates of this folder and of others, with autoescape on and a missing value an error."""
    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"tagged": tagged, "pieces": pieces}
    return made


def style() -> Markup:
    """The style sheet of cards and charts."""
    return Markup((TEMPLATES / "look.css").read_text(encoding="utf-8"))


def samples(run: Run, sample_ids: Iterable[str]) -> str:
    """Cards for a notebook: images with evidence boxes, gold answer, every attempt with its score,
    and the verdict.

    Raises:
        RunError: the run holds no such sample.
    """
    with run.connect() as db:
        cards = read_samples(db, sample_ids)
    return _framed(run, "sample_card", cards)


def rollouts(run: Run, rollout_ids: Iterable[str]) -> str:
    """Cards for a notebook: question, every reply, what its action gave back with crops in place,
    and the checks.

    Raises:
        RunError: the run holds no such rollout.
    """
    with run.connect() as db:
        cards = read_rollouts(run, db, rollout_ids)
    return _framed(run, "rollout_card", cards)


def frame(*parts: Markup) -> str:
    """Charts and cards with their style sheet, for a cell of a notebook."""
    # The class keeps MathJax from taking two prices in dollars for a formula.
    return Markup('<style>{}</style><div class="toolsight mathjax_ignore">{}</div>').format(
        style(), Markup("").join(parts) or NOTHING
    )


def _framed(run: Run, macro: str, cards: Iterable[object]) -> str:
    gallery, templates = Gallery(run), environment().get_template("cards.jinja").module
    return frame(*(getattr(templates, macro)(card, gallery) for card in cards))


def tagged(text: str) -> Markup:
    """Text whose tags and code fences step back behind what they hold."""
    return Markup(_TAG.sub(r"<i>\g<0></i>", str(escape(text))))


def pieces(call: ToolCall) -> Iterator[tuple[str, str]]:
    """What came back, as the model saw it: texts, each with the image whose placeholder ends it.

    A text that names other images than were shown is what a check rejects: all there is comes.
    """
    texts, images = call.text.split(IMAGE), list(call.image_ids)
    images += [""] * (len(texts) - len(images))
    texts += [""] * (len(images) - len(texts))
    return zip(texts, images, strict=True)
