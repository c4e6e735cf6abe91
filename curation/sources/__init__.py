"""Sources yield raw samples; a row that is no sample is yielded as a `BadRow`, never dropped."""

from curation.sources.base import BadRow, RawSample, Row

__all__ = ["BadRow", "RawSample", "Row"]
