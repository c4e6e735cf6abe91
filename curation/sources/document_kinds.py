"""The kinds of documents; each draws a page and says what can be asked about it."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence

from curation.sources import tables
from curation.sources.drawn import ORDINALS, Page, Question
from curation.sources.paper import Paper
from schemas import Box

A4 = (827, 1169)
RECEIPT = (560, 1000)
LABEL = (280, 150)

_GOODS = (
    "Apples", "Bread", "Butter", "Carrots", "Cheese", "Coffee", "Eggs", "Flour", "Grapes", "Honey",
    "Juice", "Lemons", "Milk", "Noodles", "Olives", "Pears", "Rice", "Salt", "Soap", "Tea",
)  # fmt: skip
_PAYMENTS = ("cash", "card", "cheque", "voucher")
_STATES = ("paid", "open", "overdue", "void")


_PRINTED = "exact_number"
"""What is printed is read right or not at all: 5 % off is another price or another account."""


def _read(text: str, answer: str, target: str, box: Box, kind: str = _PRINTED) -> Question:
    return Question(text, answer, kind, "read", target, (box,))


def _money(cents: int) -> str:
    return f"{cents / 100:.2f}"


@functools.cache
def _places(split: str) -> tuple[str, ...]:
    """Real towns: the even airports of the list for training, the odd ones for testing."""
    cities = tables.frame("airports")["city"].dropna().tolist()
    return tuple(cities[0 if split == "train" else 1 :: 2])


def draw_receipt(rng: random.Random, split: str, size: int) -> Page:
    """A till receipt: goods with prices, then subtotal, tax and total, then the payment."""
    size = min(size, 40)
    paper = Paper(*RECEIPT, ground=rng.randint(240, 255))
    pitch = max(size * 1.5, 30)
    rows = rng.randint(3, min(8, int(430 / pitch)))
    paper.text(280, 40, f"{rng.choice(_places(split))} Market", 34, anchor="ma")
    paper.line(30, 100, 530, 100, 2)
    questions, subtotal = [], 0
    top = 130 + rng.randint(0, 20)
    for row, goods in enumerate(rng.sample(_GOODS, rows)):
        cents = rng.randint(100, 1600)
        subtotal += cents
        box = _entry(paper, top + row * pitch, goods, _money(cents), size)
        asked = f"What is the price on the {ORDINALS[row]} line?"
        questions.append(_read(asked, _money(cents), f"the {ORDINALS[row]} line", box))
    bottom = 1000 - 5.2 * pitch - rng.randint(0, 30)
    paper.line(30, bottom - 12, 530, bottom - 12, 2)
    tax = subtotal * rng.choice((5, 7, 10, 19, 20)) // 100
    sums = {"subtotal": subtotal, "tax": tax, "total": subtotal + tax}
    for row, (name, cents) in enumerate(sums.items()):
        box = _entry(paper, bottom + row * pitch, name.capitalize(), _money(cents), size)
        questions.append(_read(f"What is the {name}?", _money(cents), f"the {name}", box))
    payment = rng.choice(_PAYMENTS)
    box = _entry(paper, bottom + 3.4 * pitch, "Paid by", payment, size)
    questions.append(_read("How was it paid?", payment, "the payment", box, "text"))
    asked = "How many lines of goods are there?"
    questions.append(Question(asked, str(rows), _PRINTED, "count", "the list"))
    return Page(paper.finished(), tuple(questions), {"kind": "receipt", "print_size": size})


def _entry(paper: Paper, y: float, name: str, value: str, size: int) -> Box:
    paper.text(36, y, name, size)
    return paper.text(524, y, value, size, name="DejaVuSans-Bold", anchor="ra")


_FIELDS = (
    "invoice number", "customer number", "order number", "account number", "amount due", "tax",
    "page count", "weight", "postcode", "status",
)  # fmt: skip


def draw_form(rng: random.Random, split: str, size: int) -> Page:
    """An invoice form of two columns of boxed fields, the same place for a field on each form."""
    size = min(size, 48)
    paper = Paper(*A4, ground=rng.randint(246, 255))
    paper.text(60, 60, f"{rng.choice(_places(split))} Supplies", 44, name="DejaVuSerif-Bold")
    paper.line(60, 130, 767, 130, 3)
    left, top = 60 + rng.randint(-12, 12), 190 + rng.randint(-25, 25)
    questions = []
    for index, field in enumerate(_FIELDS):
        x, y = left + 365 * (index % 2), top + 170 * (index // 2)
        paper.frame(x, y, x + 340, y + 130, 2)
        paper.text(x + 10, y + 6, field.capitalize(), 20)
        value, kind = _field_value(rng, field)
        box = paper.text(x + 170, y + 80, value, size, name="DejaVuSans-Bold", anchor="mm")
        questions.append(_read(f"What is the {field}?", value, f"the {field}", box, kind))
    return Page(paper.finished(), tuple(questions), {"kind": "form", "print_size": size})


def _field_value(rng: random.Random, field: str) -> tuple[str, str]:
    if field == "status":
        return rng.choice(_STATES), "text"
    if field in ("amount due", "tax"):
        return _money(rng.randint(100, 9900)), _PRINTED
    return str(rng.randint(10, 9999)), _PRINTED


def draw_label(rng: random.Random, split: str) -> Page:
    """A shelf label of two or three lines in print that is large for its size."""
    paper = Paper(*LABEL, ground=rng.randint(240, 255))
    paper.text(LABEL[0] / 2, 8, rng.choice(_places(split)), 18, anchor="ma")
    size, count = rng.randint(24, 30), rng.randint(2, 3)
    questions = []
    for line, field in enumerate(rng.sample(_FIELDS, count)):
        y = 52 + line * 36
        paper.text(10, y, field.capitalize(), 18, anchor="lm")
        value, kind = _field_value(rng, field)
        box = paper.text(LABEL[0] - 12, y, value, size, name="DejaVuSans-Bold", anchor="rm")
        questions.append(_read(f"What is the {field}?", value, f"the {field}", box, kind))
    return Page(paper.finished(), tuple(questions), {"kind": "label", "print_size": size})


def draw_table(rng: random.Random, split: str, size: int) -> Page:
    """A ruled table of real numbers, asked by row and column."""
    size = min(size, 44)
    paper = Paper(*A4, ground=rng.randint(246, 255))
    data = tables.excerpt(rng, split, rng.randint(4, 9), rng.choice((2, 2, 3)))
    data = data if len(data.columns) > 1 else tables.excerpt(rng, split, 5, 2)
    paper.text(60, 50, data.table.name, 40, name="DejaVuSerif-Bold")
    top, pitch = 150 + rng.randint(0, 60), rng.randint(78, 92)
    names, width = 250, 460 / len(data.columns)
    _rule(paper, top, pitch, len(data.rows), len(data.columns), names, width)
    for column, name in enumerate(data.columns):
        centre = 60 + names + width * (column + 0.5)
        paper.text(centre, top + pitch / 2, name[:10].capitalize(), 19, anchor="mm")
    questions = []
    for row, values in enumerate(data.values):
        y = top + pitch * (row + 1.5)
        paper.text(72, y, data.rows[row], 20, anchor="lm")
        for column, value in enumerate(values):
            centre = 60 + names + width * (column + 0.5)
            box = paper.text(centre, y, str(value), size, anchor="mm")
            place = f"the {ORDINALS[row]} row, {ORDINALS[column]} column"
            questions.append(_read(f"What is the value in {place}?", str(value), place, box))
    count = len(data.rows)
    asked = "How many rows of numbers are there?"
    questions.append(Question(asked, str(count), _PRINTED, "count", "the table"))
    settings = {"kind": "table", "table": data.table.name, "print_size": size}
    return Page(paper.finished(), tuple(questions), settings)


def _rule(
    paper: Paper, top: int, pitch: int, rows: int, columns: int, names: int, width: float
) -> None:
    right, bottom = 60 + names + width * columns, top + pitch * (rows + 1)
    paper.fill(60, top, right, top + pitch, 225)
    for row in range(rows + 2):
        paper.line(60, top + pitch * row, right, top + pitch * row, 2)
    for x in (60, *(60 + names + width * column for column in range(columns + 1))):
        paper.line(x, top, x, bottom, 2)


def draw_paragraphs(rng: random.Random, split: str, size: int) -> Page:
    """Paragraphs of real prose; one reference number in each is marked with a grey bar."""
    size = min(size, 40)
    paper = Paper(*A4, ground=rng.randint(248, 255))
    questions = []
    count = rng.randint(2, 3)
    height = 960 // count
    for index in range(count):
        top = 90 + height * index + rng.randint(0, 30)
        number = str(rng.randint(10, 9999))
        lines = max(2, int((height - 70) / (size * 1.45)))
        box = _paragraph(paper, rng, split, top, size, lines, number)
        place = f"the {ORDINALS[index]} paragraph"
        asked = f"What is the marked number in {place}?"
        questions.append(_read(asked, number, f"the marked number in {place}", box))
    asked = "How many paragraphs are there?"
    questions.append(Question(asked, str(count), _PRINTED, "count", "the page"))
    return Page(paper.finished(), tuple(questions), {"kind": "paragraphs", "print_size": size})


def _paragraph(
    paper: Paper, rng: random.Random, split: str, top: int, size: int, lines: int, number: str
) -> Box:
    """Set up to `lines` lines of prose with the marked number in a random line."""
    words = _prose(rng, split)
    marked_line = rng.randrange(lines)
    box = None
    for line in range(lines):
        y = top + line * size * 1.45
        x = 70.0
        insert_at = x + rng.random() * 0.6 * 660 if line == marked_line else None
        while x < 740:
            if insert_at is not None and x >= insert_at:
                x += size * 0.5
                box, insert_at = _marked(paper, x, y, number, size), None
                x += paper.width(number, size, "DejaVuSerif-Bold") + size
                continue
            word = next(words)
            if x + paper.width(word, size, "DejaVuSerif") > 757:
                break
            paper.text(x, y, word, size, name="DejaVuSerif")
            x += paper.width(word + " ", size, "DejaVuSerif")
    if box is None:
        # The words of the marked line ran past the insertion point: the number ends the line.
        y = top + marked_line * size * 1.45
        box = _marked(paper, 757 - paper.width(number, size, "DejaVuSerif-Bold"), y, number, size)
    return box


def _marked(paper: Paper, x: float, y: float, number: str, size: int) -> Box:
    width = paper.width(number, size, "DejaVuSerif-Bold")
    grow = max(size * 0.3, 8)
    paper.fill(x - grow, y - grow * 0.6, x + width + grow, y + size + grow, 185)
    return paper.text(x, y, number, size, name="DejaVuSerif-Bold")


def _prose(rng: random.Random, split: str) -> Iterator[str]:
    """Words of the data sets' own descriptions, over and over from a random place."""
    words = _descriptions(split)
    at = rng.randrange(len(words))
    while True:
        yield words[at]
        at = (at + 1) % len(words)


@functools.cache
def _descriptions(split: str) -> Sequence[str]:
    from vega_datasets import local_data

    names = {
        "train": ("us_employment", "seattle_weather", "airports", "stocks", "cars"),
        "test": ("wheat", "iowa_electricity", "barley", "burtin", "driving"),
    }[split]
    return " ".join(getattr(local_data, name).description for name in names).split()
