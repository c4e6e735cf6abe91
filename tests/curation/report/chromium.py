"""The system's Chromium, driven by Playwright; the Makefile installs it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60
"""That anything may take on a busy machine before it counts as failed."""


def executable() -> str:
    """Where it lies; not to have it is a failure, never a test that is left out."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, "the report is tested in Chromium: `make browser` installs it"
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root has no user namespaces to make a sandbox of; the page is our own.
        started = playwright.chromium.launch(
            executable_path=executable(), args=["--no-sandbox"], timeout=SECONDS * 1000
        )
        with started:
            yield started


@contextmanager
def opened(
    browser: Browser, path: Path, *, scheme: str = "light", width: int = 1280
) -> Iterator[tuple[Page, list[str]]]:
    """A page and what it complained of: messages, errors, dialogs, and requests for anything that
    does not lie in it."""
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(SECONDS * 1000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.extend(foreign(request.url, path)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    with page:
        page.goto(path.as_uri())
        yield page, complaints


def foreign(url: str, path: Path) -> list[str]:
    return [] if url.startswith((path.as_uri(), "data:")) else [url]
