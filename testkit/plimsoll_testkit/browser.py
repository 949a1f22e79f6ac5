"""Where is a Chromium that shows pages to tests, and if nowhere, how is it had?

In: an environment. Out: the path of the browser. The order of search is ``$PLIMSOLL_CHROMIUM``, then the usual names on
``PATH``; on Debian and its kin root installs the distribution's own. Playwright drives it; a browser build of
Playwright's own is never downloaded.

    python -m plimsoll_testkit.browser     finds or installs it
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_VARIABLE = "PLIMSOLL_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
_INSTALL_S = 900.0
# Nothing in the background: a test machine may have no network, and the sandbox refuses to start for root.
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic",
)  # fmt: skip


class BrowserMissing(Exception):
    """No Chromium is to be had; the message says what to do."""


@dataclass(frozen=True)
class Chromium:
    """Finds or installs the browser for one environment."""

    environment: Mapping[str, str]
    may_install: bool
    """Whether packages may be installed here: root may."""

    def ensure(self) -> Path:
        """Path of the browser, installed where it was missing.

        Raises:
            BrowserMissing: it is nowhere, and could not be installed.
        """
        found = self.find()
        if found is None and self.may_install and self._on_path("apt-get"):
            self._install()
            found = self.find()
        if found is None:
            raise BrowserMissing(
                f"no Chromium on PATH (looked for {', '.join(_NAMES)}), so the report cannot be looked at. Install "
                f"Chromium or Chrome (Debian: apt-get install chromium), or set {_VARIABLE} to its executable"
            )
        return found

    def find(self) -> Path | None:
        """Where the browser already is."""
        own = self.environment.get(_VARIABLE)
        if own:
            if shutil.which(own) is None:
                raise BrowserMissing(f"{_VARIABLE} is {own}, which cannot be executed: correct or unset it")
            return Path(own)
        named = next(filter(None, map(self._on_path, _NAMES)), None)
        return named or next((place for place in _PLACES if place.is_file()), None)

    def _on_path(self, name: str) -> Path | None:
        found = shutil.which(name, path=self.environment.get("PATH", ""))
        return Path(found) if found else None

    def _install(self) -> None:
        environment = {**self.environment, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            done = subprocess.run(
                [str(self._on_path("apt-get")), *command],
                env=environment, capture_output=True, text=True, timeout=_INSTALL_S, check=False,
            )  # fmt: skip
            if done.returncode:
                raise BrowserMissing(
                    f"there is no Chromium here, and `apt-get {' '.join(command)}` failed: {done.stderr[-2000:]}"
                )


def ensure() -> Path:
    """Path of the browser in this process's environment, installed where it was missing."""
    return Chromium(os.environ, may_install=os.geteuid() == 0).ensure()


@contextmanager
def a_browser() -> Iterator["Browser"]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=ensure(), args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def main() -> int:
    """Say where the browser is; 1 when it cannot be had."""
    try:
        print(ensure())
    except BrowserMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
