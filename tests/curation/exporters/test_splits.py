"""The split by image: stable, and never with an image on both sides."""

from __future__ import annotations

import pytest

from curation.exporters.splits import held_out

SAMPLES = [(f"s{n}", [f"i{n}", f"i{n // 3 * 3}"]) for n in range(3000)]
"""Groups of three samples that share an image."""


def test_share_is_met_on_average_and_groups_stay_together() -> None:
    held = held_out(SAMPLES, share=0.2, seed=1)
    assert 0.15 < len(held) / len(SAMPLES) < 0.25
    train = {image for name, images in SAMPLES if name not in held for image in images}
    val = {image for name, images in SAMPLES if name in held for image in images}
    assert not train & val


def test_order_does_not_matter_and_the_seed_does() -> None:
    held = held_out(SAMPLES, share=0.2, seed=1)
    assert held == held_out(SAMPLES[::-1], share=0.2, seed=1)
    assert held != held_out(SAMPLES, share=0.2, seed=2)


def test_groups_stay_where_they_are_when_others_come() -> None:
    held = held_out(SAMPLES[:1500], share=0.2, seed=1)
    assert held == held_out(SAMPLES, share=0.2, seed=1) & {name for name, _ in SAMPLES[:1500]}


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.999999, 3)])
def test_samples_that_are_linked_through_others_go_together(share: float, count: int) -> None:
    chain = [("a", ["1", "2"]), ("b", ["3", "4"]), ("c", ["2", "3"])]
    assert len(held_out(chain, share=share, seed=0)) == count
