"""Boards as Grafana reads them."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DynamicConfigValue, VariableOption

from dashboards.board import COLOURS, Board, Panel, Variable

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
COLUMNS = 24
HEIGHTS = {"number": 4}
HEIGHT = 8


def render(board: Board) -> str:
    """Return a dashboard's JSON: the same for the same board, to the byte."""
    made = dashboard.Dashboard(board.title).uid(board.uid).description(board.meaning).tags(["batchyard"])
    made = made.time("now-3h", "now").refresh("30s").timezone("browser").readonly()
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in board.variables:
        made.with_variable(_variable(variable))
    for title, panels in board.rows.items():
        made.with_row(dashboard.Row(title))
        for panel in panels:
            made.with_panel(_panel(panel, COLUMNS // len(panels)))
    return json.dumps(_numbered(JSONEncoder(sort_keys=True).encode(made.build())), indent=1, sort_keys=True) + "\n"


def _numbered(encoded: str) -> dict[str, Any]:
    """Number the panels, so that links to them stay good."""
    body: dict[str, Any] = json.loads(encoded)
    for number, panel in enumerate(body["panels"], 1):
        panel["id"] = number
    return body


def _variable(variable: Variable) -> dashboard.QueryVariable:
    query = f"label_values({variable.metric}, {variable.name})"
    made = dashboard.QueryVariable(variable.name).label(variable.name.capitalize()).datasource(SOURCE).query(query)
    everything = VariableOption(selected=True, text="All", value="$__all")
    return made.multi(True).include_all(True).all_value(".*").current(everything)


def _panel(panel: Panel, width: int) -> Any:
    made: Any = stat.Panel() if panel.form == "number" else timeseries.Panel()
    made = made.title(panel.title).description(panel.meaning).unit(panel.unit).datasource(SOURCE)
    made = made.height(HEIGHTS.get(panel.form, HEIGHT)).span(width)
    for letter, (expression, legend) in zip("ABCDEF", panel.queries, strict=False):
        query = prometheus.Dataquery().ref_id(letter).expr(expression).legend_format(legend).datasource(SOURCE)
        made.with_target(query.instant() if panel.form == "number" else query.range())
    return _number(made) if panel.form == "number" else _graph(made, stacks=panel.form == "stacked")


def _number(made: Any) -> Any:
    latest = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    return made.graph_mode(BigValueGraphMode.NONE).reduce_options(latest).decimals(None)


def _graph(made: Any, *, stacks: bool) -> Any:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    made = made.legend(legend.show_legend(True).calcs([])).tooltip(
        common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    )
    if stacks:
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    for name, colour in COLOURS.items():
        fixed = {"mode": "fixed", "fixedColor": colour}
        made.override_by_name(name, [DynamicConfigValue(id_val="color", value=fixed)])
    return made.line_width(1).show_points("never").span_nulls(False)
