"""The text format that Prometheus reads."""

from undeterred.core.exposition import Family, Sample, gauge, text


def test_values_and_labels_are_written_as_they_are_read() -> None:
    """Whole numbers without a point; quotes, backslashes and line ends escaped; suffixes of histograms."""
    families = [
        Family("a", "counter", 'help "x"\n', [Sample(1.0, {"l": 'q"\\\n'}), Sample(0.5, {}, "_sum")]),
        gauge("b", "h", 3, k="v"),
    ]
    assert text(families) == (
        '# HELP a help "x"\\n\n# TYPE a counter\na{l="q\\"\\\\\\n"} 1\na_sum 0.5\n# HELP b h\n# TYPE b gauge\nb{k="v"} 3\n'
    )
