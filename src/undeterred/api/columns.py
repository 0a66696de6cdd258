"""What the tables of a project can show: columns, the ranges of metrics, values of metadata."""

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, given
from undeterred.core.filters.columns import Attribute, Column, Family, Kind, Table, listed, location_of
from undeterred.core.filters.values import CellKind, Form, family_of
from undeterred.core.rights import Right
from undeterred.store import projects, run_values
from undeterred.store.database import Tx
from undeterred.store.run_values import Found
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double

_TABLES = {
    None: Table.EXPERIMENTS,
    m.TableType.TABLE_TYPE_UNSPECIFIED: Table.EXPERIMENTS,
    m.TableType.TABLE_TYPE_EXPERIMENT: Table.EXPERIMENTS,
    m.TableType.TABLE_TYPE_RUN: Table.RUNS,
}


@operation("GetProjectColumns", needs=Right.VIEW_PROJECT)
async def get_project_columns(call: Call, req: m.GetProjectColumnsRequest) -> m.GetProjectColumnsResponse:
    """Columns of the experiments or runs of a project: those that every one has, then those of which there are values."""
    table = choose(_TABLES, given(req.table_type), "tableType")

    def load(tx: Tx) -> list[m.ProjectColumn]:
        _require(call, tx, req.id)
        ours = run_values.RUNS if table is Table.RUNS else run_values.EXPERIMENTS
        found = run_values.summarize(tx, ours, req.id)
        if table is Table.EXPERIMENTS:
            found |= {
                key: one for key, one in run_values.summarize(tx, run_values.RUNS, req.id).items() if _is(key, Family.METRIC)
            }
        made = [_valued(table, key, found[key]) for key in sorted(found, key=_place)]
        return [_general(table, attribute) for attribute in listed(table)] + made

    return m.GetProjectColumnsResponse(columns=await call.read(load))


@operation("GetProjectNumericMetricsRange", needs=Right.VIEW_PROJECT)
async def get_metrics_range(call: Call, req: m.GetProjectNumericMetricsRangeRequest) -> m.GetProjectNumericMetricsRangeResponse:
    """Least and greatest value of each numeric metric in the runs of a project, and of their searchers' metrics."""

    def load(tx: Tx) -> list[m.MetricsRange]:
        _require(call, tx, req.id)
        found = run_values.summarize(tx, run_values.RUNS, req.id)
        ranges = [
            m.MetricsRange(metrics_name=family_of(key)[1], min=Double(one.low), max=Double(one.high))
            for key, one in sorted(found.items())
            if _is(key, Family.METRIC) and one.low is not None and one.high is not None
        ]
        low, high = projects.metric_range(tx, req.id)
        if low is not None and high is not None:
            ranges.append(m.MetricsRange(metrics_name="searcherMetricsVal", min=Double(low), max=Double(high)))
        return ranges

    return m.GetProjectNumericMetricsRangeResponse(ranges=await call.read(load))


@operation("GetMetadataValues", needs=Right.VIEW_PROJECT)
async def get_metadata_values(call: Call, req: m.GetMetadataValuesRequest) -> m.GetMetadataValuesResponse:
    """The different texts that the runs of a project have under a key of their metadata (dotted for nested ones)."""

    def load(tx: Tx) -> list[str]:
        _require(call, tx, req.project_id)
        return projects.metadata_texts(tx, req.project_id, req.key)

    return m.GetMetadataValuesResponse(values=await call.read(load))


def _require(call: Call, tx: Tx, project_id: int) -> None:
    row = projects.get(tx, project_id)
    missing = f"project {project_id} not found"
    call.require(tx, Right.VIEW_PROJECT, workspace=row.workspace_id, owner=row.user_id, missing=missing)


def _general(table: Table, attribute: Attribute) -> m.ProjectColumn:
    column = Column(attribute.name, Family.ATTRIBUTE, attribute.kind, attribute.name)
    return m.ProjectColumn(
        column=attribute.name,
        location=m.LocationType(location_of(table, column)),
        type=m.ColumnType(attribute.column_type),
        display_name=attribute.title,
    )


def _is(key: str, family: Family) -> bool:
    return family_of(key)[0] is family


def _place(key: str) -> tuple[int, str]:
    """Hyperparameters first, then metrics, then metadata, each by name."""
    family, name = family_of(key)
    return (Family.HYPERPARAMETER, Family.METRIC, Family.METADATA).index(family), name


def _valued(table: Table, key: str, found: Found) -> m.ProjectColumn:
    family, name = family_of(key)
    prefix = {Family.HYPERPARAMETER: "hp.", Family.METADATA: "metadata.", Family.METRIC: ""}[family]
    group = name.partition(".")[0] if family is Family.METRIC else ""
    column = Column(prefix + name, family, _kind(family, found), name, group)
    return m.ProjectColumn(
        column=column.name,
        location=m.LocationType(location_of(table, column)),
        type=m.ColumnType(f"COLUMN_TYPE_{_WIRE_TYPES[column.kind]}"),
    )


_NUMBERS = frozenset((CellKind.NUMBER, CellKind.NAN))
_WIRE_TYPES = {Kind.NUMBER: "NUMBER", Kind.DATE: "DATE", Kind.TEXT: "TEXT", Kind.LIST: "ARRAY", Kind.ANY: "UNSPECIFIED"}


def _kind(family: Family, found: Found) -> Kind:
    """What all values of a column are; texts among numbers make it text, anything else is left open.

    Several values are a list in metadata, and left open as choices of a hyperparameter.
    """
    if Form.MEMBER in found.forms:
        return Kind.LIST if family is Family.METADATA else Kind.ANY
    if found.kinds <= _NUMBERS:
        return Kind.NUMBER
    if found.kinds == {CellKind.DATE}:
        return Kind.DATE
    return Kind.TEXT if CellKind.TEXT in found.kinds else Kind.ANY
