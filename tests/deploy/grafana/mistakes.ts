// Shows that the types find mistakes: a line below `@ts-expect-error` without an error is itself an error.
import type { AnyPanel } from "./types.ts";

type TimeSeries = Extract<AnyPanel, { type: "timeseries" }>;

export const legend: TimeSeries["options"]["legend"] = { calcs: [], displayMode: "list", placement: "right", showLegend: true };

export const mistakes: unknown[] = [
  // @ts-expect-error A misspelt value.
  { ...legend, displayMode: "lists" } satisfies typeof legend,
  // @ts-expect-error A misspelt member.
  { calcs: [], displayMode: "list", placement: "right", showLegends: true } satisfies typeof legend,
  // @ts-expect-error An unknown panel type.
  "timeserie" satisfies AnyPanel["type"],
  // @ts-expect-error A fixed data source.
  { type: "prometheus", uid: "prometheus" } satisfies TimeSeries["datasource"],
  // @ts-expect-error A member of another panel's field configuration.
  { inspect: false } satisfies TimeSeries["fieldConfig"]["defaults"]["custom"],
  // @ts-expect-error A target without its query.
  { refId: "A", datasource: { type: "prometheus", uid: "${datasource}" }, editorMode: "code", instant: true, range: false, legendFormat: "" } satisfies TimeSeries["targets"][number],
];
