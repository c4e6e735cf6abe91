"""What can be chosen about an export: `[[exports]]` of a recipe, beside its target."""

from __future__ import annotations

from dataclasses import dataclass

from curation.dialects import DIALECTS

MAX_GROUP_ROWS = 64
MAX_GROUP_BYTES = 256 << 20
MAX_SHARD_BYTES = 1 << 30
"""Sizes that the loaders survive: `datasets` combines row groups and overflows a 32-bit offset at
2 GiB, and a nested column of more than that in one row group cannot be read at all."""

MIN_SIDE = 28
"""Pixels; one merged patch of the Qwen2.5-VL vision encoder."""

INLINE, FILES = "inline", "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """The layout of an export; sizes are in bytes before compression."""

    images: str = INLINE
    """`inline`: bytes in the rows; `files`: beside the shards, where the trainer reads paths."""
    dialect: str | None = None
    """Rows of this dialect alone; by default all, each with the prompt of its own."""
    max_tokens: int | None = None
    """Longest prompt (RL) or conversation (SFT), image tokens included; by default the length
    that the target's launch files set. A longer row is left out and never cut."""
    processor: str | None = None
    """Folder of the model's processor, for exact token counts instead of an estimate."""
    min_side: int = MIN_SIDE
    """Pixels of an image's shorter side; rows with a smaller image are left out."""
    max_pixels: int | None = None
    """Of an image; rows with a larger one are left out, and images are never resized."""
    val_share: float = 0.0
    """About this share of the rows becomes the split `val`; rows that share an image stay
    together."""
    seed: int = 0
    """Decides the order of the rows and who goes to `val`."""
    shard_bytes: int = MAX_SHARD_BYTES
    """At which the next shard begins."""
    group_rows: int = 32
    """The most of a Parquet row group."""
    group_bytes: int = MAX_GROUP_BYTES
    """The most of a Parquet row group."""

    def __post_init__(self) -> None:
        """Raises ValueError for values that no export can have."""
        if self.images not in (INLINE, FILES):
            raise ValueError(f"images is {self.images!r}: write {INLINE} or {FILES}")
        if self.dialect is not None and self.dialect not in DIALECTS:
            raise ValueError(f"dialect is {self.dialect!r}: choose one of {', '.join(DIALECTS)}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens is {self.max_tokens}: write a positive number")
        if self.min_side < MIN_SIDE:
            raise ValueError(
                f"min_side is {self.min_side}: trainers take no image below {MIN_SIDE}"
            )
        if not 0 <= self.val_share < 1:
            raise ValueError(f"val_share is {self.val_share}: write a share from 0 to below 1")
        self._check_sizes()

    def _check_sizes(self) -> None:
        if not 1 <= self.group_rows <= MAX_GROUP_ROWS:
            raise ValueError(
                f"group_rows is {self.group_rows}: choose 1 to {MAX_GROUP_ROWS}, since loaders"
                " hold many row groups at once"
            )
        if self.shard_bytes > MAX_SHARD_BYTES or self.group_bytes > MAX_GROUP_BYTES:
            raise ValueError(
                f"shard_bytes is {self.shard_bytes} and group_bytes {self.group_bytes}: loaders"
                f" fail beyond {MAX_SHARD_BYTES} and {MAX_GROUP_BYTES}"
            )
