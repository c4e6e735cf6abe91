"""The images that a cell shows, from `plt.show()`, `show(image)` and a last expression."""

from __future__ import annotations

import io
import sys
import types

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from curation.sandbox.jail.pixels import to_rgb
from curation.sandbox.jail.wire import Pixels


class Gallery:
    """Collects what is shown until the cell ends; too much is an error of the cell."""

    def __init__(self, *, images: int, pixels: int) -> None:
        self._images = images
        self._pixels = pixels
        self._shown: list[Pixels] = []

    def install(self) -> None:
        """Routes the usual ways of showing an image here."""
        plt.show = self.show_figures
        Figure.show = lambda figure, *_, **__: self._keep(render(figure))  # type: ignore[method-assign]
        Image.Image.show = lambda image, *_, **__: self._keep(image)  # type: ignore[method-assign]
        # Models import `display` from IPython, which need not be there.
        package, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        vars(package).update(display=module)
        vars(module).update(display=self.display)
        sys.modules.update({"IPython": package, "IPython.display": module})

    def show_figures(self, *_: object, **__: object) -> None:
        """Every open figure once; DeepEyesV2's sandbox would show older ones again."""
        for number in plt.get_fignums():
            self._keep(render(plt.figure(number)))
        plt.close("all")

    def display(self, *values: object, **_: object) -> None:
        """Shows images, arrays of pixels and figures; prints anything else, as Jupyter does."""
        for value in values:
            if isinstance(value, np.ndarray):
                value = Image.fromarray(value)
            if not self.offer(value):
                print(value)

    def offer(self, value: object) -> bool:
        """Keeps the value if it is an image or a figure."""
        if isinstance(value, Figure):
            value = render(value)
        if not isinstance(value, Image.Image):
            return False
        self._keep(value)
        return True

    def take(self) -> tuple[Pixels, ...]:
        shown, self._shown = tuple(self._shown), []
        return shown

    def _keep(self, image: Image.Image) -> None:
        width, height = image.size
        left = self._pixels - sum(width * height for width, height, _ in self._shown)
        if not width or not height:
            raise ValueError("an image without pixels cannot be shown")
        if len(self._shown) == self._images:
            raise ValueError(f"a cell can show at most {self._images} images")
        if width * height > left:
            raise ValueError(
                f"a cell can show at most {self._pixels} pixels and the image of {width}x{height} "
                f"exceeds the {left} that are left: show a crop or a smaller copy"
            )
        self._shown.append((width, height, to_rgb(image).tobytes()))


def render(figure: Figure) -> Image.Image:
    """The figure as DeepEyesV2's sandbox saves it: tight box, the figure's own resolution."""
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight", pil_kwargs={"compress_level": 0})
    return Image.open(file)
