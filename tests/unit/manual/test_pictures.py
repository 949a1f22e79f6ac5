"""Do the pictures show what the commands print?"""

import pytest

from plimsoll_testkit.terminal_picture import FOLDER, PICTURES, Picture, draw


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.file)
def test_a_picture_is_as_it_would_be_drawn(picture: Picture) -> None:
    assert (FOLDER / picture.file).read_text() == draw(picture), "run `make generate` and commit docs/pictures"


def test_a_picture_asks_no_other_server_for_anything() -> None:
    drawn = "".join((FOLDER / picture.file).read_text() for picture in PICTURES)
    assert "url(" not in drawn.replace("url(#", "")


def test_no_picture_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {picture.file for picture in PICTURES}
