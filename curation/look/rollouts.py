"""Cards of rollouts: the conversation turn by turn, and what the checks found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import duckdb

from curation.dialects.base import IMAGE
from curation.errors import RunError
from curation.look.page import badge, mark, page, question, tagged, whence
from curation.look.pictures import embedded, find_sample, sample_images
from curation.runs import Run
from curation.verification import holds
from schemas import Rollout, Sample, ToolCall, Turn, from_table

_CROP_SIDE = 260
"""Longer side of what a tool showed, in pixels of the page."""

Check = tuple[str, bool | None, str]
"""Name, outcome (null: does not apply) and what was seen."""


def rollouts(run: Run, rollout_ids: Iterable[str]) -> str:
    """Question, every reply, what its action gave back with crops in place, and the checks.

    Raises:
        RunError: the run holds no such rollout.
    """
    with run.connect() as db:
        return page([_card(run, db, rollout_id) for rollout_id in rollout_ids])


def _card(run: Run, db: duckdb.DuckDBPyConnection, rollout_id: str) -> str:
    rollout = _find(db, rollout_id)
    sample = find_sample(db, rollout.sample_id)
    checks: list[Check] = db.execute(
        'SELECT "check", passed, evidence FROM verifications WHERE rollout_id = $1', [rollout_id]
    ).fetchall()
    turns = "".join(_turn(run, number, turn) for number, turn in enumerate(rollout.turns, start=1))
    return f"""<article><header>{_outcome(checks)} {whence(sample)}
        <small>· {escape(rollout.arm)}, attempt {rollout.attempt}</small></header>
        <div class="columns"><div>{sample_images(run, sample)}</div>
        <div>{question(sample)}{_checks(checks)}{_prompt(run, rollout, sample)}</div></div>
        {turns}</article>"""


def _find(db: duckdb.DuckDBPyConnection, rollout_id: str) -> Rollout:
    found = db.sql("FROM rollouts WHERE rollout_id = $1", params=[rollout_id]).to_arrow_table()
    if not found.num_rows:
        raise RunError(
            f"the run holds no rollout {rollout_id!r}: `SELECT rollout_id FROM rollouts` lists them"
        )
    return from_table(Rollout, found)[0]


def _outcome(checks: Sequence[Check]) -> str:
    if not checks:
        return badge("plain", "not verified")
    against = [name for name, passed, _ in checks if not holds(name, passed)]
    return badge("bad", f"rejected: {', '.join(against)}") if against else badge("good", "verified")


def _checks(checks: Sequence[Check]) -> str:
    lines = (
        f"<li>{mark(passed)} {escape(name)} <small>{escape(evidence)}</small></li>"
        for name, passed, evidence in checks
    )
    return f'<h5>Checks</h5><ul class="checks">{"".join(lines)}</ul>' if checks else ""


def _prompt(run: Run, rollout: Rollout, sample: Sample) -> str:
    """As the run keeps it; nothing where it keeps several for the arm."""
    kept = list(run.prompts.glob(f"{rollout.arm}-*.txt"))
    if len(kept) != 1:
        return ""
    asked = kept[0].read_text(encoding="utf-8").replace("{question}", sample.question)
    return f"<details><summary>The prompt ({rollout.dialect})</summary>{tagged(asked)}</details>"


def _turn(run: Run, number: int, turn: Turn) -> str:
    reply = f"""<div class="turn model"><h5>Turn {number}: model
        <small>{turn.completion_tokens} tokens</small></h5>{tagged(turn.text)}</div>"""
    return reply + (_observation(run, turn.call) if turn.call else "")


def _observation(run: Run, call: ToolCall) -> str:
    """What came back, as the model saw it: each image stands where its placeholder does."""
    texts = call.text.split(IMAGE)
    images = [embedded(run, image_id, side=_CROP_SIDE) for image_id in call.image_ids]
    # A text that names other images than were shown is what a check rejects: show all there is.
    images += [""] * (len(texts) - len(images))
    shown = "".join(_text(text) + image for text, image in zip(texts, images, strict=False))
    failed = f" {badge('bad', 'error')}" if call.error else ""
    return f"""<div class="turn tool"><h5>{escape(call.name)}
        <small>{call.seconds:.2f} s</small>{failed}</h5>{shown}</div>"""


def _text(text: str) -> str:
    return tagged(text.strip("\n")) if text.strip() else ""
