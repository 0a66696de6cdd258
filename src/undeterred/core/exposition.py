"""The text format that Prometheus reads."""

from collections.abc import Iterable, Mapping

from undeterred.base.struct import Struct


class Sample(Struct, frozen=True):
    """One number with its labels; `suffix` is added to the family's name (`_bucket`, `_sum`, `_count` of histograms)."""

    value: float
    labels: Mapping[str, str]
    suffix: str = ""


class Family(Struct, frozen=True):
    """Numbers of one meaning."""

    name: str
    kind: str
    """counter, gauge or histogram."""
    help: str
    samples: Iterable[Sample]


def gauge(name: str, help_: str, value: float, **labels: str) -> Family:
    """A family of a single gauge."""
    return Family(name, "gauge", help_, [Sample(value, labels)])


def text(families: Iterable[Family]) -> str:
    """The whole text."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escaped(family.help, quotes=False)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines.extend(f"{family.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}" for sample in family.samples)
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(value: str, *, quotes: bool = True) -> str:
    value = value.replace("\\", r"\\").replace("\n", r"\n")
    return value.replace('"', r"\"") if quotes else value


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
