"""Patterns match what Python's own expressions match, and no line makes them slow."""

import re
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from undeterred.core.regex import compile_pattern
from undeterred.core.regex.matcher import MAX_LINE

atoms = st.sampled_from(
    ["a", "b", "_", " ", ".", "[ab]", "[^a]", r"\w", r"\W", r"\d", r"\b", r"\B", "^", "$", "\n", "é", "(?i:A)"]
)
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: f"(?:{'|'.join(options)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)
lines = st.text("abAB_ 1\né", max_size=12)


@settings(max_examples=300)
@given(patterns, st.sampled_from(["", "(?i)", "(?s)", "(?m)"]), st.lists(lines, max_size=6))
def test_the_same_lines_match_as_in_python(pattern, flags, texts):
    """For what both languages share the answers agree, also after the pattern has seen other lines."""
    ours = compile_pattern(flags + pattern)
    # Python's $ also matches before a last line break; here it is the end, as in RE2.
    theirs = re.compile(flags + (pattern if flags == "(?m)" else pattern.replace("$", r"\Z")), re.ASCII)
    for text in texts:
        if text == "" and r"\B" in pattern:
            continue  # Python alone (before 3.14) finds no \B in an empty text
        assert ours.search(text) == (theirs.search(text) is not None)


def test_patterns_that_ruin_backtracking_end_at_once():
    """Nested and repeated repetitions on a long line that does not match take one step per character."""
    line = "a" * 60_000 + "!"
    for pattern in ("(a+)+$", "(a|aa)+$", ".*a.*a.*a.*b", "(.*)*x", "^(a?){50}a{50}$"):
        assert not compile_pattern(pattern).search(line)


def test_a_pattern_of_endless_states_is_given_up():
    """Each character brings a new set of steps: the search ends without a match instead of going on for minutes."""
    line = "".join("ab"[(number * number // 7) % 2] for number in range(60_000)) + "c"
    assert not compile_pattern("(?:a|b)*a(?:a|b){300}c").search(line)


def test_only_the_beginning_of_a_huge_line_is_searched():
    """What comes after the limit is not looked at."""
    pattern = compile_pattern("x[yz]")
    assert pattern.search("a" * (MAX_LINE - 2) + "xy")
    assert not pattern.search("a" * MAX_LINE + "xy")


def test_many_different_characters_do_not_fill_the_memory():
    """What was learned is forgotten at a limit, and the answers stay right."""
    pattern = compile_pattern("[^a]z$")
    for start in range(0x100, 0x100 + 40_000, 1_000):
        assert pattern.search("".join(map(chr, range(start, start + 1_000))) + "z")
    assert not pattern.search("az")


def test_threads_share_a_pattern():
    """Searching at the same time gives the same answers."""
    pattern = compile_pattern(r"\bid=\d+ (ok|failed)\b")
    texts = [f"line {number} id={number} {'ok' if number % 3 else 'okay'}" for number in range(2_000)]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: [pattern.search(text) for text in texts], range(4)):
            assert found == [number % 3 != 0 for number in range(2_000)]
