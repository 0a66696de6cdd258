"""The random stream is numpy's RandomState."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.core.search import Rng

SEEDS = st.integers(0, 2**32 - 1)
DRAWS = st.lists(
    st.one_of(
        st.tuples(st.just("random_sample")),
        st.tuples(st.just("uniform"), st.floats(-10, 0), st.floats(0, 10)),
        st.tuples(st.just("bytes"), st.integers(1, 33)),
        st.tuples(st.just("randint"), st.integers(-100, 0), st.integers(1, 2**62)),
        st.tuples(
            st.just("randint"), st.just(0), st.sampled_from([1, 2, 255, 256, 257, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**62])
        ),
    ),
    max_size=40,
)


@given(SEEDS, DRAWS)
def test_same_draws_as_numpy(seed: int, draws: list[tuple]) -> None:  # type: ignore[type-arg]
    """For any seed and any mixture of draws the values equal numpy's, bit for bit."""
    numpy = pytest.importorskip("numpy")
    ours, theirs = Rng(seed), numpy.random.RandomState(seed)
    for name, *arguments in draws:
        assert getattr(ours, name)(*arguments) == getattr(theirs, name)(*arguments)


def test_known_values() -> None:
    """The first draws of seeds 0 and 7 are the published ones."""
    assert [Rng(0).random_sample(), Rng(7).random_sample()] == [0.5488135039273248, 0.07630828937395717]
    assert Rng(0).bytes(16).hex() == "ac0a7f8c2faac49775a616b7c0cc21d8"
    assert Rng(0).randint(0, 2**31) == 209652396


def test_over_two_rounds_of_the_generator() -> None:
    """The stream stays right after the generator has renewed its words several times."""
    numpy = pytest.importorskip("numpy")
    assert Rng(3).bytes(10_000) == numpy.random.RandomState(3).bytes(10_000)


@given(SEEDS, st.integers(0, 2000))
def test_snapshot_goes_on_exactly(seed: int, used: int) -> None:
    """A stream restored from JSON text continues with the same values."""
    one, other = Rng(seed), Rng(0)
    one.bytes(used)
    other.restore(json.loads(json.dumps(one.snapshot())))
    assert other.bytes(100) == one.bytes(100)


def test_request_ids_are_version_4_uuids() -> None:
    """A request id takes 16 bytes and is a version 4 uuid in lower case."""
    one, other = Rng(5), Rng(5)
    for _ in range(50):
        assert one.request_id() == str(uuid.UUID(bytes=other.bytes(16), version=4))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range(seed: int) -> None:
    """A seed is a 32-bit number."""
    with pytest.raises(Invalid, match="4294967295"):
        Rng(seed)


def test_empty_range() -> None:
    """An empty range of integers is refused."""
    with pytest.raises(ValueError):
        Rng(1).randint(3, 3)
