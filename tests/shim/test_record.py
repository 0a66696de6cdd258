"""Records of a task."""

from pathlib import Path

import pytest

from undeterred.shim import record


def test_a_record_is_read_back_and_replaced_whole(tmp_path: Path) -> None:
    """Nothing but the record itself stays in the folder."""
    path = str(tmp_path / record.EXIT)
    record.write(path, {"code": 1})
    record.write_at_last(path, {"code": 2})
    assert record.read(path) == {"code": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == [record.EXIT]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_what_is_no_record_reads_as_none(tmp_path: Path, text: str) -> None:
    """Missing, cut or foreign files are no record."""
    path = tmp_path / record.START
    assert record.read(str(path)) is None
    path.write_text(text)
    assert record.read(str(path)) is None


def test_a_failed_write_leaves_the_old_record(tmp_path: Path) -> None:
    """A value that cannot be written changes nothing."""
    path = str(tmp_path / record.EXIT)
    record.write(path, {"code": 1})
    with pytest.raises(OSError, match=r"\w"):
        record.write(str(tmp_path / "missing" / record.EXIT), {})
    assert record.read(path) == {"code": 1}


def test_the_last_record_of_a_removed_folder_is_given_up(tmp_path: Path) -> None:
    """Waiting for space ends when there is no folder any more."""
    record.write_at_last(str(tmp_path / "gone" / record.EXIT), {"code": 1})
    assert list(tmp_path.iterdir()) == []
