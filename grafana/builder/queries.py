"""What panels ask, and whom."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import prometheus
from grafana_foundation_sdk.models.dashboard import DataSourceRef

_SQL = Path(__file__).parent / "sql"
# As in provisioning/datasources.
METRICS = DataSourceRef(type_val="prometheus", uid="plumbline-prometheus")
DATABASE = DataSourceRef(type_val="grafana-postgresql-datasource", uid="plumbline-postgres")


@dataclass
class SqlQuery(Dataquery):
    """What Grafana's PostgreSQL data source takes; the SDK has no model of it.

    `table`: rows as they are. `time_series`: a column `time`, text columns that name the series, and numbers.
    """

    raw_sql: str
    format: Literal["table", "time_series"]
    ref_id: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": DATABASE.to_json(),
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.raw_sql,
            "refId": self.ref_id,
        }


Query = prometheus.Dataquery | SqlQuery


def now(expr: str, legend: str = "") -> prometheus.Dataquery:
    """The present value of a PromQL expression, as a table's row or a number."""
    return prometheus.Dataquery(
        expr=expr, legend_format=legend, instant=True, range_val=False, datasource=METRICS,
        format_val=prometheus.PromQueryFormat.TABLE, editor_mode=prometheus.QueryEditorMode.CODE,
    )  # fmt: skip


def over_time(expr: str, legend: str = "") -> prometheus.Dataquery:
    """A PromQL expression over the dashboard's time range; `legend` names its series by their labels: {{level}}."""
    return prometheus.Dataquery(
        expr=expr, legend_format=legend, instant=False, range_val=True, datasource=METRICS,
        format_val=prometheus.PromQueryFormat.TIME_SERIES, editor_mode=prometheus.QueryEditorMode.CODE,
    )  # fmt: skip


def buckets(expr: str) -> prometheus.Dataquery:
    """A sum of a histogram's buckets by `le`, over time, for a heatmap."""
    return prometheus.Dataquery(
        expr=expr, legend_format="{{le}}", instant=False, range_val=True, datasource=METRICS,
        format_val=prometheus.PromQueryFormat.HEATMAP, editor_mode=prometheus.QueryEditorMode.CODE,
    )  # fmt: skip


def rows(name: str) -> SqlQuery:
    """The rows of a file of SQL, as a table shows them."""
    return SqlQuery(sql(name), "table")


def sql_over_time(name: str) -> SqlQuery:
    """The rows of a file of SQL as series: a column `time`, text columns that name the series, and numbers."""
    return SqlQuery(sql(name), "time_series")


def sql(name: str) -> str:
    """A file of SQL."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8").strip()


def quantiles(histogram: str, *, by: str = "", where: str = "") -> list[prometheus.Dataquery]:
    """p50 and p99 of a histogram, by a label if one is named."""
    labels = f"le, {by}" if by else "le"
    named = f" {{{{{by}}}}}" if by else ""
    rate = f"sum by ({labels}) (rate({histogram}_bucket{where}[$__rate_interval]))"
    return [over_time(f"histogram_quantile({q}, {rate})", f"p{100 * q:g}{named}") for q in (0.5, 0.99)]


def spread(histogram: str, *, where: str = "") -> prometheus.Dataquery:
    """How many observations fell into each of a histogram's buckets."""
    return buckets(f"sum by (le) (increase({histogram}_bucket{where}[$__rate_interval]))")
