"""`python -m tests.bench`: all benchmarks, or one by name with its options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from curation.embedded import CHECKPOINT
from tests.bench import (
    busy,
    curtail,
    direct,
    estimates,
    export,
    grade,
    sandbox,
    scale,
    search,
    verify,
)
from tests.bench.figure import Figure

NAMES = (
    "direct",
    "scale",
    "search",
    "curtail",
    "estimates",
    "sandbox",
    "busy",
    "verify",
    "grade",
    "export",
)


def parser() -> argparse.ArgumentParser:
    """The command line; every option has the default that the bars are stated for."""
    top = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Run all benchmarks, or one. Exit code 1 means that a bar was missed.",
        epilog="`python -m tests.bench NAME --help` lists the options of one benchmark;"
        ' with make: `make bench ARGS="scale --samples 10000 20000"`.',
    )
    commands = top.add_subparsers(dest="name", metavar="NAME")
    _add_direct(commands.add_parser("direct", help=direct.__doc__, description=direct.__doc__))
    _add_sandbox(commands.add_parser("sandbox", help=sandbox.__doc__, description=sandbox.__doc__))
    _add_grade(commands.add_parser("grade", help=grade.__doc__, description=grade.__doc__))
    _add_scale(commands.add_parser("scale", help=scale.__doc__, description=scale.__doc__))
    _add_search(commands.add_parser("search", help=search.__doc__, description=search.__doc__))
    _add_busy(commands.add_parser("busy", help=busy.__doc__, description=busy.__doc__))
    _add_verify(commands.add_parser("verify", help=verify.__doc__, description=verify.__doc__))
    for pure in (curtail, estimates):
        name = pure.__name__.rpartition(".")[2]
        _add_simulated(commands.add_parser(name, help=pure.__doc__, description=pure.__doc__))
    _add_export(commands.add_parser("export", help=export.__doc__, description=export.__doc__))
    return top


def _add_direct(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=Path, default=CHECKPOINT, help="checkpoint to serve")
    command.add_argument("--samples", type=int, default=96, help="samples a round (96)")
    command.add_argument("--rounds", type=int, default=5, help="pairs of measurements (5)")
    command.add_argument("--in-flight", type=int, default=16, help="requests at once (16)")


def _add_sandbox(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rounds", type=int, default=100, help="sessions a median (100)")
    command.add_argument("--kernels", type=int, default=5, help="ipykernels to start (5)")
    command.add_argument("--row", type=int, default=1000, help="sessions in a row (1000)")
    command.add_argument("--at-once", type=int, default=64, help="sessions open at once (64)")


def _add_grade(command: argparse.ArgumentParser) -> None:
    command.add_argument("--count", type=int, default=20_000, help="pairs a round (20000)")
    command.add_argument("--rounds", type=int, default=3, help="the best counts (3)")


def _add_scale(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--samples",
        type=int,
        nargs="+",
        default=[10_000, 100_000],
        help="sizes of the runs, growing; the first is compared with the last (10000 100000)",
    )
    command.add_argument(
        "--keep", type=Path, help="an empty folder for the runs, which then stay there"
    )


def _add_search(command: argparse.ArgumentParser) -> None:
    command.add_argument("--documents", type=int, default=100_000, help="of 60 words (100000)")
    command.add_argument("--queries", type=int, default=500, help="of 8 words (500)")


def _add_busy(command: argparse.ArgumentParser) -> None:
    command.add_argument("--samples", type=int, default=2000, help="samples of the pool (2000)")


def _add_verify(command: argparse.ArgumentParser) -> None:
    command.add_argument("--trajectories", type=int, default=128, help="trajectories (128)")


def _add_simulated(command: argparse.ArgumentParser) -> None:
    command.add_argument("--samples", type=int, default=10_000, help="samples a pool (10000)")


def _add_export(command: argparse.ArgumentParser) -> None:
    command.add_argument("--gib", type=float, default=2.0, help="bytes of images (2)")
    command.add_argument("--folder", type=Path, help="where to write; by default the temporary one")


def figures(options: argparse.Namespace) -> Iterator[Figure]:
    """What one benchmark measures."""
    if options.name == "direct":
        yield from direct.measure(
            options.model,
            samples=options.samples,
            rounds=options.rounds,
            in_flight=options.in_flight,
        )
    elif options.name == "search":
        yield from search.measure(options.documents, options.queries)
    elif options.name == "sandbox":
        yield from sandbox.measure(
            rounds=options.rounds,
            kernels=options.kernels,
            row=options.row,
            at_once=options.at_once,
        )
    elif options.name == "verify":
        yield from verify.measure(trajectories=options.trajectories)
    elif options.name == "grade":
        yield from grade.measure(options.count, options.rounds)
    elif options.name == "scale":
        yield from scale.measure(options.samples, keep=options.keep)
    elif options.name == "export":
        yield from export.measure(gib=options.gib, folder=options.folder)
    elif options.name == "curtail":
        yield from curtail.measure(options.samples)
    elif options.name == "busy":
        yield from busy.measure(options.samples)
    else:
        yield from estimates.measure(options.samples)


def main(arguments: Sequence[str]) -> int:
    """Print figures as they come; the exit code."""
    commands = parser()
    options = commands.parse_args(arguments)
    names = [options.name] if options.name else NAMES
    chosen = [options if options.name else commands.parse_args([name]) for name in names]
    met = True
    for one in chosen:
        for figure in figures(one):
            print(figure, flush=True)
            met = met and figure.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
