"""A slice of the evaluation through the real server, against what the card states."""

from __future__ import annotations

import json

import pytest

from curation.embedded import CHECKPOINT
from curation.embedded.bars import BARS
from curation.embedded.evaluate import FIGURES, measure
from curation.models import ManagedServer

SAMPLES, ATTEMPTS = 24, 4
SLACK = 0.15
"""Three standard errors of a share over a slice of this size, and a little."""


@pytest.mark.serve
async def test_no_bar_falls_well_below_the_card(embedded_server: ManagedServer) -> None:
    card = json.loads((CHECKPOINT / FIGURES).read_text())["figures"]
    found = await measure(embedded_server.url, SAMPLES, ATTEMPTS)
    assert found.keys() == card.keys()
    fallen = {
        bar.name: (found[bar.name], card[bar.name])
        for bar in BARS
        if found[bar.name] < card[bar.name] - SLACK
    }
    assert not fallen


def test_the_checkpoint_is_small() -> None:
    size = sum(path.stat().st_size for path in CHECKPOINT.rglob("*") if path.is_file())
    assert size <= 16 * 2**20
