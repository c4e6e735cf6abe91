"""The fork server: imports the imaging libraries once, then forks a session for each request.

It is started by the host inside bubblewrap, reads its settings from stdin, and gets one socket a
session over the control socket. It never reads what a session writes, so a session cannot
reach it; when the host goes, so does it.
"""

from __future__ import annotations

import base64
import gc
import importlib
import json
import os
import socket
import sys
import time
import traceback
from typing import NoReturn
from unittest import mock

from curation.sandbox.jail import linux, session
from curation.sandbox.jail.settings import Settings

LIBRARIES = (
    "PIL.ImageChops",
    "PIL.ImageDraw",
    "PIL.ImageEnhance",
    "PIL.ImageFilter",
    "PIL.ImageFont",
    "PIL.ImageOps",
    "PIL.ImageStat",
    "cv2",
    "matplotlib.patches",
    "matplotlib.pyplot",
    "numpy",
    "scipy.ndimage",
)
NO_HOST = 3
"""Exit code of a fork that found the host gone."""


def main() -> None:
    linux.fix_addresses()
    settings = json.load(sys.stdin)
    program = base64.b64decode(settings["filter"])
    limits = Settings(**settings["limits"])
    warm_up()
    with socket.socket(fileno=settings["control"]) as control:
        # The host stops everything here by the first process of the namespace.
        socket.send_fds(control, [b"!"], [os.pidfd_open(1)])
        listen(control, limits, program)


def warm_up() -> None:
    """Imports, draws one figure so that fonts are loaded, and makes the heap cheap to fork."""
    with mock.patch("threading.Timer"):
        # matplotlib would tell of a slow search for fonts from a thread, which makes it a matter of
        # luck where in memory things lie.
        for library in LIBRARIES:
            importlib.import_module(library)
    import cv2
    from matplotlib import pyplot as plt
    from PIL import Image

    from curation.sandbox.jail.gallery import render

    cv2.setNumThreads(1)
    Image.init()
    figure, axes = plt.subplots()
    axes.set_title("0")
    render(figure).load()
    plt.close(figure)
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a library started a thread, which makes forking unsafe")
    gc.collect()
    gc.freeze()


def listen(control: socket.socket, limits: Settings, program: bytes) -> None:
    """Starts sessions until the host is gone.

    Each comes from a fork that was made before it was asked for: it starts sooner, and always from
    the same memory, whatever came before. The order of some sets follows the addresses in it.
    """
    while True:
        child = fork()
        if child == 0:
            answer(control, limits, program)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == NO_HOST:
            return


def answer(control: socket.socket, limits: Settings, program: bytes) -> NoReturn:
    """Becomes the session that the host asks for next."""
    try:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            os._exit(NO_HOST)
        control.close()
        session.start(socket.socket(fileno=descriptors[0]), limits, program)
    except BaseException:
        traceback.print_exc()  # the host sees the session's link close
    os._exit(0)


def fork() -> int:
    """Forks, as soon as the kernel lets it."""
    while True:
        try:
            return os.fork()
        except OSError:
            traceback.print_exc()
            time.sleep(0.1)


if __name__ == "__main__":
    main()
