"""The report in a real browser: quiet, accessible, driven by keys, and unharmed by its data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from curation.cli import app
from curation.report import write_report
from curation.runs import Run
from schemas import Quarantined, Sample, Verdict, to_table
from tests.curation.report.chromium import browser, opened
from tests.curation.rows import sample
from tests.notebooks.world import HOSTILE

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def report(world: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "world.html"
    done = CliRunner().invoke(app, ["report", str(world.path), "--out", str(path)])
    assert (done.exit_code, done.stdout) == (0, f"{path}\n")
    return path


@pytest.fixture
def page(chromium: Browser, report: Path) -> Iterator[Page]:
    with opened(chromium, report) as (shown, complaints):
        yield shown
        assert complaints == []


def current(page: Page) -> str | None:
    return page.evaluate("document.querySelector('[aria-current]')?.id")


def shown_cards(page: Page) -> list[str]:
    cards: list[str] = page.eval_on_selector_all(
        ".card:not([hidden])", "cards => cards.map((card) => card.id)"
    )
    return cards


def test_it_is_one_file_that_asks_for_nothing_else(report: Path, page: Page) -> None:
    text = report.read_text()
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", text)
    assert page.title() == "world · Toolsight report"
    assert page.locator("h1").inner_text() == "world"


def test_markup_in_the_data_is_text(report: Path, page: Page) -> None:
    assert HOSTILE not in report.read_text()
    assert page.locator("h3.question", has_text=HOSTILE).count() >= 1
    assert page.locator("img[src=x]").count() == 0


def test_figures_are_those_of_the_run(world: Run, page: Page) -> None:
    kept = world.value("SELECT count(*) FROM verdicts WHERE kept")
    dropped = world.value("SELECT count(*) FROM verdicts WHERE NOT kept")
    tiles = page.locator(".tiles").inner_text().split()
    assert tiles[tiles.index("kept") - 1] == str(kept)
    assert tiles[tiles.index("dropped") - 1] == str(dropped)
    stages = page.locator("table.stages tbody tr").all_inner_texts()
    for stage in stages:
        rows_in, kept, dropped, quarantined = map(int, re.findall(r"\t([\d,]+)(?=\t)", stage)[:4])
        assert rows_in == kept + dropped + quarantined
    assert page.locator("#distributions svg").count() >= 5
    assert "deepeyes-v2" in page.locator("#presets table").inner_text()


def test_every_reason_has_its_examples(world: Run, page: Page) -> None:
    rules = world.value(
        "SELECT list(DISTINCT rule) FROM (SELECT unnest(failed) rule FROM verdicts)"
    )
    rows = page.locator("#reasons table").first.locator("tbody tr")
    assert {row.split("\t")[0] for row in rows.all_inner_texts()} == set(rules)
    for row in rows.all():
        assert row.locator("a").count() >= 1
    for error in ("image_damaged", "missing_answer", "request_failed"):
        assert error in page.locator("#reasons").inner_text()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_accessibility_rules_find_nothing_serious(
    chromium: Browser, report: Path, scheme: str, width: int
) -> None:
    with opened(chromium, report, scheme=scheme, width=width) as (page, _):
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = Axe().run(page).response["violations"]
        page.keyboard.press("?")
        found += Axe().run(page, context="#help").response["violations"]
    serious = [
        (rule["id"], [node["html"][:200] for node in rule["nodes"][:3]])
        for rule in found
        if rule["impact"] in SERIOUS
    ]
    assert serious == []


def test_nothing_is_wider_than_a_telephone(chromium: Browser, report: Path) -> None:
    with opened(chromium, report, width=390) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_keys_walk_through_the_cards_and_unfold_them(page: Page) -> None:
    cards = shown_cards(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert current(page) == cards[1] == page.evaluate("document.activeElement.id")
    page.keyboard.press("k")
    assert current(page) == cards[0]
    details = page.locator(f"#{cards[0]} details")
    page.keyboard.press("Enter")
    assert details.evaluate_all("all => all.length > 0 && all.every((one) => one.open)")
    page.keyboard.press("Enter")
    assert not details.evaluate_all("all => all.some((one) => one.open)")


def test_the_search_is_reached_and_left_by_keys(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("alert script")
    found = shown_cards(page)
    assert found and len(found) < page.locator(".card").count()
    assert all(HOSTILE in (page.locator(f"#{card}").text_content() or "") for card in found)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert current(page) == found[0]
    page.keyboard.press("/")
    page.keyboard.type(" nothing is like this")
    assert shown_cards(page) == [] and page.locator("#none").is_visible()


def test_help_and_theme_have_keys(page: Page) -> None:
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("d")
    assert page.evaluate(ground) != light
    page.reload()
    assert page.evaluate(ground) != light, "the choice is kept"
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(ground) == light


def test_a_dark_system_gets_a_dark_page(chromium: Browser, report: Path) -> None:
    with opened(chromium, report, scheme="dark") as (page, _):
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_filters_show_what_they_say(world: Run, page: Page) -> None:
    easy = world.value("SELECT count(*) FROM verdicts WHERE list_contains(failed, 'too_easy')")
    page.select_option("[name=fate]", "sample:dropped: too_easy")
    assert len(shown_cards(page)) == easy
    page.select_option("[name=source]", "charts")
    in_charts = world.value("""
        SELECT count(*) FROM verdicts JOIN samples USING (sample_id)
        WHERE list_contains(failed, 'too_easy') AND source = 'charts'
    """)
    assert len(shown_cards(page)) == in_charts < easy
    page.get_by_role("button", name="Clear").click()
    page.select_option("[name=kind]", "rollout")
    assert all(card.startswith("rollout-") for card in shown_cards(page))


def test_a_reason_leads_to_its_cards(page: Page) -> None:
    row = page.locator("#reasons tbody tr", has_text="too_easy").first
    row.get_by_role("button").click()
    cards = shown_cards(page)
    assert cards and all(
        "too_easy" in (page.locator(f"#{card} header").text_content() or "") for card in cards
    )
    row.locator("a").first.click()
    assert current(page) == row.locator("a").first.get_attribute("href").removeprefix("#")


def test_pictures_are_in_the_page_once_and_decoded_when_they_come_near(page: Page) -> None:
    stored = page.eval_on_selector_all(
        "script[type='text/plain']", "all => all.map((one) => one.id)"
    )
    assert stored and len(stored) == len(set(stored))
    waiting = page.locator("img[data-picture]:not([src])")
    before = waiting.count()
    assert before > 0
    page.keyboard.press("j")
    picture = page.locator("[aria-current] img[src]").first
    picture.wait_for(state="attached", timeout=60_000)
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    assert waiting.count() < before


def test_turns_of_a_rollout_show_code_crops_and_checks(page: Page) -> None:
    page.select_option("[name=fate]", "rollout:trajectory")
    card = page.locator(".card:not([hidden])").first
    assert "crop = image_1.crop(" in (card.text_content() or "")
    assert card.locator(".turn.tool img").count() >= 1
    assert card.locator("ul.checks li").count() > 10


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """130 samples, one of them in quarantine, and no manifest, recipe or image: an early run."""
    made = Run(tmp_path_factory.mktemp("runs") / "large")
    names = [f"{number:064}" for number in range(130)]
    made.table("samples").replace([to_table(Sample, [sample(name) for name in names])])
    verdicts = [Verdict(name, False, "too_easy", ("too_easy",), None) for name in names[1:]]
    made.table("verdicts").replace([to_table(Verdict, verdicts)])
    fault = Quarantined(names[0], "measure", "s", "image_damaged", HOSTILE, "{}")
    made.table("quarantine").replace([to_table(Quarantined, [fault])])
    return made


def test_cards_come_page_by_page(chromium: Browser, large: Run, tmp_path: Path) -> None:
    path = tmp_path / "large.html"
    write_report(large, path, cards=120)
    with opened(chromium, path) as (page, complaints):
        assert page.locator("#found").inner_text() == "1 to 50 of 120"
        page.locator("#after").click()
        page.locator("#after").click()
        assert page.locator("#found").inner_text() == "101 to 120 of 120"
        assert page.locator("#after").is_disabled()
        page.keyboard.press("k")
        assert current(page) == shown_cards(page)[-1]
        for _ in range(20):
            page.keyboard.press("k")
        assert page.locator("#found").inner_text() == "51 to 100 of 120"
        assert "120 of 130 samples" in page.locator("#cards").inner_text()
        assert complaints == []


def test_a_run_that_has_hardly_begun_has_a_report(large: Run, tmp_path: Path) -> None:
    write_report(large, tmp_path / "early.html")
    text = (tmp_path / "early.html").read_text()
    assert "The run has not ended yet" in text and HOSTILE not in text
    again = tmp_path / "again.html"
    write_report(large, again)
    assert again.read_text() == text, "the same run gives the same page"


def test_a_folder_without_a_run_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path / "nothing")])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: there is no run in")
