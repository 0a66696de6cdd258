"""What the tables of a project can show: columns, the ranges of metrics, values of metadata."""

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, given
from undeterred.core.filters.columns import Attribute, Column, Family, Table, listed, location_of
from undeterred.core.rights import Right
from undeterred.store import projects
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_TABLES = {
    None: Table.EXPERIMENTS,
    m.TableType.TABLE_TYPE_UNSPECIFIED: Table.EXPERIMENTS,
    m.TableType.TABLE_TYPE_EXPERIMENT: Table.EXPERIMENTS,
    m.TableType.TABLE_TYPE_RUN: Table.RUNS,
}


@operation("GetProjectColumns", needs=Right.VIEW_PROJECT)
async def get_project_columns(call: Call, req: m.GetProjectColumnsRequest) -> m.GetProjectColumnsResponse:
    """Columns of the experiments or runs of a project: those that every one has."""
    table = choose(_TABLES, given(req.table_type), "tableType")

    def load(tx: Tx) -> list[m.ProjectColumn]:
        _require(call, tx, req.id)
        return [_general(table, attribute) for attribute in listed(table)]

    return m.GetProjectColumnsResponse(columns=await call.read(load))


@operation("GetProjectNumericMetricsRange", needs=Right.VIEW_PROJECT)
async def get_metrics_range(call: Call, req: m.GetProjectNumericMetricsRangeRequest) -> m.GetProjectNumericMetricsRangeResponse:
    """Least and greatest value of each numeric metric in a project."""
    await call.read(lambda tx: _require(call, tx, req.id))
    return m.GetProjectNumericMetricsRangeResponse()


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
