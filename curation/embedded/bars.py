"""What the embedded model must reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that the model must reach."""

    name: str
    """One of `measure.figures`."""
    least: float
    says: str


BARS = (
    Bar("easy_vqa_direct", 0.90, "easy-VQA, direct: attempts right"),
    Bar("pages_never", 0.15, "charts and documents, direct: samples never right"),
    Bar("pages_always", 0.15, "charts and documents, direct: samples always right"),
    Bar("pages_sometimes", 0.30, "charts and documents, direct: samples sometimes right"),
    Bar("reading_crop", 0.85, "reading, direct on the evidence crop: attempts right"),
    Bar("grammar_code", 0.95, "DeepEyesV2 grammar followed to the answer"),
    Bar("grammar_zoom", 0.95, "DeepEyes grammar followed to the answer"),
    Bar("gain_code", 0.20, "reading, with python over direct: gain"),
    Bar("gain_lost_blank", 0.50, "share of that gain gone when observations are blank"),
)
