"""Is a directory there while its owner lives, and gone afterwards whatever became of the owner?"""

from pathlib import Path

from plimsoll_testkit.scratch_directory import OWNER_LOCK, remove_abandoned, scratch_directory


def test_directory_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    with scratch_directory("plane-", tmp_path) as directory:
        (directory / "data").mkdir()
        (directory / "data" / "wal").write_text("x")

    assert list(tmp_path.iterdir()) == []


def test_directory_of_a_living_owner_is_never_removed(tmp_path: Path) -> None:
    with scratch_directory("plane-", tmp_path) as directory:
        remove_abandoned("plane-", tmp_path, settle_s=0.0)

        assert directory.exists()


def test_directory_whose_owner_is_dead_is_removed_by_the_next(tmp_path: Path) -> None:
    abandoned = tmp_path / "plane-dead"
    abandoned.mkdir()
    (abandoned / OWNER_LOCK).touch()

    remove_abandoned("plane-", tmp_path, settle_s=0.0)

    assert not abandoned.exists()


def test_directory_too_young_to_judge_or_without_a_lock_is_left_alone(tmp_path: Path) -> None:
    young = tmp_path / "plane-young"
    young.mkdir()
    (young / OWNER_LOCK).touch()
    foreign = tmp_path / "plane-foreign"
    foreign.mkdir()

    remove_abandoned("plane-", tmp_path, settle_s=60.0)
    remove_abandoned("plane-f", tmp_path, settle_s=0.0)

    assert young.exists()
    assert foreign.exists()
