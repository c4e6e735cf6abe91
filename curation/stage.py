"""What a stage is: wanted rows less written rows, made in batches, and counted at the end."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from curation.errors import RunError
from curation.manifest import read_manifest
from curation.runs import RECORDS, Run
from curation.tables import Part, Table
from schemas import Quarantined

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch | pa.Table]]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step that pays for rows and therefore never makes a row twice."""

    name: str
    table: str
    key: str
    """Column that `wanted` and the table share; for SQL, like the two names above, trusted text."""
    wanted: str
    """SQL over earlier tables: the key and the light columns that making a row needs."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What shapes a row's value; never which rows, nor how many."""
    settled: str = "SELECT NULL AS sample_id WHERE false"
    """SQL: samples about which no further row is needed; they are counted as dropped."""
    arm: str | None = None
    """Whose rows they are, where a table has the rows of every arm."""

    @property
    def written(self) -> str:
        """SQL of the stage's rows in its table."""
        return f"FROM {self.table}" + (f" WHERE arm = '{self.arm}'" if self.arm else "")

    def reads(self, part: Part) -> bool:
        """Whether a part of its table can hold such rows."""
        return self.arm is None or part.stage == self.arm or part.stage.startswith(f"{self.arm}_")

    @property
    def owed(self) -> str:
        """SQL of the rows still to be made; what is in quarantine counts as written, and what is
        settled as needless."""
        return f"""
            FROM ({self.wanted}) AS wanted
            ANTI JOIN ({self.written}) AS written ON wanted.{self.key} = written.{self.key}
            ANTI JOIN (SELECT key FROM quarantine WHERE stage = '{self.name}') AS failed
                ON wanted.{self.key} = failed.key
            ANTI JOIN ({self.settled}) AS settled ON wanted.sample_id = settled.sample_id
        """


@dataclass(frozen=True, slots=True)
class Count:
    """What went into a stage and what became of it."""

    stage: str
    rows_in: int
    kept: int
    dropped: int = 0
    quarantined: int = 0
    made_from: str = field(default="", compare=False)
    """`made_from` of what was counted, by which a later session knows the count again."""

    def check(self) -> Self:
        """Nothing disappears.

        Raises:
            RunError: in is not kept + dropped + quarantined.
        """
        if self.rows_in != self.kept + self.dropped + self.quarantined:
            raise RunError(
                f"stage {self.stage!r} does not add up: {self.rows_in} in, but {self.kept} kept"
                f" + {self.dropped} dropped + {self.quarantined} quarantined;"
                " the run folder was changed by hand or its source gives other rows than before"
            )
        return self


def sentence(count: Count) -> str:
    """A stage's count as one line."""
    parts = [f"{count.rows_in} in", f"{count.kept} kept"]
    parts += [f"{count.dropped} dropped"] if count.dropped else []
    parts += [f"{count.quarantined} quarantined"] if count.quarantined else []
    return f"{count.stage}: {', '.join(parts)}"


def batches(run: Run, sql: str, *, rows: int = 1024) -> Iterator[pa.RecordBatch]:
    """Stream a query over the tables as they are now; its result is never held whole."""
    with run.connect() as db:
        yield from db.sql(sql).to_arrow_reader(rows)


def query_rows(run: Run, sql: str, *, rows: int = 1024) -> Iterator[dict[str, Any]]:
    """The rows of a query as plain dictionaries, streamed `rows` at a time."""
    for batch in batches(run, sql, rows=rows):
        yield from batch.to_pylist()


def made_from(run: Run, sql: str, by: str = "", *, stage: Stage | None = None) -> str:
    """Hash of a query, of the parts that it reads, and of what else its result depends on: while it
    is the same, so is the result.

    stage: of whose table the query reads this stage's rows alone
    """
    words = set(re.findall(r"\w+", sql))
    parts = [
        (part.path.name, *part.written)
        for name in RECORDS
        if name in words
        for part in run.table(name).parts()
        if stage is None or name != stage.table or stage.reads(part)
    ]
    return hashlib.sha256(to_json([sql, by, parts]).encode()).hexdigest()


