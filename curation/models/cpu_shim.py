"""What an environment on the CPU build of torch needs before anything is imported.

`environment` copies this file into the serving environment and loads it from a `.pth` file.

torchvision: the compiled operators of the registry's CUDA build do not load without CUDA, and its
Python side then stops at `operator torchvision::nms does not exist`. vLLM and transformers only
resize images through torchvision, so it is enough that the two schemas it refers to at import
exist; calling one of the operators still fails loudly.

vLLM: its engine and its worker wait for each other in a loop around `os.sched_yield`. Beside a GPU
that costs a core which nobody misses; on a CPU it takes the cores from the model.
"""

from __future__ import annotations

import importlib.abc
import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_WAIT = 1e-4
"""Seconds that a waiting process sleeps; half and twice as long are no slower than the loop."""

_kept: list[object] = []
"""A library's definitions live as long as the library object."""


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Declares the schemas when torchvision is first asked for, then steps aside."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            _declare_schemas()
        return None


def _declare_schemas() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)


sys.meta_path.insert(0, _BeforeTorchvision())
os.sched_yield = lambda: time.sleep(_WAIT)
