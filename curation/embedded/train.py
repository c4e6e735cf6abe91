"""Train the embedded model from nothing: `python -m curation.embedded.train`.

Data is drawn on the fly from the train splits. Progress, losses and held-out accuracies go to
`train.csv` in the work folder, the state every few hundred steps to `state.pt`: the same command
goes on from there. At the end the checkpoint and the curve are written.
"""

from __future__ import annotations

import argparse
import csv
import math
import shutil
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader

from curation.embedded import CHECKPOINT, checkpoint, network
from curation.embedded.batches import Encoder
from curation.embedded.stream import KINDS, Lessons, Stream
from curation.embedded.vocabulary import train_tokenizer

_WARMUP = 100
_DECAY = 0.6
"""Share of the steps, at the end, over which the learning rate falls to nothing."""
_REPORT, _CHECK = 25, 250


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(work / "tokenizer.json", options)
    training = Training(tokenizer, work, options)
    training.resume()
    training.run()
    checkpoint.write(training.model, tokenizer, Path(options.out))
    shutil.copy(work / "train.csv", options.out)
    checkpoint.plot(work / "train.csv", Path(options.out) / "training.png")
    print(f"checkpoint written to {options.out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    parser.add_argument("--steps", type=int, default=5500, help="optimizer steps (default 5500)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", default=".cache/embedded", help="state, tokenizer and log")
    parser.add_argument("--out", default=str(CHECKPOINT), help="where the checkpoint goes")
    parser.add_argument("--reservoir", type=int, default=400, help="pages that are kept at a time")
    parser.add_argument("--no-compile", action="store_true", help="do without a C++ compiler")
    return parser.parse_args()


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of the module docstring."""


def _tokenizer(path: Path, options: argparse.Namespace) -> Tokenizer:
    """The tokenizer of this training; learned once from a few thousand lessons."""
    if not path.exists():
        source = Lessons("train", options.seed, min(200, options.reservoir))
        seen = [lesson for kind in KINDS for _ in range(12) for lesson in source.of_kind(kind)]
        train_tokenizer(seen).save(str(path))
    return Tokenizer.from_file(str(path))


def rate_at(step: int, steps: int) -> float:
    """Share of the peak rate: a short warm-up, a plateau, a long linear fall
    (arXiv 2502.15938: straight to nothing beats a late fall)."""
    rising = min((step + 1) / _WARMUP, 1.0)
    falling = min((steps - step) / (_DECAY * steps), 1.0)
    return rising * falling


def optimizers(model: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside blocks (arXiv 2502.16982), AdamW for everything else."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "embed" not in name
        (matrices if inner else others).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


class Training:
    """The model, its optimizers and the step that it has reached."""

    def __init__(self, tokenizer: Tokenizer, work: Path, options: argparse.Namespace) -> None:
        self.tokenizer, self.work, self.options = tokenizer, work, options
        ids = checkpoint.special_ids(tokenizer)
        config = network.configuration(tokenizer.get_vocab_size(), ids)
        self.model = network.new_model(config, options.seed)
        self.trainee = network.Trainee(self.model)
        self.optimizers = optimizers(self.model, options.rate)
        self.step = 0
        self.seconds = 0.0
        if not options.no_compile:
            network.compile_blocks()

    @property
    def _state_path(self) -> Path:
        return self.work / "state.pt"

    def resume(self) -> None:
        if not self._state_path.exists():
            return
        state = torch.load(self._state_path)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seconds = state["step"], state["seconds"]
        print(f"going on from step {self.step}")

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = self._state_path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._state_path)

    def run(self) -> None:
        steps = self.options.steps
        stream = Stream(
            self.tokenizer,
            seed=self.options.seed,
            start=self.step,
            steps=steps,
            reservoir=self.options.reservoir,
        )
        log = _Log(self.work / "train.csv", self.step)
        held_out = self._held_out()
        started = time.monotonic() - self.seconds
        for kind, batch in DataLoader(stream, batch_size=None, num_workers=1, prefetch_factor=4):
            log.add(kind, *self._learn(batch))
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.step % _REPORT == 0:
                log.report(self.step, self.seconds, "train")
            if self.step % _CHECK == 0 or self.step == steps:
                for name, examined in held_out:
                    log.add(name, *self._examine(examined))
                log.report(self.step, self.seconds, "held-out")
                self.save()

    def _held_out(self) -> list[tuple[str, dict[str, Tensor]]]:
        reservoir = min(60, self.options.reservoir)
        source, encoder = Lessons("test", 0, reservoir), Encoder(self.tokenizer)
        return [(kind, encoder.batch(source.of_kind(kind))) for kind in KINDS for _ in range(2)]

    def _forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outcome: tuple[Tensor, Tensor] = self.trainee(batch)
            return outcome

    def _learn(self, batch: dict[str, Tensor]) -> tuple[float, float, float]:
        losses, hits = self._forward(batch)
        # A sum a lesson: in a mean over tokens the phrases of the tool grammar, which are soon
        # known, drown the few tokens that say where to look and what is read there.
        (losses.sum() / len(batch["ids"])).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        share = rate_at(self.step, self.options.steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.options.rate * share
            optimizer.step()
            optimizer.zero_grad()
        return losses.mean().item(), *_exact(batch, hits)

    @torch.no_grad()
    def _examine(self, batch: dict[str, Tensor]) -> tuple[float, float, float]:
        losses, hits = self._forward(batch)
        return losses.mean().item(), *_exact(batch, hits)


def _exact(batch: dict[str, Tensor], hits: Tensor) -> tuple[float, float]:
    """Share of turns with every token right: of the final turns, and of the turns before."""
    wrong = torch.zeros(len(batch["final"])).index_add(0, batch["turns"], (~hits).float())
    learned = torch.zeros(len(batch["final"])).index_add(0, batch["turns"], hits.float()) + wrong
    right, final = (wrong == 0).float(), batch["final"]
    earlier = (learned > 0) & ~final
    before = right[earlier].mean().item() if earlier.any() else math.nan
    return right[final].mean().item(), before


class _Log:
    """Means since the last report, to the terminal and to a CSV file."""

    def __init__(self, path: Path, step: int) -> None:
        """`step` is where the training goes on; what was logged of later ones comes again."""
        self._path = path
        self._seen: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        if path.exists():
            head, *rows = path.read_text().splitlines(keepends=True)
            path.write_text("".join([head, *(row for row in rows if _step(row) <= step)]))

    def add(self, kind: str, loss: float, final: float, before: float) -> None:
        self._seen[kind].append((loss, final, before))

    def report(self, step: int, seconds: float, split: str) -> None:
        rows: list[list[Any]] = []
        for kind, values in sorted(self._seen.items()):
            means = [sum(column) / len(values) for column in zip(*values, strict=True)]
            rows.append([step, round(seconds), split, kind, *(f"{mean:.4f}" for mean in means)])
        self._seen.clear()
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "seconds", "split", "kind", "loss", "final", "before"])
            writer.writerows(rows)
        shown = "  ".join(f"{row[3]} {row[4]} {row[5]}" for row in rows)
        print(f"{step:6d} {seconds:7.0f}s {split:8s} {shown}", flush=True)


def _step(row: str) -> int:
    return int(row.split(",", 1)[0])


if __name__ == "__main__":
    main()
