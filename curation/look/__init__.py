"""A run as people look at it: figures, charts, images with boxes, cards of samples and rollouts.

`cards` and `facts` read the run; what is beside them shows what those read. Notebooks, the report
and the terminal call what is here. What is HTML is self-contained (images are data: URLs), runs no
script, and has everything escaped that came from data or from a model.
"""

from curation.look import facts, figures
from curation.look.folder import run_path
from curation.look.page import frame, rollouts, samples
from curation.look.pictures import boxed, outlined

__all__ = ["boxed", "facts", "figures", "frame", "outlined", "rollouts", "run_path", "samples"]
