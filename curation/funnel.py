"""The funnel of a run, source by source, and the story of a single sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from curation.errors import RunError
from curation.runs import Run
from curation.verification import HOLDS, names_sql
from schemas.rollout import TEACHING

ALL = "all"


@dataclass(frozen=True, slots=True)
class Funnel:
    """Lines of counts; every line has one count a source, and their sum under `all`."""

    sources: tuple[str, ...]
    lines: tuple[tuple[str, Mapping[str, int]], ...]

    def cells(self) -> list[tuple[str, ...]]:
        """Header and lines as text, for any kind of table; a zero is left empty."""
        columns = (*self.sources, ALL)
        header = ("rows", *columns)
        rows = [(label, *(_cell(counts, name) for name in columns)) for label, counts in self.lines]
        return [header, *rows]


def _cell(counts: Mapping[str, int], column: str) -> str:
    count = sum(counts.values()) if column == ALL else counts.get(column, 0)
    return f"{count:,}" if count else ""


_COUNTS = (
    ("in", "SELECT source, max(rows) FROM pulls WHERE rows IS NOT NULL GROUP BY 1"),
    (
        "quarantined at ingest: {}",
        """SELECT error, source, count(*) FROM quarantine WHERE stage = 'ingest'
           GROUP BY ALL""",
    ),
    ("samples", "SELECT source, count(*) FROM samples GROUP BY 1"),
    (
        "dropped: {}",
        """SELECT dropped_by, source, count(*) FROM verdicts JOIN samples USING (sample_id)
           WHERE NOT kept GROUP BY ALL""",
    ),
    (
        "kept: {}",
        """SELECT split, source, count(*) FROM verdicts JOIN samples USING (sample_id)
           WHERE kept GROUP BY ALL""",
    ),
    (
        "tools {} (95 % sure)",
        """SELECT CASE WHEN tool_benefit_low > 0 THEN 'help' ELSE 'harm' END, source, count(*)
           FROM benefits JOIN samples USING (sample_id)
           WHERE tool_benefit_low > 0 OR tool_benefit_high < 0 GROUP BY ALL""",
    ),
    (
        "failed requests: {}",
        """SELECT stage, source, count(*) FROM quarantine
           WHERE stage NOT IN ('ingest', 'measure') GROUP BY ALL""",
    ),
    (
        "{} rollouts",
        f"""SELECT arm, source, count(*) FROM rollouts JOIN samples USING (sample_id)
           WHERE arm IN {names_sql(TEACHING)} GROUP BY ALL""",
    ),
    (
        "ended: {}",
        f"""SELECT stop_reason, source, count(*) FROM rollouts JOIN samples USING (sample_id)
           WHERE arm IN {names_sql(TEACHING)} AND stop_reason <> 'answered'
           GROUP BY ALL""",
    ),
    (
        "rejected: {}",
        f"""SELECT "check", source, count(*) FROM verifications JOIN samples USING (sample_id)
           WHERE NOT {HOLDS}
           GROUP BY ALL""",
    ),
    (
        "asked again without observations",
        "SELECT source, count(*) FROM supports JOIN samples USING (sample_id) GROUP BY 1",
    ),
    (
        "still mostly right: {}",
        """SELECT how, source, count(*) FROM (
               SELECT sample_id, 'observations blank' AS how FROM supports
               WHERE 2 * blank_right > blank_attempts UNION ALL
               SELECT sample_id, 'those of another sample' FROM supports
               WHERE 2 * swapped_right > swapped_attempts
           ) JOIN samples USING (sample_id) GROUP BY ALL""",
    ),
    (
        "left out: {}",
        """SELECT dropped_by, source, count(*) FROM choices JOIN samples USING (sample_id)
           WHERE dropped_by IS NOT NULL GROUP BY ALL""",
    ),
    (
        "trajectories",
        """SELECT source, count(*) FROM trajectories JOIN samples USING (sample_id) GROUP BY 1""",
    ),
    (
        "of these in {}",
        """SELECT dialect, source, count(*) FROM trajectories JOIN samples USING (sample_id)
           GROUP BY ALL""",
    ),
)
"""A label and its query: counts by source, or by what stands for {} in the label and by source."""


def read_funnel(run: Run) -> Funnel:
    """Count what became of every row."""
    lines: list[tuple[str, dict[str, int]]] = []
    with run.connect() as db:
        named = db.execute("SELECT DISTINCT source FROM pulls ORDER BY 1").fetchall()
        for label, sql in _COUNTS:
            lines += _lines(db, label, sql)
        lines += _exports(run, db)
    return Funnel(tuple(name for (name,) in named), tuple(lines))


def _lines(db: duckdb.DuckDBPyConnection, label: str, sql: str) -> list[tuple[str, dict[str, int]]]:
    grouped: dict[str, dict[str, int]] = {}
    for *key, source, count in db.execute(sql).fetchall():
        grouped.setdefault(label.format(*key), {})[source] = count
    return sorted(grouped.items(), key=_most_first)


def _most_first(line: tuple[str, Mapping[str, int]]) -> tuple[int, str]:
    """Ties go by label: two readings of one run are equal, line by line."""
    label, counts = line
    return -sum(counts.values()), label


def _exports(run: Run, db: duckdb.DuckDBPyConnection) -> list[tuple[str, dict[str, int]]]:
    """Exported rows, as the provenance table beside each export's shards has them."""
    lines = []
    for path in sorted(run.export_path("").glob("*/records/provenance.parquet")):
        sql = "SELECT source, count(*) FROM read_parquet($1) GROUP BY 1"
        counts = dict(db.execute(sql, [str(path)]).fetchall())
        lines.append((f"exported: {path.parent.parent.name}", counts))
    return lines


