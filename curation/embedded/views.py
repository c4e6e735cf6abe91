"""What the model sees of an image: Qwen2.5-VL's resize to whole patches, then the patches.

A view has 24 to 40 image tokens of 28 x 28 pixels, whatever the image's size: a page is scaled
down until small print is gone, a crop of it is readable. That is the effect to measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

PATCH, MERGE = 14, 2
TOKEN_SIDE = PATCH * MERGE
MIN_PIXELS = 24 * TOKEN_SIDE**2
MAX_PIXELS = 40 * TOKEN_SIDE**2
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class View:
    """Normalised patches of one image in the order of Qwen2.5-VL's image processor."""

    patches: np.ndarray
    """float16, (4 x tokens, 3 x 14 x 14); the 2 x 2 patches of a token are adjacent."""
    rows: int
    """Rows of image tokens (half the rows of patches)."""
    columns: int

    @property
    def tokens(self) -> int:
        return self.rows * self.columns


def view(image: Image.Image) -> View:
    """The patches of an image as the processor of the checkpoint makes them."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    height, width = smart_resize(image.height, image.width, TOKEN_SIDE, MIN_PIXELS, MAX_PIXELS)
    resized = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    pixels = (np.asarray(resized, dtype=np.float32) / 255 - MEAN) / STD
    rows, columns = height // TOKEN_SIDE, width // TOKEN_SIDE
    blocks = pixels.reshape(rows, MERGE, PATCH, columns, MERGE, PATCH, 3)
    patches = blocks.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, 3 * PATCH * PATCH)
    return View(patches.astype(np.float16), rows, columns)
