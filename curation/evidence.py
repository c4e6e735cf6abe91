"""Whether the tools mattered: answers without the observations, and attempts with a placebo."""

from __future__ import annotations

from curation.runs import Run

_ASKED_AGAIN = """
    SELECT sum({how}_right), sum({how}_attempts),
           count(*) FILTER (2 * {how}_right > {how}_attempts), count(*)
    FROM supports {which} WHERE {how}_attempts > 0
"""
_WHICH = {"all rollouts that were asked again": "", "trajectories": "SEMI JOIN trajectories"}
_HOW = {"blank": "observations blank", "swapped": "observations of another sample"}
_MEASURED = {
    "tool_benefit": "pass rate with tools less that without, mean",
    "placebo_margin": "pass rate with tools less that with a placebo, mean",
}


def evidence(run: Run) -> list[tuple[str, str]]:
    """Figures and their values, as far as the run measured them."""
    figures = []
    with run.connect() as db:
        for how, word in _HOW.items():
            for who, join in _WHICH.items():
                which = f"{join} USING (rollout_id)" if join else ""
                row = db.execute(_ASKED_AGAIN.format(how=how, which=which)).fetchone()
                if row and row[3]:
                    right, asked, survive, rollouts = row
                    figures += [
                        (f"{who}: answers right with {word}", _share(right, asked)),
                        (f"{who}: mostly right with {word}", _share(survive, rollouts)),
                    ]
        for column, name in _MEASURED.items():
            mean, samples = db.execute(
                f"SELECT avg({column}), count({column}) FROM benefits"
            ).fetchall()[0]
            if samples:
                figures.append((name, f"{mean:+.1%} over {samples:,} samples"))
    return figures


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.1%})"
