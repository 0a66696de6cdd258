"""Names of columns, as filters and sort orders use them, turned into typed columns.

Four families: attributes (a fixed list per table), hyperparameters (`hp.<dotted name>`), metrics
(`<group>.<metric>.<last|min|max|mean>`, groups being training, validation and any other) and, for runs, metadata
(`metadata.<dotted key>`).
"""

import enum
from collections.abc import Iterable

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.metrics.checks import TRAINING, VALIDATION


class Table(enum.Enum):
    """What is searched."""

    EXPERIMENTS = "experiments"
    RUNS = "runs"


class Family(enum.Enum):
    """Where the value of a column comes from."""

    ATTRIBUTE = "attribute"
    HYPERPARAMETER = "hyperparameter"
    METRIC = "metric"
    METADATA = "metadata"


class Kind(enum.Enum):
    """What the values of a column are; ANY is decided by each value (in sort orders, where no type is given)."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "true or false"
    LIST = "list"
    ANY = "any"


AGGREGATES = ("last", "min", "max", "mean")


class Column(Struct, frozen=True):
    """One column.

    `key` is what the store looks up: the name of an attribute, the dotted name of a hyperparameter or metadata value, or the
    name of a metric (then `group` and `aggregate` are set).
    """

    name: str
    family: Family
    kind: Kind
    key: str
    group: str = ""
    aggregate: str = ""


class Attribute(Struct, frozen=True):
    """A fixed column of a table, as clients list it."""

    name: str
    kind: Kind
    title: str
    wire_type: str = ""
    """The type word in the API where it differs from the kind: users are shown as text and compared by their number."""
    listed: bool = True
    sortable: bool = True
    empty: bool = True
    """Whether it can be asked for missing values."""

    @property
    def column_type(self) -> str:
        """`COLUMN_TYPE_...` of the API."""
        return f"COLUMN_TYPE_{self.wire_type or _WIRE_TYPES[self.kind]}"


_WIRE_TYPES = {
    Kind.TEXT: "TEXT",
    Kind.NUMBER: "NUMBER",
    Kind.DATE: "DATE",
    Kind.BOOLEAN: "UNSPECIFIED",
    Kind.LIST: "ARRAY",
    Kind.ANY: "UNSPECIFIED",
}


def _full(name: str, kind: Kind, title: str) -> Attribute:
    """An attribute that every row has."""
    return Attribute(name, kind, title, empty=False)


def _tags() -> Attribute:
    return Attribute("tags", Kind.LIST, "Tags", wire_type="TEXT", sortable=False)


def _user() -> Attribute:
    return Attribute("user", Kind.NUMBER, "User", wire_type="TEXT", empty=False)


_EXPERIMENTS: tuple[Attribute, ...] = (
    _full("id", Kind.NUMBER, "ID"),
    Attribute("name", Kind.TEXT, "Name"),
    Attribute("description", Kind.TEXT, "Description"),
    _tags(),
    _full("forkedFrom", Kind.NUMBER, "Forked"),
    _full("startTime", Kind.DATE, "Start time"),
    _full("duration", Kind.NUMBER, "Duration"),
    _full("numTrials", Kind.NUMBER, "Trial count"),
    _full("state", Kind.TEXT, "State"),
    Attribute("searcherType", Kind.TEXT, "Searcher"),
    Attribute("resourcePool", Kind.TEXT, "Resource pool"),
    _full("progress", Kind.NUMBER, "Progress"),
    _full("checkpointSize", Kind.NUMBER, "Checkpoint size"),
    _full("checkpointCount", Kind.NUMBER, "Checkpoints"),
    _user(),
    Attribute("searcherMetric", Kind.TEXT, "Searcher Metric"),
    _full("searcherMetricsVal", Kind.NUMBER, "Searcher Metric Value"),
    Attribute("externalExperimentId", Kind.TEXT, "External Experiment ID"),
    Attribute("externalTrialId", Kind.TEXT, "External Trial ID"),
    _full("archived", Kind.BOOLEAN, "Archived"),
    Attribute("endTime", Kind.DATE, "End time", listed=False, empty=False),
)
"""In experiments no number and no date can be asked for missing values: clients of the compatible API never could."""

_RUNS: tuple[Attribute, ...] = (
    _full("id", Kind.NUMBER, "Global Run ID"),
    Attribute("experimentDescription", Kind.TEXT, "Search Description"),
    _tags(),
    Attribute("forkedFrom", Kind.NUMBER, "Forked"),
    Attribute("startTime", Kind.DATE, "Start Time"),
    Attribute("endTime", Kind.DATE, "End Time"),
    Attribute("duration", Kind.NUMBER, "Duration"),
    _full("state", Kind.TEXT, "State"),
    Attribute("searcherType", Kind.TEXT, "Searcher"),
    Attribute("resourcePool", Kind.TEXT, "Resource Pool"),
    Attribute("checkpointSize", Kind.NUMBER, "Checkpoint Size"),
    Attribute("checkpointCount", Kind.NUMBER, "Checkpoints"),
    _user(),
    Attribute("searcherMetric", Kind.TEXT, "Searcher Metric"),
    Attribute("searcherMetricsVal", Kind.NUMBER, "Searcher Metric Value"),
    Attribute("externalExperimentId", Kind.TEXT, "External Experiment ID"),
    _full("projectId", Kind.NUMBER, "Project ID"),
    Attribute("externalRunId", Kind.TEXT, "External Run ID"),
    Attribute("experimentProgress", Kind.NUMBER, "Search Progress"),
    Attribute("experimentId", Kind.NUMBER, "Search ID"),
    Attribute("experimentName", Kind.TEXT, "Search Name"),
    _full("isExpMultitrial", Kind.BOOLEAN, "Part of Search"),
    _full("parentArchived", Kind.BOOLEAN, "Parent Archived"),
    Attribute("localId", Kind.TEXT, "Run ID"),
    _full("archived", Kind.BOOLEAN, "Archived"),
)

ATTRIBUTES: dict[Table, dict[str, Attribute]] = {
    Table.EXPERIMENTS: {one.name: one for one in _EXPERIMENTS},
    Table.RUNS: {one.name: one for one in _RUNS},
}
"""Table -> name -> attribute, in the order in which clients list them."""

_PREFIXES = {Family.HYPERPARAMETER: "hp.", Family.METADATA: "metadata."}
_LOCATIONS: dict[str, tuple[Family, str]] = {
    "LOCATION_TYPE_EXPERIMENT": (Family.ATTRIBUTE, ""),
    "LOCATION_TYPE_RUN": (Family.ATTRIBUTE, ""),
    "LOCATION_TYPE_HYPERPARAMETERS": (Family.HYPERPARAMETER, ""),
    "LOCATION_TYPE_RUN_HYPERPARAMETERS": (Family.HYPERPARAMETER, ""),
    "LOCATION_TYPE_VALIDATIONS": (Family.METRIC, VALIDATION),
    "LOCATION_TYPE_TRAINING": (Family.METRIC, TRAINING),
    "LOCATION_TYPE_CUSTOM_METRIC": (Family.METRIC, ""),
    "LOCATION_TYPE_RUN_METADATA": (Family.METADATA, ""),
}


def listed(table: Table) -> Iterable[Attribute]:
    """The attributes that clients offer as columns."""
    return (one for one in ATTRIBUTES[table].values() if one.listed)


def location_of(table: Table, column: Column) -> str:
    """`LOCATION_TYPE_...` of a column in the API."""
    runs = table is Table.RUNS
    if column.family is Family.ATTRIBUTE:
        return "LOCATION_TYPE_RUN" if runs else "LOCATION_TYPE_EXPERIMENT"
    if column.family is Family.HYPERPARAMETER:
        return "LOCATION_TYPE_RUN_HYPERPARAMETERS" if runs else "LOCATION_TYPE_HYPERPARAMETERS"
    if column.family is Family.METADATA:
        return "LOCATION_TYPE_RUN_METADATA"
    known = {TRAINING: "LOCATION_TYPE_TRAINING", VALIDATION: "LOCATION_TYPE_VALIDATIONS"}
    return known.get(column.group, "LOCATION_TYPE_CUSTOM_METRIC")


def metric_column(group: str, metric: str, aggregate: str, kind: Kind = Kind.ANY) -> Column:
    """The column of one number (or the last value) of a metric's summary."""
    return Column(f"{group}.{metric}.{aggregate}", Family.METRIC, kind, metric, group, aggregate)


