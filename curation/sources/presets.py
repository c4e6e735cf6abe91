"""Layouts of the data sets that the DeepEyes papers and their peers draw on.

Above each preset stands where its column names and types were read. `revision` is a commit whose
card or files were read, so that a preset names fixed data; None where no full commit was seen.
Licenses are what a card declares; "not declared" is not a permission.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from curation.errors import RecipeError
from curation.sources import prepare
from curation.sources.layout import Columns, Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A known data set: how its rows are read and where it lies on the Hugging Face hub."""

    layout: Layout
    dataset: str | None
    """Null where the original is no data set of the hub: read its files with `parquet`/`jsonl`."""
    revision: str | None = None
    name: str | None = None
    """The configuration, where the data set has several."""
    data_files: str | None = None


# Card of HuggingFaceM4/ChartQA at the revision below: image, query, label (list of string),
# human_or_machine (class label). The same layout reads ahmed-masry/ChartQA, whose image is plain
# bytes and whose origin column is `type` (seen in programs that read it; whether its label is a
# text or a list is not confirmed, both are taken). License: both cards.
CHARTQA = Preset(
    dataset="HuggingFaceM4/ChartQA",
    revision="b605b6e08b57faf4359aeb2fe6a3ca595f99b6c5",
    layout=Layout(
        columns=Columns(question="query", answers="label", metadata=("human_or_machine", "type")),
        category="chart",
        license="gpl-3.0",
        optional=("human_or_machine", "type"),
    ),
)

# Card of lmms-lab/DocVQA at the revision below, configuration DocVQA. The card offers validation
# and test only, and test has no answers: both are benchmarks. Own training files with the same
# columns are read by `parquet`.
DOCVQA = Preset(
    dataset="lmms-lab/DocVQA",
    revision="700643acd865ff3ede094825df884d69d4f7cc10",
    name="DocVQA",
    layout=Layout(
        columns=Columns(
            answers="answers",
            id="questionId",
            metadata=("question_types", "docId", "ucsf_document_id", "ucsf_document_page_no"),
        ),
        category="document",
        answer_kind="text",
        license="apache-2.0",
        optional=("question_types", "docId", "ucsf_document_id", "ucsf_document_page_no"),
    ),
)

# The same card, configuration InfographicVQA. The column `ocr` is left in the file.
INFOGRAPHICVQA = replace(
    DOCVQA,
    name="InfographicVQA",
    layout=replace(
        DOCVQA.layout,
        columns=Columns(
            answers="answers",
            id="questionId",
            metadata=("answer_type", "operation/reasoning", "image_url"),
        ),
        optional=("answer_type", "operation/reasoning", "image_url"),
    ),
)

# Card of a duplicate of lmms-lab/textvqa (pppop7/textvqa), and that of facebook/textvqa with the
# same columns less ocr_tokens. Ten answers a question, one an annotator. facebook/textvqa is a
# loading script, which current `datasets` does not run. License: card of facebook/textvqa.
TEXTVQA = Preset(
    dataset="lmms-lab/textvqa",
    layout=Layout(
        columns=Columns(
            answers="answers", id="question_id", metadata=("image_id", "image_classes")
        ),
        category="perception",
        answer_kind="text",
        license="cc-by-4.0",
        prepare=prepare.textvqa,
        reads=("question_id", "question", "image", "answers", "image_id", "image_classes"),
        optional=("image_id", "image_classes"),
    ),
)

# Files of craigwu/seal_vqa_data: JSON lists GQA_data.json, llava_focus_data.json,
# spatial_relation_data.json and vaw_attribute_data.json. Their keys were read in the authors'
# trainer (penghao-wu/vstar, LLaVA/llava/train/train_search.py: image, conversations, search,
# target_instances with name and bbox, the box as x, y, width, height in pixels) and in two
# programs that use question and answer of GQA_data. Image paths such as
# coco2017/train2017/x.jpg, coco2014/train2014/x.jpg and gqa/images/x.jpg. No license is declared.
VSTAR = Preset(
    dataset="craigwu/seal_vqa_data",
    revision="72f07263e9dd1dc5812a9ed4d8595f42cce7cf44",
    data_files="GQA_data.json",
    layout=Layout(
        columns=Columns(boxes="boxes", metadata=("targets",)),
        category="perception",
        license="not declared",
        box_format="xywh",
        prepare=prepare.vstar,
        reads=("image", "conversations", "question", "answer", "target_instances"),
        optional=("conversations", "question", "answer", "target_instances"),
    ),
)

