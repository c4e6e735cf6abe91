"""What presets compute from a row before its columns are looked up.

Each function gets a row and the image root and returns the columns that it adds or replaces.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from curation.sources.faults import RowFault
from curation.sources.image_values import read_inside
from curation.sources.layout import Cells, kind_of
from curation.sources.options import parse_list

_SEPARATOR = re.compile(r"-+|#{1,6}\s.*\bfigures?\b.*", re.IGNORECASE)
_FOCUS_LINE = re.compile(r"^Additional visual information to focus on:.*\n?", re.MULTILINE)
_MATH_SIGN = re.compile(r"[\d\\^=√π]")
_IMAGE_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".webp", ".gif")


def textvqa(cells: Cells, root: Path) -> Cells:
    """The commonest answer first, then those that three of the ten annotators gave.

    VQA accuracy is min(votes / 3, 1) (Antol et al. 2015): only these are fully right.
    """
    given = cells.get("answers")
    texts = [text for text in given if text] if isinstance(given, list) else []
    ranked = Counter(texts).most_common()
    return {"answers": [text for at, (text, votes) in enumerate(ranked) if at == 0 or votes >= 3]}


def vstar(cells: Cells, root: Path) -> Cells:
    """Question, answer and target boxes.

    GQA_data has question and answer of their own; the others keep them in the first two turns of a
    conversation, behind lines that name the targets for the authors' model.
    """
    targets = cells.get("target_instances")
    found = (
        [item for item in targets if isinstance(item, Mapping)] if isinstance(targets, list) else []
    )
    question = cells.get("question") or _turn(cells, "human")
    return {
        "question": _FOCUS_LINE.sub("", question) if isinstance(question, str) else question,
        "answer": cells.get("answer") or _turn(cells, "gpt"),
        "boxes": [item.get("bbox") for item in found],
        "targets": [item.get("name") for item in found],
    }


def _turn(cells: Cells, speaker: str) -> object:
    turns = cells.get("conversations")
    for turn in turns if isinstance(turns, list) else []:
        if isinstance(turn, Mapping) and turn.get("from") == speaker:
            return turn.get("value")
    return None


def arxivqa(cells: Cells, root: Path) -> Cells:
    """The options without the dividers and figure headings that stand among them.

    Labels count the options that are left.
    """
    options = cells.get("options")
    if not isinstance(options, list):
        return {}
    texts = [text.strip() for text in options if isinstance(text, str)]
    return {"options": [text for text in texts if text and not _SEPARATOR.fullmatch(text)]}


def thinklite(cells: Cells, root: Path) -> Cells:
    """`ground_truth` where it is filled, `answer` otherwise."""
    return {"gold": cells.get("ground_truth") or cells.get("answer")}


def exact_kind(answer: str) -> str:
    """Numbers and formulas are compared as mathematics: a tolerance of 5 % fits charts only."""
    kind = kind_of(answer)
    is_math = kind == "number" or (kind == "text" and _MATH_SIGN.search(answer))
    return "math" if is_math else kind


def pixmo_count(cells: Cells, root: Path) -> Cells:
    """A question of our own about the label, and the downloaded image if it is still the same."""
    label, digest = cells.get("label"), cells.get("image_sha256")
    if not isinstance(label, str) or not label.strip():
        raise RowFault("missing_question", "column 'label' names nothing to count; fill it in")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise RowFault("missing_image", f"image_sha256 is {digest!r}, no SHA-256; correct it")
    image = _by_digest(root, digest)
    if hashlib.sha256(image).hexdigest() != digest:
        raise RowFault(
            "image_changed",
            f"the file for image {digest} is not the annotated image; download it again, "
            "or remove the row if the link has changed",
        )
    return {"question": f"How many {label.strip()} are there in the image?", "image": image}


def _by_digest(root: Path, digest: str) -> bytes:
    for folder in ("", f"{digest[:2]}/"):
        for ending in _IMAGE_ENDINGS:
            if (root / f"{folder}{digest}{ending}").is_file():
                return read_inside(root, f"{folder}{digest}{ending}")
    raise RowFault(
        "missing_image",
        f"no file {digest} (.jpg, .png, ...) lies in {root}; download image_url, name the file "
        "by its SHA-256 and set image_root",
    )


def fvqa(cells: Cells, root: Path) -> Cells:
    """The gold answer with the candidates as its aliases, and whether a search is required."""
    reward = cells.get("reward_model")
    reward = reward if isinstance(reward, Mapping) else {}
    written = reward.get("candidate_answers") or []
    candidates = parse_list(written) if isinstance(written, str) else written
    if not isinstance(candidates, list):
        raise RowFault(
            "answer_type",
            f"candidate_answers is {str(written)[:80]!r}, not a list written as text; correct it",
        )
    gold = reward.get("ground_truth")
    return {"answers": [gold, *candidates] if gold else [], "search": cells.get("category")}
