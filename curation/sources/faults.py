"""What is wrong with one row, on its way to becoming a `BadRow`."""

from __future__ import annotations


class RowFault(Exception):
    """A row that is no sample; raised while it is read and never leaves the sources."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        """Class of the fault, such as `missing_answer`."""
        self.message = message
        """What is wrong and how to mend it; where it is, is added by the reader."""
