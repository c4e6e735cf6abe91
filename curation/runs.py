"""A run folder: tables as Parquet parts, images by hash, and one view a table in DuckDB.

The disk is the checkpoint: there is no other state, so a run that was killed at any point is
continued by opening the same folder again. A run in an object store is worked on in a local copy
(`curation.stores`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from curation.errors import RunError
from curation.images import ImageStore
from curation.rollouts.journal import Journal
from curation.search import record
from curation.stores import Store, is_url
from curation.tables import PARTIAL, Table
from schemas import (
    Benefit,
    Choice,
    Counts,
    Duplicate,
    Image,
    Measure,
    Pair,
    Pull,
    Quarantined,
    Rollout,
    Sample,
    Score,
    Support,
    Trajectory,
    Verdict,
    Verification,
    arrow_schema,
)

RECORDS: dict[str, type] = {
    "pulls": Pull,
    "samples": Sample,
    "images_index": Image,
    "measures": Measure,
    "duplicates": Duplicate,
    "screens": Verdict,
    "rollouts": Rollout,
    "scores": Score,
    "regrades": Score,
    "counts": Counts,
    "benefits": Benefit,
    "verdicts": Verdict,
    "verifications": Verification,
    "supports": Support,
    "agreements": Verification,
    "choices": Choice,
    "trajectories": Trajectory,
    "pairs": Pair,
    "quarantine": Quarantined,
}
"""Every table of a run and its record, in the order in which the stages write them."""

_MEMORY = "1GB"
"""What DuckDB may hold before it spills to the run folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder; reading needs no lock, writing happens inside `writing()`."""

    path: Path
    store: Store | None = None
    """Where the run lies, when its folder is only a copy."""

    @classmethod
    def at(cls, place: str | Path, *, new: bool = False) -> Run:
        """The run in a folder, or at a URL such as s3://bucket/folder, as it is now.

        Args:
            new: it may not be there yet, and is about to be written.

        Raises:
            RunError: nothing is at the URL, or the store does not answer.
        """
        if not is_url(str(place)):
            return cls(Path(place))
        store = Store(str(place))
        if not new:
            store.fetch()
        return cls(store.folder, store)

    @property
    def place(self) -> str:
        """What a person calls it: its folder, or its URL."""
        return str(self.path) if self.store is None else self.store.url

    @property
    def images(self) -> ImageStore:
        fetch = None if self.store is None else self.store.fetch_image
        return ImageStore(self.path / "images", fetch)

    @property
    def recipe_path(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def manifest_path(self) -> Path:
        return self.path / "manifest.json"

    @property
    def prompts(self) -> Path:
        """What every arm was asked, `{question}` standing for the question."""
        return self.path / "prompts"

    def export_path(self, target: str) -> Path:
        return self.path / "exports" / target

    def searches(self, *, frozen: bool = False) -> record.Record:
        """The record of searches; a frozen one asks nothing new."""
        return record.Record(self.path / record.FILE, self.images, frozen=frozen)

    def journal(self, stage: str) -> Journal:
        """The turns of a stage's rollouts under way, to be entered."""
        return Journal(self.path / "journal" / f"{stage}.jsonl")

    def table(self, name: str) -> Table:
        return Table(self.path / name, RECORDS[name])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder's lock, which the kernel releases when the process ends in any way.

        Raises:
            RunError: another process is writing, another version wrote the folder, or nobody may;
                or the store does not take what was written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written as a run folder: {error.strerror}: name another one"
            ) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"another process is writing to {self.place}: wait for it, or use another"
                    " run folder"
                ) from None
            with self.store.session() if self.store else nullcontext():
                self._check_schemas()  # A folder of another version is left as it is.
                self._sweep()
                yield
        finally:
            os.close(handle)

    def _check_schemas(self) -> None:
        for name in RECORDS:
            self.table(name).check_schema()

    def _sweep(self) -> None:
        for name in RECORDS:
            self.table(name).sweep()
        for path in self.images.folder.glob(f"*/*{PARTIAL}"):
            path.unlink()

    def retry_quarantined(self) -> None:
        """Forget what failed, so that it is owed again; sources are read again for bad rows."""
        self.table("pulls").clear()
        self.table("quarantine").clear()

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A DuckDB connection with one view a table, as the tables are at this moment.

        Raises:
            RunError: the folder holds no run, or one that another version wrote.
        """
        if not self.path.is_dir():
            raise RunError(f"there is no run in {self.place}: `toolsight run` makes one")
        with duckdb.connect(config={"memory_limit": _MEMORY}) as db:
            db.execute(f"SET temp_directory = {_quoted(self.path / '.spill')}")
            for name in RECORDS:
                self._view(db, name)
            db.execute(f"CREATE VIEW searches AS {record.rows_sql(self.path / record.FILE)}")
            yield db

    def _view(self, db: duckdb.DuckDBPyConnection, name: str) -> None:
        table = self.table(name)
        table.check_schema()
        files = [_quoted(part.path) for part in table.parts()]
        if files:
            db.execute(f"CREATE VIEW {name} AS FROM read_parquet([{', '.join(files)}])")
        else:
            empty = arrow_schema(RECORDS[name]).empty_table()
            db.register("nothing", empty)
            db.execute(f"CREATE TABLE {name} AS FROM nothing")
            db.unregister("nothing")

    def value(self, sql: str) -> Any:
        """The first column of the first row of a query."""
        with self.connect() as db:
            row = db.execute(sql).fetchone()
        return row[0] if row else None


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
