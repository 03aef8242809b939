"""The frame of a dashboard: rows of panels on a grid of 24 columns, variables, and links to all the others."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardDashboardTemplating,
    DashboardDashboardTime,
    DashboardLink,
    DashboardLinkType,
    GridPos,
    Panel,
    RowPanel,
    TimePickerConfig,
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
    VariableType,
)

from grafana.builder.queries import DATABASE, METRICS

COLUMNS = 24
TAG = "plumbline"
_ALL = VariableOption(True, ["All"], ["$__all"])
RUNBOOK = 1000  # the id of the panel of the pipeline's dashboard that shows the runbook
RUNBOOK_URL = f"/d/plumbline-pipeline?viewPanel={RUNBOOK}"


@dataclass(frozen=True)
class Row:
    """A heading, and the panels below it from left to right."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = False


@dataclass(frozen=True)
class Board:
    """One dashboard; `name` is its file's, and with the prefix plumbline- its uid."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[VariableModel] = ()
    begin: str = "now-1h"
    refresh: str = "10s"
    links: Sequence[DashboardLink] = field(default_factory=tuple)

    def text(self) -> str:
        """The JSON that Grafana reads."""
        return json.dumps(self.build(), cls=JSONEncoder, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def build(self) -> Dashboard:
        """The whole of it in Grafana's own model."""
        return Dashboard(
            uid=f"plumbline-{self.name}",
            title=self.title,
            description=self.description,
            tags=[TAG],
            timezone="utc",
            editable=False,
            graph_tooltip=DashboardCursorSync.CROSSHAIR,
            time=DashboardDashboardTime(self.begin, "now"),
            timepicker=TimePickerConfig(refresh_intervals=["5s", "10s", "30s", "1m", "5m", "15m"]),
            refresh=self.refresh,
            panels=_laid_out(self.rows),
            templating=DashboardDashboardTemplating([*self.variables, _page()]),
            annotations=AnnotationContainer([_alerts()]),
            links=[_others(), *self.links, _runbook(), _analysts()],
            preload=False,
        )


def choice(name: str, label: str, query: str, says: str) -> VariableModel:
    """A variable with the values that SQL gives; several, or all of them, may be chosen."""
    return VariableModel(
        VariableType.QUERY, name, label, description=says, query=query, datasource=DATABASE, multi=True,
        include_all=True, current=_ALL, refresh=VariableRefresh.ON_DASHBOARD_LOAD,
    )  # fmt: skip


def one_of(name: str, label: str, query: str, says: str) -> VariableModel:
    """A variable with one of the values that SQL gives, anew for each time range; the first one unless chosen."""
    return VariableModel(
        VariableType.QUERY, name, label, description=says, query=query, datasource=DATABASE,
        refresh=VariableRefresh.ON_TIME_RANGE_CHANGED, allow_custom_value=False,
    )  # fmt: skip


def label_choice(name: str, label: str, metric: str, says: str) -> VariableModel:
    """A variable with the values of the label `name` of a metric; several, or all of them, may be chosen."""
    query = f"label_values({metric}, {name})"
    asked: dict[str, object] = {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    return VariableModel(
        VariableType.QUERY, name, label, description=says, query=asked, datasource=METRICS, multi=True,
        include_all=True, all_value=".*", current=_ALL, refresh=VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=VariableSort.NATURAL_ASC,
    )  # fmt: skip


def typed(name: str, label: str, default: str, says: str, *, hidden: bool = False) -> VariableModel:
    """A variable that a person types."""
    option = VariableOption(True, default, default)
    hide = VariableHide.HIDE_VARIABLE if hidden else VariableHide.DONT_HIDE
    return VariableModel(
        VariableType.TEXTBOX, name, label, hide, description=says, query=default, current=option, options=[option]
    )


def _laid_out(rows: Sequence[Row]) -> list[Panel | RowPanel]:
    """The panels with their ids and places; those of a row that is collapsed lie inside it."""
    laid: list[Panel | RowPanel] = []
    y = 0
    for row in rows:
        heading = RowPanel(row.collapsed, row.title, grid_pos=GridPos(h=1, w=COLUMNS, x=0, y=y), id_val=0, panels=[])
        laid.append(heading)
        below = _flow(row.panels, y + 1)
        if row.collapsed:
            heading.panels, y = list(row.panels), y + 1
        else:
            laid.extend(row.panels)
            y = below
    number = 0
    for panel in laid:
        for each in [panel, *(panel.panels if isinstance(panel, RowPanel) else [])]:
            number += 1
            each.id_val = each.id_val or number
    return laid


def _flow(panels: Sequence[Panel], y: int) -> int:
    """Places panels from left to right in lines from `y` on; returns where the next row begins."""
    x = line = 0
    for panel in panels:
        size = panel.grid_pos or GridPos()
        if x + size.w > COLUMNS:
            x, y, line = 0, y + line, 0
        panel.grid_pos = GridPos(size.h, size.w, x, y)
        x, line = x + size.w, max(line, size.h)
    return y + line


def _others() -> DashboardLink:
    return DashboardLink(
        "Dashboards", DashboardLinkType.DASHBOARDS, "external link", "The other dashboards", "",
        tags=[TAG], keep_time=True,
    )  # fmt: skip


def _runbook() -> DashboardLink:
    says = "What each alert means, what to look at, what mends it"
    return DashboardLink("Runbook", DashboardLinkType.LINK, "doc", says, RUNBOOK_URL)


def _analysts() -> DashboardLink:
    says = "The analysts' page: any device's statistics, live"
    return DashboardLink("Analysts' page", DashboardLinkType.LINK, "external link", says, "${page}", target_blank=True)


def _page() -> VariableModel:
    says = "Where the analysts' page is; another one: add &var-page=https://… to the address"
    return typed("page", "Analysts' page", "http://localhost:8000", says, hidden=True)


def _alerts() -> AnnotationQuery:
    """Alerts as they fired, drawn into every panel over time."""
    return AnnotationQuery("Alerts", METRICS, True, False, "red", expr='ALERTS{alertstate="firing"}')
