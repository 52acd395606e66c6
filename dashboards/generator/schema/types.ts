// The type of a dashboard file: Grafana's dashboard with the options of each panel type used here.
import type { Options as BarsOptions } from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type { Options as HeatmapOptions, FieldConfig as HeatmapFieldConfig } from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Options as StatesOptions, FieldConfig as StatesFieldConfig } from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type { Options as TableOptions, FieldConfig as TableFieldConfig } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type { Options as SeriesOptions, FieldConfig as SeriesFieldConfig } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type { Dashboard as GrafanaDashboard, Panel as GrafanaPanel, RowPanel as GrafanaRowPanel, FieldConfig as GrafanaFieldConfig, FieldConfigSource as GrafanaFieldConfigSource, AnnotationQuery as GrafanaAnnotationQuery } from "@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen";

/** A query of the Prometheus data source. */
interface Query {
  datasource: { type: "prometheus"; uid: string };
  editorMode: "code";
  exemplar: boolean;
  expr: string;
  format: "time_series" | "table" | "heatmap";
  instant: boolean;
  legendFormat: string;
  range: boolean;
  refId: string;
}

type TypedPanel<Type extends string, Options, Custom> = Omit<GrafanaPanel, "type" | "options" | "fieldConfig" | "targets"> & {
  type: Type;
  options: Partial<Options>;
  targets: Query[];
  fieldConfig: {
    defaults: Omit<GrafanaFieldConfig, "custom"> & { custom?: Partial<Custom> };
    overrides: GrafanaFieldConfigSource["overrides"];
  };
};

type Panel =
  | TypedPanel<"timeseries", SeriesOptions, SeriesFieldConfig>
  | TypedPanel<"heatmap", HeatmapOptions, HeatmapFieldConfig>
  | TypedPanel<"state-timeline", StatesOptions, StatesFieldConfig>
  | TypedPanel<"stat", StatOptions, Record<string, never>>
  | TypedPanel<"bargauge", BarsOptions, Record<string, never>>
  | TypedPanel<"table", TableOptions, TableFieldConfig>;

/** Prometheus's own fields of an annotation, which Grafana's common type leaves open. */
type Annotation = GrafanaAnnotationQuery & {
  expr: string;
  step: string;
  tagKeys: string;
  textFormat: string;
  titleFormat: string;
};

export type Dashboard = Omit<GrafanaDashboard, "panels" | "annotations"> & {
  panels: (Panel | GrafanaRowPanel)[];
  annotations: { list: Annotation[] };
};
