"""Evaluate the embedded model through a real vLLM server: `python -m curation.embedded.evaluate`.

Held-out samples of all three sources, temperature 1, eight attempts each, tools really executed
in the sandbox. With `--card` the figures and the model card are written beside the weights.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from curation.embedded import CHECKPOINT
from curation.embedded.bars import BARS
from curation.embedded.card import card
from curation.embedded.measure import Examiner, figures, held_out
from curation.images import ImageStore
from curation.models import ManagedServer, ModelClient
from curation.sandbox import Sandbox

FIGURES = "figures.json"


def main() -> None:
    options = _options()
    with _url(options) as url:
        found = asyncio.run(measure(url, options.samples, options.attempts, options.seed))
    for name, value in found.items():
        print(f"{name:20s} {value:6.1%}")
    print()
    for bar in BARS:
        met = "ok  " if found[bar.name] >= bar.least else "FAIL"
        print(f"{met} {found[bar.name]:6.1%} >= {bar.least:.0%}  {bar.says}")
    if options.card:
        write_card(found, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(CHECKPOINT), help="checkpoint folder to serve")
    parser.add_argument("--url", help="a server that already runs, instead of starting one")
    parser.add_argument("--samples", type=int, default=150, help="of each source (default 150)")
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="which held-out pages are drawn")
    parser.add_argument("--card", action="store_true", help="write the card and figures.json")
    return parser.parse_args()


@contextlib.contextmanager
def _url(options: argparse.Namespace) -> Iterator[str]:
    if options.url:
        yield options.url
        return
    with ManagedServer(options.model) as server:
        yield server.url


async def measure(url: str, samples: int, attempts: int, seed: int = 0) -> dict[str, float]:
    """The figures of the model served at `url`."""
    with tempfile.TemporaryDirectory() as folder:
        async with ModelClient([url]) as client, Sandbox() as sandbox:
            examiner = Examiner(client, ImageStore(Path(folder)), sandbox, attempts)
            return await figures(examiner, held_out(samples, seed))


def write_card(found: dict[str, float], options: argparse.Namespace) -> None:
    """`figures.json` and the card `README.md` beside the weights."""
    folder = Path(options.model)
    rounded = {name: round(value, 4) for name, value in found.items()}
    text = json.dumps(
        {"samples": options.samples, "attempts": options.attempts, "figures": rounded}, indent=2
    )
    (folder / FIGURES).write_text(text + "\n", encoding="utf-8")
    (folder / "README.md").write_text(
        card(folder, rounded, options.samples, options.attempts), "utf-8"
    )


if __name__ == "__main__":
    main()
