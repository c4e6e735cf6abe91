"""Every preset on a small snapshot with exactly the columns and types of its data set."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import datasets
import PIL.Image
import pytest
from datasets import ClassLabel, Features, Image, List, Value

from curation.sources.base import BadRow, RawSample
from curation.sources.hub import hub
from curation.sources.presets import PRESETS
from curation.sources.tabular import jsonl, parquet
from schemas import Box
from schemas.sample import ANSWER_KINDS


def encoded(colour: str = "red", form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (100, 50), colour).save(buffer, form)
    return buffer.getvalue()


RED, BLUE = encoded("red"), encoded("blue", "JPEG")
TEXT, TEXTS = Value("string"), List(Value("string"))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def snapshot(folder: Path, features: dict[str, Any], rows: list[dict[str, Any]]) -> Path:
    """A folder as a data set of the hub is laid out."""
    columns = {name: [row[name] for row in rows] for name in features}
    table = datasets.Dataset.from_dict(columns, features=Features(features))
    (folder / "data").mkdir()
    table.to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    return folder


def both_ways(
    folder: Path, preset: str, features: dict[str, Any], rows: list[dict[str, Any]]
) -> list[Any]:
    """Rows as `hub` reads them, after a check that `parquet` finds the same samples."""
    snapshot(folder, features, rows)
    cache = str(folder / "cache")
    root = str(folder)
    loaded = hub(
        dataset=root, preset=preset, split="train", cache_dir=cache, image_root=root,
        data_files="data/*.parquet",
    )  # fmt: skip
    found = list(loaded)
    files = list(parquet(path=f"{root}/data", preset=preset, image_root=root))
    assert [content(row) for row in files] == [content(row) for row in found]
    return found


def content(row: RawSample | BadRow) -> tuple[object, ...]:
    if isinstance(row, BadRow):
        return (row.error,)
    return row.images, row.question, row.answers, row.answer_kind, row.choices, row.evidence


CHARTQA = {
    "image": Image(),
    "query": TEXT,
    "label": TEXTS,
    "human_or_machine": ClassLabel(names=["human", "machine"]),
}


def test_chartqa(tmp_path: Path) -> None:
    rows = [
        {
            "image": {"bytes": RED, "path": "two_col_1.png"},
            "query": "How much was it in 2010?",
            "label": ["1,345.5"],
            "human_or_machine": 1,
        },
        {
            "image": {"bytes": BLUE, "path": None},
            "query": "Which two years?",
            "label": ["[2010, 2012]"],
            "human_or_machine": 0,
        },
        {
            "image": {"bytes": RED, "path": None},
            "query": "Is it more?",
            "label": [],
            "human_or_machine": 0,
        },
    ]
    first, second, bad = both_ways(tmp_path, "chartqa", CHARTQA, rows)
    assert (first.images, first.answers, first.answer_kind) == ((RED,), ("1,345.5",), "number")
    assert (first.category, first.license) == ("chart", "gpl-3.0")
    assert first.metadata == {"human_or_machine": "machine"}
    assert (second.images, second.answer_kind) == ((BLUE,), "text")
    assert bad.error == "missing_answer"


def test_chartqa_of_its_authors_with_plain_bytes(tmp_path: Path) -> None:
    features = {
        "imgname": TEXT,
        "query": TEXT,
        "label": TEXT,
        "type": TEXT,
        "image": Value("binary"),
    }
    row = {"imgname": "1.png", "query": "How many?", "label": "3", "type": "human", "image": RED}
    [sample] = both_ways(tmp_path, "chartqa", features, [row])
    assert (sample.images, sample.answers) == ((RED,), ("3",))
    assert sample.metadata == {"type": "human"}


DOCVQA = {
    "questionId": TEXT,
    "question": TEXT,
    "question_types": TEXTS,
    "image": Image(),
    "docId": Value("int64"),
    "ucsf_document_id": TEXT,
    "ucsf_document_page_no": TEXT,
    "answers": TEXTS,
    "data_split": TEXT,
}


def test_docvqa(tmp_path: Path) -> None:
    row = {
        "questionId": "49153",
        "question": "What is the actual value per 1000?",
        "question_types": ["figure/diagram"],
        "image": {"bytes": RED, "path": None},
        "docId": 14465,
        "ucsf_document_id": "pybv0228",
        "ucsf_document_page_no": "81",
        "answers": ["0.28", "0.280"],
        "data_split": "val",
    }
    test_row = row | {"questionId": "57349", "answers": None, "data_split": "test"}
    sample, bad = both_ways(tmp_path, "docvqa", DOCVQA, [row, test_row])
    assert (sample.origin_id, sample.answers) == ("49153", ("0.28", "0.280"))
    assert (sample.answer_kind, sample.category) == ("text", "document")
    assert sample.metadata["docId"] == 14465
    assert bad.error == "missing_answer"


def test_infographicvqa(tmp_path: Path) -> None:
    features = {
        "questionId": TEXT,
        "question": TEXT,
        "answers": TEXTS,
        "answer_type": TEXTS,
        "image": Image(),
        "image_url": TEXT,
        "operation/reasoning": TEXTS,
        "ocr": TEXT,
        "data_split": TEXT,
    }
    row = {
        "questionId": "98313",
        "question": "Which platform leads?",
        "answers": ["pinterest"],
        "answer_type": ["single span"],
        "image": {"bytes": BLUE, "path": None},
        "image_url": "https://example.org/1.jpg",
        "operation/reasoning": ["comparison"],
        "ocr": "{}",
        "data_split": "val",
    }
    [sample] = both_ways(tmp_path, "infographicvqa", features, [row])
    assert (sample.images, sample.answers) == ((BLUE,), ("pinterest",))
    assert sample.metadata["operation/reasoning"] == ["comparison"]
    assert "ocr" not in sample.metadata


def test_textvqa_takes_the_answers_that_vqa_accuracy_takes(tmp_path: Path) -> None:
    features = {
        "image_id": TEXT,
        "question_id": Value("int32"),
        "question": TEXT,
        "question_tokens": TEXTS,
        "image": Image(),
        "image_width": Value("int32"),
        "image_height": Value("int32"),
        "flickr_original_url": TEXT,
        "flickr_300k_url": TEXT,
        "answers": TEXTS,
        "image_classes": TEXTS,
        "set_name": TEXT,
        "ocr_tokens": TEXTS,
    }
    row: dict[str, Any] = {name: None for name in features} | {
        "image_id": "0054c91397f2fe05",
        "question_id": 0,
        "question": "what is the brand of phone?",
        "image": {"bytes": BLUE, "path": None},
        "answers": ["nokia phone"] * 3 + ["nokia"] * 5 + ["toshiba", "sony"],
        "image_classes": ["Telephone"],
    }
    unlabelled = row | {"question_id": 1, "answers": [""] * 10}
    sample, bad = both_ways(tmp_path, "textvqa", features, [row, unlabelled])
    assert (sample.origin_id, sample.answers) == ("0", ("nokia", "nokia phone"))
    assert sample.metadata == {"image_id": "0054c91397f2fe05", "image_classes": ["Telephone"]}
    assert bad.error == "missing_answer"


VSTAR_ROWS = [
    {
        "image": "gqa/images/1.jpg",
        "search": True,
        "question": "What is the color of the cup?",
        "answer": "white",
        "target_instances": [{"name": "cup", "bbox": [10.2, 5, 20, 10.5]}],
        "conversations": [],
    },
    {
        "image": "coco2017/train2017/2.jpg",
        "search": True,
        "target_instances": [
            {"name": "dog", "bbox": [0, 0, 50, 20]},
            {"name": "cat", "bbox": [50, 0, 60, 20]},
        ],
        "conversations": [
            {
                "from": "human",
                "value": "<image>\nAdditional visual information to focus on: dog <object>, "
                "cat <object>.\nIs the dog left of the cat?",
            },
            {"from": "gpt", "value": "The dog is left of the cat."},
        ],
    },
    {"image": "coco2014/train2014/gone.jpg", "question": "Where?", "answer": "here"},
]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in ("gqa/images/1.jpg", "coco2017/train2017/2.jpg", "VG_100K_2/3.jpg"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(BLUE)
    return root


def check_vstar(rows: list[Any]) -> None:
    first, second, bad = rows
    assert (first.question, first.answers) == ("What is the color of the cup?", ("white",))
    assert first.evidence == (Box(0, 10, 5, 31, 16),)
    assert first.images == (BLUE,)
    assert second.question == "Is the dog left of the cat?"
    assert second.answers == ("The dog is left of the cat.",)
    assert second.evidence == (Box(0, 0, 0, 50, 20), Box(0, 50, 0, 100, 20))
    assert second.metadata == {"targets": ["dog", "cat"]}
    assert bad.error == "missing_image"
    assert "coco2014/train2014/gone.jpg" in bad.message


def test_vstar_json_lists(tmp_path: Path, coco: Path) -> None:
    file = tmp_path / "spatial_relation_data.json"
    file.write_text(json.dumps(VSTAR_ROWS))
    check_vstar(list(jsonl(path=str(file), preset="vstar", image_root=str(coco))))


def test_vstar_json_lists_through_datasets(tmp_path: Path, coco: Path) -> None:
    folder = tmp_path / "seal_vqa_data"
    folder.mkdir()
    (folder / "GQA_data.json").write_text(json.dumps(VSTAR_ROWS))
    rows = hub(
        dataset=str(folder),
        preset="vstar",
        split="train",
        data_files="GQA_data.json",
        image_root=str(coco),
        cache_dir=str(tmp_path / "cache"),
    )
    check_vstar(list(rows))


def test_arxivqa(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1501.00713_1.jpg").write_bytes(BLUE)
    row = {
        "id": "cs-8049",
        "image": "images/1501.00713_1.jpg",
        "options": ["A) 10^-4", "B) 10^-2", "-", "### Second Figure"],
        "question": "What is the value at 5 GHz?",
        "label": "B",
        "rationale": "The curve crosses there.",
    }
    bracketed = row | {"label": "[A]", "options": ["A) yes", "B) no"]}
    named = row | {"label": "B) 10^-2"}
    unmarked = row | {"label": "B", "options": ["one", "two", "three"]}
    outside = row | {"label": "D"}
    without = row | {"options": []}
    file = tmp_path / "arxivqa.jsonl"
    lines = (row, bracketed, named, unmarked, outside, without)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = list(jsonl(path=str(file), preset="arxivqa"))
    samples = [item for item in found if isinstance(item, RawSample)]
    assert [item.answers for item in samples] == [
        ("B", "10^-2"),
        ("A", "yes"),
        ("B", "10^-2"),
        ("B", "two"),
    ]
    assert samples[0].question == "What is the value at 5 GHz?\nA. 10^-4\nB. 10^-2"
    assert (samples[0].images, samples[0].answer_kind) == ((BLUE,), "choice")
    assert samples[0].metadata == {"id": "cs-8049", "rationale": "The curve crosses there."}
    errors = [item.error for item in found if isinstance(item, BadRow)]
    assert errors == ["answer_not_an_option", "missing_options"]


def test_thinklite(tmp_path: Path) -> None:
    features = {
        "image": Value("binary"),
        "problem": TEXT,
        "answer": TEXT,
        "id": TEXT,
        "choices": TEXTS,
        "ground_truth": TEXT,
    }
    base: dict[str, Any] = {"image": RED, "id": "1", "choices": None, "ground_truth": None}
    rows = [
        base | {"problem": "<image>What is x?", "answer": "\\frac{1}{2}"},
        base | {"problem": "<image>How far?", "answer": "3", "ground_truth": "3.14"},
        base | {"problem": "<image>Which?\nChoices:\nA. 30°\nB. 45°", "answer": "B"},
        base | {"problem": "<image>Which?", "answer": "dog", "choices": ["cat", "dog"]},
        base | {"problem": "<image>Is it so?", "answer": "No"},
        base | {"problem": "<image>Who?", "answer": "the baker"},
    ]
    found = both_ways(tmp_path, "thinklite-vl", features, rows)
    assert [item.answer_kind for item in found] == [
        "math",
        "math",
        "choice",
        "choice",
        "yes_no",
        "text",
    ]
    assert found[0].question == "What is x?"
    assert found[1].answers == ("3.14",)
    assert (found[2].answers, found[2].choices) == (("B", "45°"), ("30°", "45°"))
    assert found[3].question == "Which?\nA. cat\nB. dog"
    assert found[0].category == "reason"


def test_pixmo_count(tmp_path: Path) -> None:
    features = {
        "image_url": TEXT,
        "image_sha256": TEXT,
        "count": Value("int32"),
        "points": {"x": List(Value("float32")), "y": List(Value("float32"))},
        "label": TEXT,
    }
    digests = [hashlib.sha256(data).hexdigest() for data in (RED, BLUE, b"changed", b"gone")]
    (tmp_path / f"{digests[0]}.png").write_bytes(RED)
    (tmp_path / digests[1][:2]).mkdir()
    (tmp_path / digests[1][:2] / digests[1]).write_bytes(BLUE)
    (tmp_path / f"{digests[2]}.jpg").write_bytes(b"something else")
    base = {"image_url": "https://example.org/1", "points": {"x": [1.0], "y": [2.0]}}
    rows = [
        base | {"image_sha256": digests[0], "count": 2, "label": "people"},
        base | {"image_sha256": digests[1], "count": 23, "label": "cars"},
        base | {"image_sha256": digests[2], "count": 2, "label": "people"},
        base | {"image_sha256": digests[3], "count": 2, "label": "people"},
        base | {"image_sha256": digests[0], "count": 2, "label": None},
        base | {"image_sha256": "../secret", "count": 2, "label": "people"},
    ]
    few, many, *bad = both_ways(tmp_path, "pixmo-count", features, rows)
    assert few.question == "How many people are there in the image?"
    assert (few.images, few.answers, few.answer_kind) == ((RED,), ("2",), "exact_number")
    # A tolerance of 5 % would let 24 pass for 23.
    assert (many.images, many.answers, many.answer_kind) == ((BLUE,), ("23",), "exact_number")
    assert [item.error for item in bad] == [
        "image_changed",
        "missing_image",
        "missing_question",
        "missing_image",
    ]
    assert "set image_root" in bad[1].message


def test_tallyqa(tmp_path: Path, coco: Path) -> None:
    row = {
        "answer": 4,
        "data_source": "imported_genome",
        "image": "VG_100K_2/3.jpg",
        "image_id": 92410408,
        "issimple": False,
        "question": "How many headlights does the black bus have?",
        "question_id": 30095774,
    }
    file = tmp_path / "train.json"
    file.write_text(json.dumps([row, row | {"image": "train2014/COCO_train2014_1.jpg"}]))
    sample, bad = jsonl(path=str(file), preset="tallyqa", image_root=str(coco))
    assert isinstance(sample, RawSample) and isinstance(bad, BadRow)
    assert (sample.images, sample.answers, sample.answer_kind) == ((BLUE,), ("4",), "exact_number")
    assert sample.metadata["issimple"] is False
    assert bad.error == "missing_image"


def test_fvqa(tmp_path: Path) -> None:
    features = {
        "prompt": List({"content": TEXT, "role": TEXT}),
        "images": List({"bytes": Value("binary"), "path": TEXT}),
        "reward_model": {"candidate_answers": TEXT, "ground_truth": TEXT, "style": TEXT},
        "data_source": TEXT,
        "image_urls": TEXTS,
        "data_id": TEXT,
        "category": TEXT,
    }

    def row(number: int, candidates: str | None, gold: str | None, images: list[bytes]) -> Any:
        return {
            "prompt": [{"content": "What is the name of the system?", "role": "user"}],
            "images": [{"bytes": data, "path": None} for data in images],
            "reward_model": {
                "candidate_answers": candidates,
                "ground_truth": gold,
                "style": "rule",
            },
            "data_source": "mmsearch_r1/fvqa_train",
            "image_urls": None,
            "data_id": f"fvqa_train_{number}",
            "category": "search_required",
        }

    rows = [
        row(0, '["NamUs", "namus"]', "namus", [RED]),
        row(1, "['Rubjerg Knude']", "Rubjerg Knude", [RED, BLUE]),
        row(2, None, "Cheshire", [BLUE]),
        row(3, "NamUs or so", "namus", [RED]),
        row(4, "[]", None, [RED]),
        row(5, "[]", "namus", []),
    ]
    first, second, third, *bad = both_ways(tmp_path, "fvqa", features, rows)
    assert (first.origin_id, first.answers) == ("fvqa_train_0", ("namus", "NamUs"))
    assert first.question == "What is the name of the system?"
    assert (first.category, first.metadata["search"]) == ("search", "search_required")
    assert (second.images, second.answers) == ((RED, BLUE), ("Rubjerg Knude",))
    assert third.answers == ("Cheshire",)
    assert [item.error for item in bad] == ["answer_type", "missing_answer", "missing_image"]


def test_presets_are_sound() -> None:
    for name, preset in PRESETS.items():
        layout = preset.layout
        assert layout.answer_kind in ("auto", *ANSWER_KINDS), name
        assert set(layout.optional) <= set(layout.needed()), name
        assert preset.revision is None or len(preset.revision) == 40, name
        assert layout.license, name
