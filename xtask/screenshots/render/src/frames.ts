// Prometheus's answers as Grafana's data frames, with transformations and field options applied.
import { applyFieldOverrides, FieldType, Registry, toDataFrame, transformDataFrame } from "@grafana/data";
import { firstValueFrom } from "rxjs";

import { theme } from "./theme";

const number = (text: string) => Number(text.replace("Inf", "Infinity"));

/** What Grafana writes for a series: the legend with its labels put in. */
function named(legend: string, labels: Record<string, string>) {
  return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? "").trim();
}

/** A series over time; where there is no sample, null. */
function overTime(target: any, { metric, values }: any, step: number) {
  const time: number[] = [];
  const value: (number | null)[] = [];
  let before: number | undefined;
  for (const [at, text] of values) {
    while (before !== undefined && at - before > step * 1.5) {
      before += step;
      time.push(before * 1e3);
      value.push(null);
    }
    time.push(at * 1e3);
    const v = number(text);
    value.push(Number.isNaN(v) ? null : v);
    before = at;
  }
  const displayNameFromDS = named(target.legendFormat, metric);
  return toDataFrame({
    refId: target.refId,
    name: displayNameFromDS,
    fields: [
      { name: "Time", type: FieldType.time, values: time },
      { name: "Value", type: FieldType.number, values: value, labels: metric, config: { displayNameFromDS } },
    ],
  });
}

/** The rows of an instant query. */
function rows(target: any, result: any[], several: boolean) {
  const labels = [...new Set(result.flatMap((row) => Object.keys(row.metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: "Time", type: FieldType.time, values: result.map((row) => row.value[0] * 1e3) },
      ...labels.map((name) => ({
        name,
        type: FieldType.string,
        values: result.map((row) => row.metric[name] ?? ""),
        config: { filterable: true },
      })),
      {
        name: several ? `Value #${target.refId}` : "Value",
        type: FieldType.number,
        values: result.map((row) => number(row.value[1])),
      },
    ],
  });
}

/** Takes every option as it is: what is in a dashboard has been through Grafana's editors. */
function registry(panel: any) {
  const { defaults, overrides } = panel.fieldConfig;
  const ids = new Set<string>([
    ...Object.keys(defaults).filter((id) => id !== "custom"),
    ...Object.keys(defaults.custom ?? {}).map((id) => `custom.${id}`),
    ...overrides.flatMap((o: any) => o.properties.map((p: any) => p.id)),
  ]);
  return new Registry<any>(() =>
    [...ids].map((id) => ({
      id,
      path: id.replace(/^custom\./, ""),
      isCustom: id.startsWith("custom."),
      name: id,
      process: (value: unknown) => value,
      shouldApply: () => true,
      override: () => null,
      editor: () => null,
    })),
  );
}

export async function frames(panel: any, answers: any, range: any) {
  const several = panel.targets.length > 1;
  let all: any[] = [];
  for (const target of panel.targets) {
    const { data, step } = answers[target.refId] ?? {};
    const result = data?.result ?? [];
    if (target.format === "table") {
      if (result.length > 0) {
        all.push(rows(target, result, several));
      }
      continue;
    }
    for (const series of result) {
      all.push(overTime(target, { metric: series.metric, values: series.values ?? [series.value] }, step));
    }
  }
  if (panel.transformations.length > 0 && all.length > 0) {
    all = await firstValueFrom(transformDataFrame(panel.transformations, all));
  }
  return applyFieldOverrides({
    data: all,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry(panel),
    replaceVariables: (text: string) => text,
    theme,
    timeZone: "utc",
  });
}