def remake(run: Run, name: str, sql: str, work: Work = iter, *, by: str = "") -> None:
    """Make a table anew from a query, unless it was made from it and from the same parts.

    work: what becomes of the query's batches; `by` is everything that this depends on
    """
    mark = {"made_from": made_from(run, sql, by)}
    table = run.table(name)
    if not any(part.settings == mark for part in table.parts()):
        table.replace(work(batches(run, sql, rows=8192)), mark)


def text_of(*functions: Callable[..., Any]) -> str:
    """The modules that functions stand in, by which a function that was changed is noticed."""
    files = {inspect.getfile(inspect.unwrap(function)): None for function in functions}
    return "\n".join(Path(file).read_text(encoding="utf-8") for file in files)


def count_owed(run: Run, stage: Stage) -> int:
    """Rows still to be made; none are, where the stage was counted before."""
    if _counted(run, stage.name, count_mark(run, stage)):
        return 0
    return int(run.value(f"SELECT count(*) {stage.owed}"))


def count_stage(run: Run, stage: Stage) -> Count:
    """Count a stage's wanted rows against the table, the quarantine and what is settled."""
    mark = count_mark(run, stage)
    if known := _counted(run, stage.name, mark):
        return known
    with run.connect() as db:
        row = db.execute(_counting(stage)).fetchone()
    assert row is not None
    return replace(Count(stage.name, *row).check(), made_from=mark)


def count_mark(run: Run, stage: Stage) -> str:
    """What the count of a stage is made from now; see `made_from`."""
    return made_from(run, _counting(stage), stage=stage)


def _counted(run: Run, name: str, mark: str) -> Count | None:
    """The count of an earlier session that was made from the same."""
    entry = read_manifest(run).stages.get(name)
    if entry is None or entry.made_from != mark:
        return None
    return Count(name, entry.rows_in, entry.kept, entry.dropped, entry.quarantined, mark)


def _counting(stage: Stage) -> str:
    """SQL: rows in, made, settled without being made, and failed."""
    return f"""
        WITH counted AS (
            SELECT {stage.key} IN (SELECT {stage.key} {stage.written}) AS made,
                   {stage.key} IN (
                       SELECT key FROM quarantine WHERE stage = '{stage.name}') AS failed,
                   sample_id IN ({stage.settled}) AS needless
            FROM ({stage.wanted})
        )
        SELECT count(*), count(*) FILTER (made),
               count(*) FILTER (needless AND NOT made AND NOT failed),
               count(*) FILTER (failed AND NOT made)
        FROM counted
    """


class PartWriter:
    """Collects rows and writes a part whenever enough rows or enough time have come together.

    Rows added together are written together. What was collected is also written when the stage
    ends by an exception: it is paid for.
    """

    def __init__(
        self,
        table: Table,
        stage: str,
        settings: Mapping[str, Any],
        *,
        max_rows: int = 2048,
        max_seconds: float = 10.0,
        written: Callable[[Sequence[Any]], None] = lambda rows: None,
    ) -> None:
        """`written` is told the rows of every part once it is on disk."""
        self._table, self._stage, self._settings = table, stage, settings
        self._max_rows, self._max_seconds = max_rows, max_seconds
        self._written = written
        self._rows: list[Any] = []
        self._last: int | None = None
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        self._table.check_settings(self._stage, self._settings)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        self._table.compact(self._stage)

    def add(self, rows: Iterable[Any]) -> None:
        self._rows.extend(rows)
        late = time.monotonic() - self._since > self._max_seconds
        if len(self._rows) >= self._max_rows or (late and self._rows):
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._last = self._table.append(
                self._stage, self._rows, self._settings, after=self._last
            )
            self._written(self._rows)
        self._rows = []
        self._since = time.monotonic()


def quarantine_writer(
    run: Run, stage: str, *, written: Callable[[Sequence[Any]], None] = lambda rows: None
) -> PartWriter:
    """Where a stage puts the rows that it could not make."""
    return PartWriter(run.table("quarantine"), stage, {}, written=written)


def failed_row(
    stage: str, key: str, source: str, error: str, message: str, **payload: Any
) -> Quarantined:
    """A row for the quarantine; the payload is what identifies it for a replay."""
    return Quarantined(key, stage, source, error, message, to_json(payload))


def to_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON text with sorted keys; what JSON does not know is written as its text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
