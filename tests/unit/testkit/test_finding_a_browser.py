"""A browser is found where it usually is, installed where that is allowed, and missed in words that help."""

from pathlib import Path

import pytest

from plimsoll_testkit.browser import BrowserMissing, Chromium


def _executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_named_one_comes_before_those_on_path(tmp_path: Path) -> None:
    own = _executable(tmp_path / "mine")
    _executable(tmp_path / "chromium")
    assert Chromium({"PATH": str(tmp_path), "PLIMSOLL_CHROMIUM": str(own)}, may_install=False).ensure() == own


def test_chromium_comes_before_chrome(tmp_path: Path) -> None:
    _executable(tmp_path / "google-chrome")
    assert Chromium({"PATH": str(tmp_path)}, may_install=False).ensure().name == "google-chrome"
    _executable(tmp_path / "chromium")
    assert Chromium({"PATH": str(tmp_path)}, may_install=False).ensure().name == "chromium"


def test_a_named_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BrowserMissing, match="PLIMSOLL_CHROMIUM is /nowhere, which cannot be executed"):
        Chromium({"PATH": str(tmp_path), "PLIMSOLL_CHROMIUM": "/nowhere"}, may_install=True).ensure()


def test_root_installs_the_distribution_s(tmp_path: Path) -> None:
    told, browser = tmp_path / "told", tmp_path / "chromium"
    install = f'[ "$1" = install ] && printf "#!/bin/sh\\n" > {browser} && /bin/chmod +x {browser}'
    _executable(tmp_path / "apt-get", f'#!/bin/sh\necho "$@" >> {told}\n{install}\nexit 0\n')
    assert Chromium({"PATH": str(tmp_path)}, may_install=True).ensure() == browser
    assert told.read_text() == "update\ninstall --yes --no-install-recommends chromium\n"


def test_an_installation_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    _executable(tmp_path / "apt-get", "#!/bin/sh\necho no such mirror >&2\nexit 100\n")
    with pytest.raises(BrowserMissing, match="`apt-get update` failed: no such mirror"):
        Chromium({"PATH": str(tmp_path)}, may_install=True).ensure()


def test_whoever_may_not_install_is_told_what_to_do(tmp_path: Path) -> None:
    _executable(tmp_path / "apt-get")
    with pytest.raises(BrowserMissing, match="apt-get install chromium\\), or set PLIMSOLL_CHROMIUM"):
        Chromium({"PATH": str(tmp_path)}, may_install=False).ensure()
