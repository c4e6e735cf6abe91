"""Which rows a run already holds, asked in batches, so that the keys are never held in Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from curation.runs import Run


@dataclass(frozen=True, slots=True)
class Ledger:
    """Keys of one source's rows, of all samples and of all images."""

    db: duckdb.DuckDBPyConnection

    @classmethod
    @contextmanager
    def open(cls, run: Run, source: str) -> Iterator[Ledger]:
        with run.connect() as db:
            db.execute(
                """CREATE TABLE rows_known AS
                   SELECT origin_id AS key FROM samples WHERE source = $1
                   UNION ALL SELECT key FROM quarantine WHERE stage = 'ingest' AND source = $1""",
                [source],
            )
            db.execute("CREATE TABLE samples_known AS SELECT sample_id AS key FROM samples")
            db.execute("CREATE TABLE images_known AS SELECT image_id AS key FROM images_index")
            db.execute("CREATE TABLE ids_read (key VARCHAR)")
            yield cls(db)

    def times(self, table: str, keys: Iterable[str]) -> dict[str, int]:
        """How often each of the keys is in a table; keys that are not there are left out."""
        with self._registered(set(keys)):
            counted = self.db.execute(
                f"SELECT key, count(*) FROM {table} SEMI JOIN asked USING (key) GROUP BY key"
            ).fetchall()
        return dict(counted)

    def add(self, table: str, keys: Iterable[str]) -> None:
        with self._registered(keys):
            self.db.execute(f"INSERT INTO {table} FROM asked")

    @contextmanager
    def _registered(self, keys: Iterable[str]) -> Iterator[None]:
        self.db.register("asked", pa.table({"key": pa.array(list(keys), pa.string())}))
        try:
            yield
        finally:
            self.db.unregister("asked")
