"""What the headers of an answer mean."""

from __future__ import annotations

import pytest

from curation.models.wire import retry_after

NOON = "Wed, 21 Oct 2026 12:00:00 GMT"
LATER = "Wed, 21 Oct 2026 12:00:07 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-1"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": LATER, "Date": NOON}, 7),
        ({"Retry-After": NOON, "Date": LATER}, 0),
        ({"Retry-After": LATER}, None),
        ({"Retry-After": LATER, "Date": "today"}, None),
    ],
)
def test_a_date_is_read_by_the_servers_own_clock(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds
