"""Patterns of RE2 are read, others are refused with a reason."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.regex import compile_pattern
from undeterred.core.regex.charset import LAST, folded, negated, union


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("", ["", "x"], []),
        ("abc", ["xabcx"], ["ab", "aBc"]),
        (".*CUDA out of memory.*", ["RuntimeError: CUDA out of memory."], ["CUDA out of mem"]),
        ("a|bc|", ["", "zzz"], []),
        ("^(a|bc)$", ["a", "bc"], ["abc", "", "b"]),
        ("^a*b+c?$", ["b", "aabbc"], ["a", "bcc"]),
        ("^a{2}b{1,2}c{2,}$", ["aabcc", "aabbcccc"], ["abcc", "aabbbcc", "aabc"]),
        ("^a{,2}$", ["a{,2}"], ["aa"]),
        ("^a{x$", ["a{x"], ["a"]),
        ("^a+?b*?$", ["a", "aab"], ["b"]),
        (r"^\d+\s\w\D\S\W$", ["12 _xy!", "1\t9ab "], ["1 2 3"]),
        (r"^\w$", ["a", "_", "9"], ["é", "٣"]),
        ("^[a-c^x]$", ["b", "^", "x"], ["d", "-"]),
        ("^[^a-c]$", ["d", "é", "😀"], ["b", ""]),
        ("^[]a]$", ["]", "a"], ["b"]),
        ("^[a-]$", ["a", "-"], ["b"]),
        (r"^[\d\-\]]$", ["5", "-", "]"], ["a", "\\"]),
        ("^[[:alpha:][:digit:]]$", ["z", "5"], ["-", "é"]),
        ("^[[:^space:]]$", ["z"], [" "]),
        (r"^[\x41\x{1F600}]$", ["A", "😀"], ["B"]),
        (r"^\x{e9}\101\t$", ["éA\t"], ["eA\t"]),
        ("^.$", ["a", "😀"], ["\n", "", "ab"]),
        ("(?s)^.$", ["\n"], [""]),
        ("(?i)error", ["ERROR", "Error"], ["erro"]),
        ("(?i)^ÄÖ$", ["äö", "ÄÖ"], ["ao"]),
        ("(?i)^[^a]$", ["b"], ["A", "a"]),
        ("^(?i:a)b$", ["Ab", "ab"], ["aB"]),
        ("^(?:(?i)a)b$", ["Ab"], ["aB"]),
        ("^a(?i)b(?-i)c$", ["aBc"], ["aBC", "Abc"]),
        ("(?m)^b$", ["a\nb\nc", "b"], ["a\nbc"]),
        ("^b$", ["b"], ["a\nb", "b\n"]),
        (r"\Aa\z", ["a"], ["a\n", "ba"]),
        (r"\bcat\b", ["a cat.", "cat"], ["concat", "cat_", "cats"]),
        (r"\Bcat", ["concat"], ["cat", " cat"]),
        (r"^\Qa.b*\Ec$", ["a.b*c"], ["axbc"]),
        (r"^\Qa.b", ["a.bx"], ["axb"]),
        (r"^(?P<code>\d+)(?<name>x)$", ["1x"], ["x"]),
        (r"^\p{Lu}\pN\P{L}$", ["Ä٣!", "A1 "], ["a1!", "A1a"]),
        (r"^[\p{^Lu}]$", ["a"], ["A"]),
        (r"\.\*\(\)\[\]\{\}\|\\\/\-\"", ['.*()[]{}|\\/-"'], [".*"]),
        ("(a*)*", ["", "aaa"], []),
        ("^(a*)*b$", ["b", "aab"], ["a"]),
        ("^(|a)+$", ["", "aa"], ["b"]),
        (r"[^\x00-\x{10FFFF}]", [], ["a", ""]),
    ],
)
def test_meaning(pattern, matching, other):
    """Each row: a pattern, lines it is found in, lines it is not found in."""
    compiled = compile_pattern(pattern)
    assert [line for line in matching if not compiled.search(line)] == []
    assert [line for line in other if compiled.search(line)] == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "ends too early|a \\( without"),
        ("(a", r"a \( without its \)"),
        ("a)", r"a \) without its \("),
        ("[a", "too early"),
        ("[z-a]", "lower to a higher"),
        (r"[\d-z]", "lower to a higher"),
        ("[[:nope:]]", "classes are alnum"),
        ("*a", "nothing to repeat"),
        ("a|*", "nothing to repeat"),
        ("a**", "repetition of a repetition"),
        ("a{2}{3}", "repetition of a repetition"),
        ("a{1001}", "between 0 and 1000"),
        ("a{99999999999}", "between 0 and 1000"),
        ("a{3,2}", "between 0 and 1000"),
        ("(a{1000}){1000}", "too large"),
        (r"(a)\1", "back-reference"),
        ("a(?=b)", "look-around"),
        ("(?<!b)a", "look-around"),
        ("(?>a)", "unknown kind of group"),
        ("(?P<1x>a)", "group's name"),
        (r"\y", r"unknown escape \\y"),
        ("a\\", "too early"),
        (r"\x{110000}", "hexadecimal"),
        (r"\xg1", "hexadecimal"),
        (r"\p{Greek}", "character category"),
        ("(" * 101 + ")" * 101, "nested more than 100"),
        ("a" * 1001, "longer than 1000"),
    ],
)
def test_mistakes(pattern, message):
    """What RE2 does not know is refused with the place and the reason."""
    with pytest.raises(Invalid, match=message):
        compile_pattern(pattern)


def test_sets_of_characters():
    """Ranges join, opposites leave no gap, case folding adds the other case."""
    assert union([(5, 6), (1, 2), (3, 3), (6, 9)]) == ((1, 3), (5, 9))
    assert negated(((0, 4), (6, LAST))) == ((5, 5),)
    assert negated(()) == ((0, LAST),)
    assert folded(((0x41, 0x42), (0xE4, 0xE4))) == ((0x41, 0x42), (0x61, 0x62), (0xC4, 0xC4), (0xE4, 0xE4))
    assert folded(((0x61, LAST),)) == ((0x41, 0x5A), (0x61, LAST))
