"""The kinds of panels. Each has a title, what it says and what is normal, a unit, and what it asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.models import common, heatmap, stat, table, text, timeseries
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DashboardLink,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColor,
    FieldColorModeId,
    FieldConfig,
    FieldConfigSource,
    GridPos,
    MatcherConfig,
    Panel,
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
)

from grafana.builder.queries import DATABASE, METRICS, Query, SqlQuery

GREEN, ORANGE, RED = "green", "orange", "red"


@dataclass(frozen=True)
class Limits:
    """From where on a value is a reason to look (orange) and to act (red); `below`: the less, the worse."""

    look: float | None = None
    act: float | None = None
    below: bool = False

    def steps(self) -> list[Threshold]:
        """As Grafana wants them: rising, each colour from its value on."""
        given = [(value, colour) for value, colour in ((self.look, ORANGE), (self.act, RED)) if value is not None]
        if not self.below:
            return [Threshold(None, GREEN), *(Threshold(value, colour) for value, colour in given)]
        given.reverse()  # red below `act`, then orange below `look`, then green
        colours = [colour for _, colour in given] + [GREEN]
        return [Threshold(value, colour) for value, colour in zip([None, *(v for v, _ in given)], colours, strict=True)]


NO_LIMITS = Limits()


def number(
    title: str, says: str, query: Query, *, unit: str, limits: Limits = NO_LIMITS, width: int = 4, link: str = ""
) -> Panel:
    """One figure, its background in the colour of its limits, with its course behind it if it has one."""
    ranged = getattr(query, "range_val", False)
    options = stat.Options(
        graph_mode=common.BigValueGraphMode.AREA if ranged else common.BigValueGraphMode.NONE,
        color_mode=common.BigValueColorMode.VALUE if limits == NO_LIMITS else common.BigValueColorMode.BACKGROUND,
        justify_mode=common.BigValueJustifyMode.AUTO,
        text_mode=common.BigValueTextMode.VALUE,
        orientation=common.VizOrientation.AUTO,
        reduce_options=common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields=""),
    )
    field = FieldConfig(unit=unit, thresholds=_thresholds(limits), color=FieldColor(FieldColorModeId.THRESHOLDS))
    if link:
        field.links = [_link("Show", link)]
    return _panel("stat", title, says, [query], width, 4, options, FieldConfigSource(field, []))


def series(
    title: str,
    says: str,
    queries: Sequence[Query] | Query,
    *,
    unit: str,
    limits: Limits = NO_LIMITS,
    width: int = 12,
    stacked: bool = False,
    from_zero: bool = True,
    band: tuple[str, str] | None = None,
    repeat: str = "",
) -> Panel:
    """Lines over time; limits are drawn as dashed lines.

    Args:
        from_zero: the axis begins there; not for what devices measure, or 1013 ± 2 would be a straight line.
        band: the space between these two lines is filled, instead of the lines drawn.
        repeat: a variable; there is a panel for each of its values.
    """
    custom = common.GraphFieldConfig(
        draw_style=common.GraphDrawStyle.LINE,
        line_width=1,
        fill_opacity=25 if stacked else 8,
        show_points=common.VisibilityMode.NEVER,
        axis_soft_min=0 if from_zero else None,
        stacking=common.StackingConfig(common.StackingMode.NORMAL if stacked else common.StackingMode.NONE, "A"),
    )
    field = FieldConfig(unit=unit, color=FieldColor(FieldColorModeId.PALETTE_CLASSIC), custom=custom)
    field.thresholds = _thresholds(limits)
    if limits != NO_LIMITS:
        custom.thresholds_style = common.GraphThresholdsStyleConfig(common.GraphThresholdsStyleMode.DASHED)
    options = timeseries.Options(
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.TABLE, placement=common.LegendPlacement.BOTTOM,
            show_legend=True, calcs=["lastNotNull", "max"],
        ),
        tooltip=common.VizTooltipOptions(common.TooltipDisplayMode.MULTI, common.SortOrder.DESCENDING),
    )  # fmt: skip
    asked = queries if isinstance(queries, Sequence) else [queries]
    overrides = []
    if band:
        low, high = band
        no_line = DynamicConfigValue("custom.lineWidth", 0)
        overrides = [_override(low, no_line), _override(high, no_line, DynamicConfigValue("custom.fillBelowTo", low))]
    made = _panel("timeseries", title, says, asked, width, 8, options, FieldConfigSource(field, overrides))
    if repeat:
        made.repeat, made.repeat_direction, made.max_per_row = repeat, "h", 24 // width
    return made


def spread(title: str, says: str, query: Query, *, unit: str, width: int = 12) -> Panel:
    """A histogram over time: the brighter, the more observations."""
    options = heatmap.Options(
        calculate=False,
        color=heatmap.HeatmapColorOptions(
            mode=heatmap.HeatmapColorMode.SCHEME, scheme="Turbo", exponent=0.5, steps=64, fill="dark-orange",
            scale=heatmap.HeatmapColorScale.EXPONENTIAL,
        ),
        filter_values=heatmap.FilterValueRange(le=1e-9),
        rows_frame=heatmap.RowsHeatmapOptions(layout=common.HeatmapCellLayout.AUTO),
        cell_values=heatmap.CellValues(unit="short"),
        y_axis=heatmap.YAxisConfig(unit=unit),
        legend=heatmap.HeatmapLegend(show=True),
        tooltip=heatmap.HeatmapTooltip(mode=common.TooltipDisplayMode.SINGLE, y_histogram=True),
    )  # fmt: skip
    field = FieldConfig(unit=unit, custom=heatmap.FieldConfig())
    return _panel("heatmap", title, says, [query], width, 8, options, FieldConfigSource(field, []))


def listing(
    title: str,
    says: str,
    query: Query,
    *,
    units: Mapping[str, str],
    unit: str = "none",
    names: Mapping[str, str] | None = None,
    hidden: Sequence[str] = (),
    links: Mapping[str, tuple[str, str]] | None = None,
    limits: Mapping[str, Limits] | None = None,
    width: int = 12,
) -> Panel:
    """Rows. By column: its unit (`unit` for the others), another name, a link (text and URL), limits that colour it."""
    options = table.Options(show_header=True, cell_height=common.TableCellHeight.SM)
    field = FieldConfig(unit=unit, custom=common.TableFieldOptions(filterable=True))
    overrides = [_override(column, DynamicConfigValue("unit", of)) for column, of in units.items()]
    for column, (what, url) in (links or {}).items():
        overrides.append(_override(column, DynamicConfigValue("links", [_link(what, url).to_json()])))
    for column, limit in (limits or {}).items():
        coloured = {"type": "color-background", "mode": "basic"}
        steps = DynamicConfigValue("thresholds", _thresholds(limit).to_json())
        overrides.append(_override(column, steps, DynamicConfigValue("custom.cellOptions", coloured)))
    made = _panel("table", title, says, [query], width, 8, options, FieldConfigSource(field, overrides))
    if names or hidden:
        shown = {"excludeByName": dict.fromkeys(hidden, True), "renameByName": dict(names or {}), "indexByName": {}}
        made.transformations = [DataTransformerConfig("organize", options=shown)]
    return made


def words(title: str, says: str, markdown: str, *, width: int = 24, height: int = 8) -> Panel:
    """Text, in Markdown."""
    options = text.Options(mode=text.TextMode.MARKDOWN, content=markdown)
    return _panel("text", title, says, [], width, height, options, None)


def _panel(
    kind: str,
    title: str,
    says: str,
    queries: Sequence[Query],
    width: int,
    height: int,
    options: object,
    fields: FieldConfigSource | None,
) -> Panel:
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        query.ref_id = letter
    return Panel(
        type_val=kind,
        title=title,
        description=says,
        datasource=_source(queries),
        targets=list(queries),
        grid_pos=GridPos(h=height, w=width),
        options=options,
        field_config=fields,
    )


def _source(queries: Sequence[Query]) -> DataSourceRef | None:
    if not queries:
        return None
    return DATABASE if isinstance(queries[0], SqlQuery) else METRICS


def _thresholds(limits: Limits) -> ThresholdsConfig:
    return ThresholdsConfig(ThresholdsMode.ABSOLUTE, limits.steps())


def _override(column: str, *properties: DynamicConfigValue) -> DashboardFieldConfigSourceOverrides:
    return DashboardFieldConfigSourceOverrides(MatcherConfig("byName", column), list(properties))


def _link(title: str, url: str) -> DashboardLink:
    return DashboardLink(title, DashboardLinkType.LINK, url=url)
