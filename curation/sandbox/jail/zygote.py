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
import signal
import socket
import sys
import traceback

from curation.sandbox.jail import session
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


def main() -> None:
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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            return
        with socket.socket(fileno=descriptors[0]) as link:
            if fork() == 0:
                control.close()
                run_session(link, limits, program)


def fork() -> int:
    """Forks; where the kernel refuses, the host sees the session's link close instead."""
    try:
        return os.fork()
    except OSError:
        traceback.print_exc()
        return -1


def run_session(link: socket.socket, limits: Settings, program: bytes) -> None:
    try:
        session.start(link, limits, program)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
