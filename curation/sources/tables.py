"""Real tables for charts and table pages, from the data sets that `vega-datasets` carries.

The train and test splits draw from different tables, so that no value of a test page was seen in
training. Values are scaled to whole numbers below 1000 by the unit that stands in the title.
"""

from __future__ import annotations

import functools
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ORIGIN = "vega-datasets 0.9.0"
LICENSE = "MIT"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of whole numbers with names."""

    name: str
    unit: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    """One tuple of column values a row."""


def frame(name: str) -> Any:
    """A data set of vega-datasets as a pandas frame."""
    from vega_datasets import local_data

    with warnings.catch_warnings():
        # vega-datasets 0.9.0 reads with an option that pandas 3 deprecates.
        warnings.filterwarnings("ignore", message="The 'convert_dates' keyword")
        return getattr(local_data, name)()


def _table(name: str, unit: str, data: Any, label: str, scaled: dict[str, float]) -> Table:
    """A table of `frame` with one row a record; `scaled` maps columns to their divisor."""
    data = data.dropna(subset=list(scaled))
    values = tuple(
        tuple(round(row[column] / divisor) for column, divisor in scaled.items())
        for row in data.to_dict("records")
    )
    rows = tuple(str(text)[:14].title() for text in data[label])
    return Table(name, unit, rows, tuple(c.replace("_", " ") for c in scaled), values)


def _cars() -> Table:
    columns = {"Horsepower": 1.0, "Displacement": 1.0, "Miles_per_Gallon": 1.0, "Acceleration": 1.0}
    return _table("Cars", "various", frame("cars"), "Name", columns)


def _stocks() -> Table:
    data = frame("stocks").pivot(index="date", columns="symbol", values="price")
    data = data.reset_index()
    data["month"] = data["date"].dt.strftime("%b %Y")
    symbols = ("AAPL", "AMZN", "IBM", "MSFT")
    return _table("Share prices", "dollars", data, "month", dict.fromkeys(symbols, 1.0))


def _employment() -> Table:
    data = frame("us_employment")
    columns = {
        "construction": 10.0,
        "manufacturing": 20.0,
        "government": 25.0,
        "retail_trade": 20.0,
    }
    return _table("Employment", "ten thousands", data, "month", columns)


def _seattle() -> Table:
    data = frame("seattle_weather")
    data["month"] = data["date"].dt.strftime("%b %Y")
    columns = {"precipitation": 1.0, "temp_max": 10.0, "temp_min": 10.0, "wind": 1.0}
    sums = data.groupby("month", sort=False)[list(columns)].sum().reset_index()
    return _table("Weather of Seattle", "monthly sums", sums, "month", columns)


def _barley() -> Table:
    data = frame("barley")
    data["column"] = data["year"].astype(str)
    wide = data.pivot_table(index=["site", "variety"], columns="column", values="yield")
    return _table("Barley", "bushels an acre", wide.reset_index(), "site", {"1931": 1, "1932": 1})


def _crimea() -> Table:
    data = frame("crimea")
    data["month"] = data["date"].dt.strftime("%b %Y")
    columns = {"wounds": 1.0, "other": 1.0, "disease": 4.0}
    return _table("Crimean war", "deaths", data, "month", columns)


def _driving() -> Table:
    columns = {"miles": 20.0, "gas": 0.01}
    return _table("Driving", "20 miles, cents", frame("driving"), "year", columns)


def _wheat() -> Table:
    data = frame("wheat")
    data["label"] = data["year"].astype(int)
    return _table("Wheat", "shillings", data, "label", {"wheat": 1.0, "wages": 0.1})


TABLES: dict[str, tuple[Callable[[], Table], ...]] = {
    "train": (_cars, _stocks, _employment, _seattle),
    "test": (_barley, _crimea, _driving, _wheat),
}


@functools.cache
def tables(split: str) -> tuple[Table, ...]:
    """All tables of a split."""
    return tuple(make() for make in TABLES[split])


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A few rows and columns of a table, as one page shows them."""

    table: Table
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]


def excerpt(rng: random.Random, split: str, rows: int, columns: int) -> Excerpt:
    """Distinct random rows in their order, with at most `columns` random columns."""
    table = rng.choice([t for t in tables(split) if len(t.columns) >= columns])
    picked = sorted(rng.sample(range(len(table.rows)), rows))
    fields = sorted(rng.sample(range(len(table.columns)), columns))
    return Excerpt(
        table,
        tuple(table.rows[row] for row in picked),
        tuple(table.columns[field] for field in fields),
        tuple(tuple(table.values[row][field] for field in fields) for row in picked),
    )
