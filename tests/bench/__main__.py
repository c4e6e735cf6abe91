"""`python -m tests.bench`: all benchmarks, or one by name with its options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from tests.bench import (
    busy,
    chaos,
    client,
    curtail,
    direct,
    engine,
    estimates,
    export,
    grade,
    inflight,
    report,
    sandbox,
    scale,
    search,
    stores,
    telemetry,
    verify,
)
from tests.bench.figure import Figure

BENCHES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        direct,
        client,
        scale,
        busy,
        engine,
        inflight,
        curtail,
        estimates,
        grade,
        sandbox,
        search,
        verify,
        export,
        report,
        chaos,
        telemetry,
        stores,
    )
}
"""A benchmark is a module with its options, and a `measure` that takes them."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Run all benchmarks, or one. Exit code 1 means that a bar was missed.",
        epilog="`python -m tests.bench NAME --help` lists the options of one benchmark;"
        ' with make: `make bench ARGS="scale --samples 10000 20000"`.',
    )
    commands = top.add_subparsers(dest="name", metavar="NAME")
    for name, module in BENCHES.items():
        command = commands.add_parser(name, help=module.__doc__, description=module.__doc__)
        module.options(command)
    return top


def figures(options: argparse.Namespace) -> Iterator[Figure]:
    """What one benchmark measures."""
    settings = vars(options).copy()
    measured: Iterator[Figure] = BENCHES[settings.pop("name")].measure(**settings)
    return measured


def main(arguments: Sequence[str]) -> int:
    """Print figures as they come; the exit code."""
    commands = parser()
    options = commands.parse_args(arguments)
    names = [options.name] if options.name else list(BENCHES)
    chosen = [options if options.name else commands.parse_args([name]) for name in names]
    met = True
    for one in chosen:
        for figure in figures(one):
            print(figure, flush=True)
            met = met and figure.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
