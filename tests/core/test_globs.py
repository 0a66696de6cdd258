"""Which paths a glob means."""

import glob
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.core.globs import MOST, check_globs, matching

PATHS = ["a.bin", "b.txt", ".hidden", "dir/", "dir/a.bin", "dir/.h", "dir/sub/", "dir/sub/deep.bin", "d2/", "d2/a.bin"]


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["a.bin"], {"a.bin"}),
        (["*.bin"], {"a.bin"}),
        (["*"], {"a.bin", "b.txt", "dir/", "dir/a.bin", "dir/.h", "dir/sub/", "dir/sub/deep.bin", "d2/", "d2/a.bin"}),
        (["**/*.bin"], {"a.bin", "dir/a.bin", "dir/sub/deep.bin", "d2/a.bin"}),
        (["dir"], {"dir/", "dir/a.bin", "dir/.h", "dir/sub/", "dir/sub/deep.bin"}),
        (["dir/"], {"dir/", "dir/a.bin", "dir/.h", "dir/sub/", "dir/sub/deep.bin"}),
        (["./dir/*"], {"dir/a.bin", "dir/sub/", "dir/sub/deep.bin"}),
        (["d?/a.[bc]in"], {"d2/a.bin"}),
        ([".*"], {".hidden"}),
        (["nothing", "b*"], {"b.txt"}),
        (["**/*"], set(PATHS)),
        (["**"], set(PATHS)),
        ([], set()),
        (["["], set()),
    ],
)
def test_globs_mean_what_a_shell_means(globs: list[str], expected: set[str]) -> None:
    """Wildcards do not match a leading dot or a slash; a folder means all that is in it; `**/*` everything."""
    assert matching(PATHS, globs) == expected


_names = st.text(alphabet="ab.*?", min_size=1, max_size=3)
_glob = st.lists(st.one_of(st.just("**"), _names), min_size=1, max_size=3).map("/".join).filter(lambda text: ".." not in text)
_path = st.lists(st.text(alphabet="ab.", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@settings(max_examples=150, deadline=None)
@given(st.sets(_path.filter(lambda text: set(text.split("/")).isdisjoint({".", ".."})), max_size=6), _glob)
def test_matches_are_those_of_the_standard_library(paths: set[str], one: str) -> None:
    """On a real folder the same files remain after the removal of what `glob.glob` finds (but for `**/*`, which spares none)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in sorted(paths):
            if any((root / parent).is_file() for parent in Path(path).parents) or (root / path).exists():
                continue
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        matches = glob.glob(f"{glob.escape(folder)}/{one}", recursive=True)
        found = [Path(match) for match in matches if os.path.exists(match)]  # "file/" is no file
        expected = {path for path in there if any(root / path == match or match in (root / path).parents for match in found)}
    if one not in ("**/*",):
        assert matching(there, [one]) == expected


@pytest.mark.parametrize("bad", ["", "../x", "a/../b", "..", "/etc/*", "a\\..\\b", "x" * 1001, "a\0b"])
def test_globs_that_lead_out_are_refused(bad: str) -> None:
    """Nothing outside of the checkpoint is ever meant."""
    with pytest.raises(Invalid):
        check_globs(["ok", bad])


def test_as_many_as_allowed() -> None:
    """A list of globs has an end."""
    assert len(check_globs(["a"] * MOST)) == MOST
    with pytest.raises(Invalid):
        check_globs(["a"] * (MOST + 1))
