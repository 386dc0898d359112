// The type of the dashboard's JSON, composed of Grafana's own types. They do not cover the options of transformations and
// overrides, variables in texts, names of units and colours, overlapping panels (see layout.mjs), and PromQL (see
// tests/process/alerts.rs).
import type { DataQuery, DataSourceRef } from "@grafana/schema";
import type * as dashboard from "@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts";
import type * as timeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";

/** The JSON form of a type: an enum of strings becomes a union of those strings. */
type Json<T> = T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer Element)[] ? Json<Element>[]
  : T extends object ? { [Key in keyof T]: Json<T[Key]> }
  : T;

/** The data source is a variable that the user selects. */
type Source = Omit<DataSourceRef, "uid" | "type"> & { type: "prometheus"; uid: "${datasource}" };

/** `@grafana/schema` has no Prometheus queries: these are the members that Grafana's data source writes. */
type Target = Omit<DataQuery, "datasource"> & {
  datasource: Source;
  editorMode: "code";
  expr: string;
  format?: "table" | "time_series" | "heatmap";
  instant: boolean;
  legendFormat: string;
  range: boolean;
};

/** A panel with a description and a unit. */
type Described<Type, Options, Custom> =
  & Omit<dashboard.Panel, "type" | "title" | "description" | "datasource" | "fieldConfig" | "gridPos" | "id" | "options" | "targets">
  & Required<Pick<dashboard.Panel, "title" | "description" | "gridPos" | "id">>
  & {
    type: Type;
    datasource: Source;
    targets: Target[];
    options: Options;
    fieldConfig: Omit<dashboard.FieldConfigSource, "defaults"> & {
      defaults:
        & Omit<dashboard.FieldConfig, "custom" | "unit" | "thresholds">
        & Required<Pick<dashboard.FieldConfig, "unit" | "thresholds">>
        & Custom;
    };
  };

type Panel =
  | Described<"stat", stat.Options, unknown>
  | Described<"state-timeline", timeline.Options, { custom: timeline.FieldConfig }>
  | Described<"table", table.Options, { custom: table.FieldConfig }>
  | Described<"timeseries", timeseries.Options, { custom: timeseries.FieldConfig }>
  | (Omit<dashboard.RowPanel, "panels"> & { panels: never[] });

export type Dashboard = Json<
  & Omit<dashboard.Dashboard, "panels" | "uid" | "title" | "templating">
  & Required<Pick<dashboard.Dashboard, "uid" | "title" | "templating">>
  & { panels: Panel[] }
>;

export type AnyPanel = Json<Panel>;
