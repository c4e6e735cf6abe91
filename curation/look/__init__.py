"""A run as people look at it: images with boxes, charts, and cards of samples and rollouts.

What returns `str` returns HTML that is self-contained (images are data: URLs), runs no script, and
has everything escaped that came from data or from a model. Notebooks only call what is here.
"""

from curation.look.charts import bars, histograms
from curation.look.folder import run_path
from curation.look.pictures import boxed, outlined
from curation.look.rollouts import rollouts
from curation.look.samples import samples

__all__ = ["bars", "boxed", "histograms", "outlined", "rollouts", "run_path", "samples"]
