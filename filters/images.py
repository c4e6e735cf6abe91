"""Filters on the images of a sample."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from filters.bounds import between


def min_image_side(
    min_image_side: pa.Int64Array, *, at_least: int = 28, at_most: int | None = None
) -> pa.BooleanArray:
    """Keep samples whose shortest image side, in pixels, is within bounds.

    28 is one visual token of Qwen2.5-VL; its image processor enlarges anything smaller.
    """
    return between(min_image_side, at_least, at_most)


def max_pixels(
    max_image_pixels: pa.Int64Array, *, at_most: int = 16_777_216, at_least: int | None = None
) -> pa.BooleanArray:
    """Keep samples whose largest image has so many pixels."""
    return between(max_image_pixels, at_least, at_most)


def max_aspect_ratio(max_aspect_ratio: pa.DoubleArray, *, at_most: float = 20) -> pa.BooleanArray:
    """Keep samples whose longest image is at most so many times as long as it is wide.

    Qwen2.5-VL's image processor refuses 200 and more.
    """
    return between(max_aspect_ratio, 1, at_most)


def not_blank(image_spread: pa.DoubleArray, *, at_least: float = 2.0) -> pa.BooleanArray:
    """Drop samples with an image of one colour: its grey values spread less than `at_least`."""
    return pc.greater_equal(image_spread, at_least)
