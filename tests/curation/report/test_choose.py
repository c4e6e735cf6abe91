"""Which samples get a card: every fate of every source, evenly, and the same ones every time."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from curation.look.cards import read_rollouts, read_samples
from curation.report.choose import ROLLOUTS, SAMPLES, choose
from curation.runs import Run
from schemas import Quarantined, Sample, Verdict, to_table
from tests.curation.rows import sample


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """100 samples of source `often`, one in ten kept, and 2 of `seldom`, one of which drops for a
    second reason that no other sample has."""
    made = Run(tmp_path / "run")
    samples, verdicts = [], []
    for number in range(102):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        kept = number % 10 == 0
        failed = () if kept else ("too_easy", "rare") if number == 101 else ("too_easy",)
        samples.append(sample(name, source="often" if number < 100 else "seldom"))
        split = "rl" if kept else None
        verdicts.append(Verdict(name, kept, failed[0] if failed else None, failed, split))
    made.table("samples").replace([to_table(Sample, samples)])
    made.table("verdicts").replace([to_table(Verdict, verdicts[1:])])
    fault = Quarantined(samples[7].sample_id, "measure", "often", "image_damaged", "m", "{}")
    made.table("quarantine").replace([to_table(Quarantined, [fault])])
    return made


def test_every_fate_of_every_source_is_chosen_even_beyond_the_limit(run: Run) -> None:
    with run.connect() as db:
        chosen = choose(db, SAMPLES, at_most=1)
    assert chosen.total == 102 and chosen.sources == ("often", "seldom")
    assert chosen.fates == {
        "dropped: rare": (1, 1),
        "dropped: too_easy": (3, 91),  # of each source the first, and the one in quarantine
        "in quarantine": (1, 1),
        "kept: rl": (2, 10),
        "no verdict": (1, 1),
    }
    assert len(chosen.ids) == 6


def test_the_choice_is_even_and_the_same_every_time(run: Run) -> None:
    with run.connect() as db:
        chosen, again = (choose(db, SAMPLES, at_most=24) for _ in range(2))
    assert chosen == again and len(chosen.ids) == len(set(chosen.ids)) == 24
    kept, there = chosen.fates["kept: rl"]
    assert there == 10 and kept >= 9  # as many as of the 91 that are too easy, while there are


def test_all_are_chosen_where_there_is_room(run: Run) -> None:
    with run.connect() as db:
        chosen = choose(db, SAMPLES, at_most=500)
    assert len(chosen.ids) == 102
    assert all(shown == there for shown, there in chosen.fates.values())
    assert Counter(chosen.ids).most_common(1)[0][1] == 1


def test_a_run_without_rows_has_nothing_to_choose(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with Run(tmp_path / "run").connect() as db:
        chosen = choose(db, SAMPLES, at_most=10)
    assert (chosen.ids, chosen.total, chosen.fates, chosen.sources) == ((), 0, {}, ())


def test_a_row_is_chosen_under_the_fates_that_its_card_names(world: Run) -> None:
    with world.connect() as db:
        for labelled, read in (
            (SAMPLES, lambda ids: read_samples(db, ids)),
            (ROLLOUTS, lambda ids: read_rollouts(world, db, ids)),
        ):
            chosen = choose(db, labelled, at_most=1000)
            named: Counter[str] = Counter()
            for card in read(chosen.ids):
                named.update(card.fates)
            assert named == Counter({fate: there for fate, (_, there) in chosen.fates.items()})
            assert len(named) > 3
