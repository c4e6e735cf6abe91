"""From a fork of the server to an isolated session that runs cells."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Sequence

from matplotlib import image as mpl_image
from PIL import Image

from curation.sandbox.jail import linux, wire
from curation.sandbox.jail.gallery import Gallery
from curation.sandbox.jail.pixels import to_rgb
from curation.sandbox.jail.settings import Settings
from curation.sandbox.jail.shell import Shell

WORK = "/work"


def start(link: socket.socket, settings: Settings, program: bytes) -> None:
    """Runs in a fork of the server: hands an isolated child over to the host.

    Returns in the parent only; the child serves until the host is gone, which raises EOFError.
    """
    room = linux.address_space() + settings.memory
    # When memory runs out the kernel takes sessions first, never the server or the host.
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    linux.unshare()
    child = os.fork()
    if child == 0:
        confine(link, settings, room, program)
        serve(link.fileno(), settings)
    handle = os.pidfd_open(child)
    # The host kills by this handle: the child is the first process of its namespace, and the
    # kernel ends everything in the namespace with it.
    socket.send_fds(link, [b"!"], [handle])


def confine(link: socket.socket, settings: Settings, room: int, program: bytes) -> None:
    """Gives up everything but the private folder, the link and the read-only libraries."""
    # A signal to the own process group crosses namespaces: the server's must not be the own.
    os.setsid()
    linux.mount_tmpfs(WORK, f"size={settings.disk},nr_inodes={settings.inodes},mode=0700")
    linux.mount_tmpfs("/proc", "size=4k,nr_inodes=1,mode=0555", read_only=True)
    linux.freeze_devices()
    os.chdir(WORK)
    close_all_but(link.fileno())
    for name, value in (
        ("RLIMIT_AS", room),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_CPU", math.ceil(settings.session_seconds) + 1),
        ("RLIMIT_FSIZE", settings.disk),
        ("RLIMIT_MEMLOCK", 0),
        ("RLIMIT_MSGQUEUE", 0),
        ("RLIMIT_NOFILE", settings.open_files),
        ("RLIMIT_NPROC", settings.threads),
        ("RLIMIT_SIGPENDING", 64),
    ):
        linux.limit(name, value)
    linux.drop_capabilities()
    linux.forbid_dumps()
    linux.install_filter(program)


def close_all_but(kept: int) -> None:
    """Closes every other descriptor and points the standard streams at nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, kept)
    os.closerange(kept + 1, 4096)


def serve(link: int, settings: Settings) -> None:
    """Answers cells until the host closes the link."""
    gallery = Gallery(images=settings.images, pixels=settings.pixels)
    gallery.install()
    read_by_content()
    shell = Shell(text=settings.text, traceback=settings.traceback, gallery=gallery)
    seed, images = wire.read_opening(link)
    shell.seed(seed)
    wire.write_all(link, wire.pack_reply(load(shell, images)))
    while True:
        wire.write_all(link, wire.pack_reply(shell.run(wire.read_cell(link))))


def read_by_content() -> None:
    """Lets matplotlib read `image_1.png` when it holds a JPEG: by itself it trusts the name."""
    read = mpl_image.imread

    def imread(file: str, format: str | None = None) -> object:
        if format is None:
            with Image.open(file) as image:
                format = str(image.format).lower()
        return read(file, format)

    mpl_image.imread = imread  # type: ignore[assignment]


def load(shell: Shell, images: Sequence[bytes]) -> wire.Reply:
    """Puts `image_1`, `image_2`... into the cells' names and into the work folder."""
    for number, encoded in enumerate(images, 1):
        name = f"image_{number}"
        try:
            with open(name, "wb") as file:
                file.write(encoded)
            os.symlink(name, f"{name}.png")
            with Image.open(name) as image:
                shell.add({name: to_rgb(image).copy()})
        except Exception as error:
            return wire.Reply(
                stderr=f"image {number} cannot be loaded: {type(error).__name__}: {error}"
            )
    return wire.Reply()
