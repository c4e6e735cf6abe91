"""Imports go one way: schemas <- filters <- curation <- flows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "schemas": {"schemas"},
    "filters": {"schemas", "filters"},
    "curation": {"schemas", "filters", "curation"},
    "flows": {"schemas", "filters", "curation", "flows"},
}
OURS = {"schemas", "filters", "curation", "flows", "tests", "notebooks"}
FORBIDDEN = {
    "schemas": {"duckdb", "numpy", "PIL", "prefect", "vllm", "datasets", "torch"},
    "filters": {"duckdb", "PIL", "prefect", "vllm", "datasets", "torch", "random", "time"},
    "curation": {"prefect", "vllm"},
    "flows": {"vllm", "duckdb", "pyarrow"},
}
HEAVY = {"datasets", "transformers", "torch"}
"""To be imported by the function that needs them."""


def imports(tree: ast.AST, *, nested: bool) -> Iterator[str]:
    """Top-level names of imported packages; without `nested` only those of the module itself."""
    nodes = ast.walk(tree) if nested else ast.iter_child_nodes(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_what_lies_below_them(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        found = set(imports(ast.parse(path.read_text()), nested=True))
        assert not found & (OURS - ALLOWED[package]), path
        assert not found & FORBIDDEN[package], path


def test_heavy_packages_are_imported_where_they_are_needed() -> None:
    for path in (ROOT / "curation").rglob("*.py"):
        if "embedded" in path.parts:  # training needs them throughout
            continue
        assert not HEAVY & set(imports(ast.parse(path.read_text()), nested=False)), path


def test_no_wall_clock_measures_a_time() -> None:
    """It may jump; `time.monotonic` and `time.perf_counter` do not."""
    for path in (ROOT / "curation").rglob("*.py"):
        assert "time.time()" not in path.read_text(), path


def test_the_command_line_starts_without_heavy_packages() -> None:
    code = (
        "import sys, curation.cli;"
        "print({'duckdb', 'pyarrow', 'datasets', 'torch', 'prefect', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