# Files of MMInstruction/ArxivQA: arxivqa.jsonl and images.tgz, to be unpacked at image_root.
# Keys and their oddities (labels like "[B]" and "C) 0.3", separators among the options) were read
# in programs that load the pinned file. License: card.
ARXIVQA = Preset(
    dataset="MMInstruction/ArxivQA",
    revision="85a6dca0e2bdc6f0268ae519be8913f83a83cafd",
    data_files="arxivqa.jsonl",
    layout=Layout(
        columns=Columns(answer="label", options="options", metadata=("id", "rationale")),
        category="chart",
        answer_kind="choice",
        license="cc-by-sa-4.0",
        prepare=prepare.arxivqa,
        reads=("id", "image", "question", "options", "label", "rationale"),
        optional=("id", "rationale"),
    ),
)

# russwang/ThinkLite-VL-70k and, with the same columns, ThinkLite-VL-hard-11k: image (bytes),
# problem (beginning with <image>), answer, ground_truth, id, choices, as read by programs that
# load the pinned Parquet; the card itself and the type of choices were not seen. License: as a
# reader of the card noted it.
THINKLITE = Preset(
    dataset="russwang/ThinkLite-VL-70k",
    revision="5c86ea41d624e27e53002af47b8cf4538aa2c88f",
    layout=Layout(
        columns=Columns(question="problem", answer="gold", options="choices", metadata=("id",)),
        category="reason",
        license="mit",
        kind_of=prepare.exact_kind,
        prepare=prepare.thinklite,
        reads=("image", "problem", "answer", "ground_truth", "choices", "id"),
        optional=("answer", "ground_truth", "choices", "id"),
    ),
)

# Card of allenai/pixmo-count: image_url, image_sha256, count (int32), points, label. Images are
# links only: download them and keep each under its sha256 in image_root. License: card.
PIXMO_COUNT = Preset(
    dataset="allenai/pixmo-count",
    revision="ebf51cf70e45d12374e64d475862e4f8d21d31d0",
    layout=Layout(
        columns=Columns(answer="count", metadata=("image_url", "image_sha256", "label")),
        category="perception",
        license="odc-by",
        answer_kind="exact_number",
        prepare=prepare.pixmo_count,
        reads=("image_url", "image_sha256", "count", "label"),
        optional=("image_url",),
    ),
)

# README of manoja328/TallyQA_dataset: answer (integer), data_source, image, image_id, issimple,
# question, question_id, in the JSON lists train.json and test.json; image paths begin with a COCO
# or Visual Genome folder (VG_100K_2/2410408.jpg). No license is declared.
TALLYQA = Preset(
    dataset=None,
    layout=Layout(
        columns=Columns(metadata=("question_id", "image_id", "data_source", "issimple")),
        category="perception",
        license="not declared",
        answer_kind="exact_number",
        optional=("question_id", "image_id", "data_source", "issimple"),
    ),
)

# lmms-lab/FVQA (MMSearch-R1), fvqa_train.parquet at the revision below: prompt, images,
# reward_model, data_source, image_urls, data_id, category (search_free or search_required; the
# test file has none), listed by a program's report on the pinned file; inner types from the
# project's own mini_data.pq. candidate_answers is a list written as text. License: card.
FVQA = Preset(
    dataset="lmms-lab/FVQA",
    revision="bb4a4ff4c9c3fd0382d11f5d7fccd66d0b8428b5",
    layout=Layout(
        columns=Columns(
            question="prompt.-1.content",
            answers="answers",
            image=("images",),
            id="data_id",
            metadata=("search", "data_source"),
        ),
        category="search",
        answer_kind="text",
        license="apache-2.0",
        prepare=prepare.fvqa,
        reads=("prompt", "images", "reward_model", "data_id", "category", "data_source"),
        optional=("category", "data_source"),
    ),
)

PRESETS: Mapping[str, Preset] = {
    "arxivqa": ARXIVQA,
    "chartqa": CHARTQA,
    "docvqa": DOCVQA,
    "fvqa": FVQA,
    "infographicvqa": INFOGRAPHICVQA,
    "pixmo-count": PIXMO_COUNT,
    "tallyqa": TALLYQA,
    "textvqa": TEXTVQA,
    "thinklite-vl": THINKLITE,
    "vstar": VSTAR,
}


def get_preset(name: str) -> Preset:
    """The preset of a name; `RecipeError` names the nearest one for a name that is none."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"presets are {', '.join(PRESETS)}"
        raise RecipeError(f"preset {name!r} is unknown; {hint}")
    return PRESETS[name]


def preset_layout(name: str | None) -> Layout | None:
    """The layout of a preset; None for no preset."""
    return None if name is None else get_preset(name).layout