_STORY = (
    ("sample", "SELECT * EXCLUDE (sample_id) FROM samples"),
    ("measured", "SELECT * EXCLUDE (sample_id) FROM measures"),
    ("duplicate", "SELECT duplicate_of FROM duplicates"),
    ("screened", "SELECT kept, failed FROM screens"),
    (
        "rollouts",
        """SELECT arm, attempt, stop_reason, prediction, value AS score, explanation,
                  len(turns) AS turns, error
           FROM rollouts LEFT JOIN scores USING (rollout_id)""",
    ),
    ("counts", "SELECT * EXCLUDE (sample_id) FROM counts"),
    ("benefit", "SELECT * EXCLUDE (sample_id) FROM benefits"),
    ("verdict", "SELECT kept, split, dropped_by, failed FROM verdicts"),
    ("checks", 'SELECT rollout_id[:12] AS rollout, "check", passed, evidence FROM verifications'),
    ("chosen", "SELECT rollout_id[:12] AS rollout, kind, dropped_by FROM choices"),
    (
        "trajectories",
        "SELECT trajectory_id, tool_calls, len(messages) AS messages FROM trajectories",
    ),
)


def tell(run: Run, sample: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Everything that the run knows about a sample, table by table.

    `sample` is a sample id, the beginning of one, or the row's id in its source.

    Raises:
        RunError: no sample, or several, answer to that name.
    """
    with run.connect() as db:
        sample_id = _find(run, db, sample)
        story = []
        for title, sql in _STORY:
            found = db.sql(f"FROM ({_of_sample(sql)})", params=[sample_id]).to_arrow_table()
            if rows := found.to_pylist():
                story.append((title, rows))
    return story


def _of_sample(sql: str) -> str:
    """The query for one sample: every table of the story has the column."""
    table = "rollouts." if "rollouts" in sql.split("FROM")[-1] else ""
    return f"{sql} WHERE {table}sample_id = $1"


def _find(run: Run, db: duckdb.DuckDBPyConnection, sample: str) -> str:
    ids = db.execute(
        """SELECT sample_id FROM samples WHERE starts_with(sample_id, $1) OR origin_id = $1
           LIMIT 2""",
        [sample],
    ).fetchall()
    if not ids:
        raise quarantined(db, sample) or RunError(
            f"{run.path} holds no sample {sample!r}: `toolsight sql` lists samples.sample_id"
        )
    if len(ids) > 1:
        raise RunError(f"several samples of {run.path} are called {sample!r}: write more of the id")
    found: str = ids[0][0]
    return found


def quarantined(db: duckdb.DuckDBPyConnection, key: str) -> RunError | None:
    """The whole story of a row that never became a sample, in one sentence; null of other rows."""
    rows = db.execute("SELECT message FROM quarantine WHERE key = $1 LIMIT 1", [key]).fetchall()
    return RunError(f"in quarantine: {rows[0][0]}") if rows else None
