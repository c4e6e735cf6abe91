"""A hash of how an image looks: pictures that look alike differ in few of its bits.

The pHash of Zauner (2010), as the imagehash package computes it: 32 x 32 grey values, their
cosine transform, and whether each of its 8 x 8 lowest frequencies exceeds their median. Scaling,
another encoding and mild colour changes alter a few bits; crops and rotations make another hash.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

_SIDE, _KEPT = 32, 8


def perceptual_hash(image: Image.Image) -> int:
    """64 bits, as an unsigned integer."""
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    low = dctn(np.asarray(grey, dtype=np.float64))[:_KEPT, :_KEPT]
    bits = np.packbits(low > np.median(low))
    return int.from_bytes(bits.tobytes(), "big")


def distances(hashes: npt.NDArray[np.uint64], to: int) -> npt.NDArray[np.uint8]:
    """In how many bits each hash differs from one."""
    away: npt.NDArray[np.uint8] = np.bitwise_count(hashes ^ np.uint64(to))
    return away
