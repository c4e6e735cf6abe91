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
    """Keys of one source's rows, of all samples and of all images.

    `samples_left` and `failed_left` are what the run holds of the source and this reading has not
    come upon yet; what is left in the end is gone from the source.
    """

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
            db.execute(
                """CREATE TABLE samples_left AS
                   SELECT sample_id AS key FROM samples WHERE source = $1""",
                [source],
            )
            db.execute(
                """CREATE TABLE failed_left AS SELECT key FROM quarantine
                   WHERE stage = 'ingest' AND source = $1""",
                [source],
            )
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

    def take(self, table: str, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are in a table, which are no longer in it afterwards."""
        found = set(self.times(table, keys))
        if found:
            with self._registered(found):
                self.db.execute(f"DELETE FROM {table} WHERE key IN (SELECT key FROM asked)")
        return found

    def gone(self) -> int:
        """Rows of the source that the run holds and this reading did not come upon."""
        left = "SELECT count(*) FROM (FROM samples_left UNION ALL FROM failed_left)"
        row = self.db.execute(left).fetchone()
        assert row is not None
        return int(row[0])

    @contextmanager
    def _registered(self, keys: Iterable[str]) -> Iterator[None]:
        self.db.register("asked", pa.table({"key": pa.array(list(keys), pa.string())}))
        try:
            yield
        finally:
            self.db.unregister("asked")