def resolve(table: Table, name: str, location: str | None = None) -> Column:
    """The column that a name means; without a location the name alone decides, attributes first.

    Raises Invalid for a name that is none, or is none at that location.
    """
    if location in (None, "", "LOCATION_TYPE_UNSPECIFIED"):
        found = _guess(table, name)
    elif location in _LOCATIONS:
        family, group = _LOCATIONS[location]
        found = _in_family(table, family, name)
        if found is not None and group and found.group != group:
            found = None
    else:
        raise Invalid(f"unknown location {location[:64]!r}; locations are {', '.join(_LOCATIONS)}")
    if found is None:
        raise Invalid(f"{table.value} have no column {name[:100]!r}; columns are {allowed(table)}")
    return found


def allowed(table: Table) -> str:
    """The columns of a table in words, for messages."""
    words = [*ATTRIBUTES[table], "hp.<hyperparameter>", "<metric group>.<metric>.<last|min|max|mean>"]
    return ", ".join(words + (["metadata.<key>"] if table is Table.RUNS else []))


def _guess(table: Table, name: str) -> Column | None:
    for family in (Family.ATTRIBUTE, Family.HYPERPARAMETER, Family.METADATA, Family.METRIC):
        found = _in_family(table, family, name)
        if found is not None:
            return found
    return None


def _in_family(table: Table, family: Family, name: str) -> Column | None:
    if family is Family.ATTRIBUTE:
        attribute = ATTRIBUTES[table].get(name)
        return None if attribute is None else Column(name, family, attribute.kind, name)
    if family is Family.METRIC:
        return _metric(name)
    if family is Family.METADATA and table is not Table.RUNS:
        return None
    key = name.removeprefix(_PREFIXES[family])
    return Column(name, family, Kind.ANY, key) if key and key != name else None


def _metric(name: str) -> Column | None:
    group, _, rest = name.partition(".")
    metric, _, aggregate = rest.rpartition(".")
    return metric_column(group, metric, aggregate) if group and metric and aggregate in AGGREGATES else None
