"""The easy-VQA set (Victor Zhou, MIT): 64 x 64 pictures of one shape, carried by its package."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from curation.sources.base import RawSample
from curation.sources.drawn import SPLITS

ORIGIN = "easy-vqa 1.0"


def easy_vqa(*, split: str = "test", seed: int = 0, limit: int = 200) -> Iterator[RawSample]:
    """The first `limit` questions of a split in an order shuffled by `seed`.

    split: `train` or `test`, as the package has them
    """
    paths, rows = _load(split)
    order = random.Random(f"easy_vqa/{seed}").sample(range(len(rows)), len(rows))
    for index in itertools.islice(order, limit):
        question, answer, image = rows[index]
        yield RawSample(
            origin_id=f"easy-vqa-{split}-{index}",
            images=(paths[image].read_bytes(),),
            question=question,
            answers=(answer,),
            answer_kind="yes_no" if answer in ("yes", "no") else "text",
            category="perception",
            license="MIT",
            origin=ORIGIN,
            metadata={"skill": "shape", "image": image},
        )


def _load(split: str) -> tuple[dict[int, Path], list[tuple[str, str, int]]]:
    import easy_vqa

    if split not in SPLITS:
        raise ValueError(f"easy_vqa has no split {split!r}: choose one of {', '.join(SPLITS)}")
    questions = getattr(easy_vqa, f"get_{split}_questions")()
    paths = getattr(easy_vqa, f"get_{split}_image_paths")()
    return {key: Path(path) for key, path in paths.items()}, list(zip(*questions, strict=True))
