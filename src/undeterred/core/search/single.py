"""A search of one trial: one sample of the space, never replaced."""

from undeterred.core.search.method import Setup
from undeterred.core.search.random import RandomSearch


def single_search(setup: Setup) -> RandomSearch:
    """The strategy of `searcher.name: single`."""
    return RandomSearch(setup.book, 1, 1, replace_invalid=False, name="single")
