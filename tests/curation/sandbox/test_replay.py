"""Replays: recorded cells, run again in new sessions of a new fork server, give the same bytes."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import textwrap
from collections.abc import Sequence

import pytest
from PIL import Image

from curation.sandbox import CellResult, Sandbox
from tests.curation.sandbox.conftest import LIMITS

pytestmark = pytest.mark.timeout(300)

SAMPLES = 20
CELLS = [
    "show(image_1.crop(({n}, {n}, 40 + {n}, 30 + {n})))",
    "show(image_1.crop(({n}, 0, 20 + {n}, 20)).resize((80, 60), Image.LANCZOS))",
    "show(image_2.rotate({n} * 7 + 3, expand=True, resample=Image.BICUBIC))",
    """
    from PIL import ImageDraw, ImageFont
    marked = image_1.copy()
    draw = ImageDraw.Draw(marked)
    draw.rectangle((5, 5, 20 + {n}, 25), outline='lime', width=2)
    draw.text((8, 8), 'box {n}', fill='white', font=ImageFont.load_default(12))
    marked
    """,
    """
    from PIL import ImageEnhance, ImageFilter, ImageOps
    ImageOps.autocontrast(ImageEnhance.Sharpness(image_1).enhance(2 + {n})).show()
    image_2.filter(ImageFilter.GaussianBlur(1 + {n} / 9)).show()
    """,
    """
    import cv2
    grey = cv2.cvtColor(cv2.imread('image_1.png'), cv2.COLOR_BGR2GRAY)
    edges = cv2.Canny(cv2.GaussianBlur(grey, (5, 5), 1 + {n} / 9), 20, 60)
    contours, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    show(edges)
    len(contours), int(edges.sum())
    """,
    "cv2.kmeans(np.float32(image_2).reshape(-1, 3), 3, None, (3, 9, 1), 2, 0)",
    "noise = np.empty((16, 16, 3), 'u1'); cv2.randu(noise, 0, 256); show(noise)",
    "plt.plot(np.cumsum(np.random.randn(40))); plt.title('walk {n}'); plt.show()",
    """
    figure, axes = plt.subplots(1, 2, figsize=(4, 2))
    axes[0].hist(np.asarray(image_1).ravel(), bins=16)
    axes[1].imshow(image_2)
    plt.tight_layout()
    plt.show()
    """,
    "plt.bar(['a', 'b'], [{n}, 2]); plt.ylabel(r'$\\\\frac{{x}}{{{n}}}$'); plt.gcf()",
    "np.random.rand(4), np.random.default_rng().random(3), np.random.default_rng({n}).integers(99)",
    "import random\nrandom.random(), random.sample(range(100), 5), random.choice('abc')",
    "print({{'red', 'green', 'blue', 'a{n}', None, int, str, 1.5}})",
    "print({{str(x): x for x in np.random.permutation(9).tolist()}}, set('re{n}'), hash('x{n}'))",
    """
    class Thing: pass
    things = [Thing() for _ in range(9)]
    print([things.index(thing) for thing in set(things)])
    """,
    "print(object(), Thing(), print, np.random, lambda: 0, image_1)",
    "[id(x) % 4096 for x in things]",
    "import datetime, time\ndatetime.datetime.fromtimestamp(86400 * {n}), time.tzname",
    "import os, sys\nos.listdir(), os.getpid(), os.getcwd(), sorted(os.environ), sys.argv",
    "import platform, locale\nplatform.python_version(), locale.getlocale(), np.__version__",
    """
    from scipy import ndimage
    labels, count = ndimage.label(np.asarray(image_1.convert('L')) > 100 + {n})
    count, ndimage.center_of_mass(labels), np.linalg.svd(np.random.rand(9, 9))[1]
    """,
    "np.einsum('ij,jk->ik', np.random.rand(60, 60), np.random.rand(60, 60)).sum()",
    "1 / ({n} - {n})",
    "undefined_{n}",
    "import warnings\nwarnings.warn('w{n}')\nimport tempfile, glob\nglob.glob('*')",
    "open('notes.txt', 'a').write('{n}\\\\n' * 3)\nopen('notes.txt').read()",
]


def picture(number: int, kind: str) -> bytes:
    gradient = Image.linear_gradient("L").resize((96 + number, 72))
    channels = (gradient, gradient.rotate(90 + number), gradient.point(lambda v: 255 - v))
    file = io.BytesIO()
    Image.merge("RGB", channels).save(file, kind)
    return file.getvalue()


async def observe(sandbox: Sandbox, number: int) -> list[CellResult]:
    """Everything that the cells of one sample give, without the time that they took."""
    images = [picture(number, "JPEG"), picture(number + 1, "PNG")]
    async with await sandbox.open(images, seed=number) as session:
        cells = [textwrap.dedent(cell).format(n=number).replace("\\\\", "\\") for cell in CELLS]
        results = [await session.run(cell, timeout=60) for cell in cells]
    return [dataclasses.replace(result, seconds=0.0) for result in results]


async def observe_all(numbers: Sequence[int]) -> list[list[CellResult]]:
    async with Sandbox(LIMITS, sessions=4) as sandbox:
        return await asyncio.gather(*[observe(sandbox, number) for number in numbers])


async def test_five_hundred_cells_give_the_same_bytes_again() -> None:
    numbers = range(SAMPLES)
    recorded = await observe_all(numbers)
    cells = [result for results in recorded for result in results]
    assert len(cells) >= 500
    assert sum(len(result.images) for result in cells) >= 200
    assert {result.status for result in cells} == {"ok", "error"}
    assert sum(result.status == "error" for result in cells) == 2 * SAMPLES
    # In another order, in other company.
    replayed = (await observe_all(numbers[::-1]))[::-1]
    for first, second in zip(recorded, replayed, strict=True):
        for cell, before, after in zip(CELLS, first, second, strict=True):
            assert after == before, cell
