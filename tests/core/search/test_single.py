"""The search of one trial."""

from tests.core.search.helpers import config
from undeterred.core.search import Create, method_for


def test_a_sample_of_the_space() -> None:
    """The only trial is a sample like the first of a random search with the same seed."""
    (single,) = method_for(config("single", seed=3)).initial()
    first, *_ = method_for(config("random", seed=3, max_trials=4)).initial()
    assert isinstance(single, Create)
    assert isinstance(first, Create)
    assert (single.request_id, single.seed, single.hparams) == (first.request_id, first.seed, first.hparams)
