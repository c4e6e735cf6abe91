"""Cards of samples: what is asked, what the models said, what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby

import duckdb

from curation.look.page import badge, mark, page, question, whence
from curation.look.pictures import find_sample, sample_images
from curation.runs import Run
from curation.stages.count import RIGHT

_LONGEST = 40
"""Characters of a prediction that are shown."""

Attempt = tuple[str, str | None, str, bool | None, str | None]
"""Arm, prediction, stop reason, right or not or unknown, the grader's explanation."""


def samples(run: Run, sample_ids: Iterable[str]) -> str:
    """Images with evidence boxes, gold answer, every attempt with its score, and the verdict.

    Raises:
        RunError: the run holds no such sample.
    """
    with run.connect() as db:
        return page([_card(run, db, sample_id) for sample_id in sample_ids])


def _card(run: Run, db: duckdb.DuckDBPyConnection, sample_id: str) -> str:
    sample = find_sample(db, sample_id)
    attempts = _attempts(db, sample_id)
    arms = (_arm(name, list(rows)) for name, rows in groupby(attempts, lambda row: row[0]))
    return f"""<article class="columns"><div>{sample_images(run, sample)}</div>
        <div><header>{_verdict(db, sample_id)} {whence(sample)}</header>
        {question(sample)}{"".join(arms) or "<p>No model answered.</p>"}</div></article>"""


def _attempts(db: duckdb.DuckDBPyConnection, sample_id: str) -> list[Attempt]:
    rows: list[Attempt] = db.execute(
        f"""SELECT arm, prediction, stop_reason, value > {RIGHT}, explanation
            FROM rollouts LEFT JOIN scores USING (rollout_id)
            WHERE rollouts.sample_id = $1 ORDER BY arm, attempt""",
        [sample_id],
    ).fetchall()
    return rows


def _verdict(db: duckdb.DuckDBPyConnection, sample_id: str) -> str:
    # All rows are fetched: an unfinished result blocks the connection for the next card.
    rows = db.execute(
        "SELECT kept, split, failed FROM verdicts WHERE sample_id = $1", [sample_id]
    ).fetchall()
    if not rows:
        return badge("plain", "no verdict")
    kept, split, failed = rows[0]
    if kept:
        return badge("good", f"kept: {split}" if split else "kept")
    return badge("bad", f"dropped: {', '.join(failed)}")


def _arm(name: str, attempts: Sequence[Attempt]) -> str:
    right = sum(attempt[3] is True for attempt in attempts)
    shown = "".join(_attempt(attempt) for attempt in attempts)
    return f"<h5>{escape(name)}: {right} of {len(attempts)} right</h5>{shown}"


def _attempt(attempt: Attempt) -> str:
    """The prediction, or why there is none; the grader's reason when pointed at."""
    _, prediction, stop_reason, right, explanation = attempt
    text = stop_reason if prediction is None else prediction
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    hint = escape(explanation or stop_reason)
    return f'<span class="attempt" title="{hint}">{mark(right)} {escape(shown)}</span>'
