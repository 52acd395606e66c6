// A time axis below a drawing, as Grafana's graphs have it.
import { dateTimeFormat } from "@grafana/data";

import { theme } from "./theme";

export const LEFT = 62;
export const BELOW = 22;

export function TimeAxis({ range, width, top }: any) {
  const seconds = (range.to - range.from) / 1e3;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = (steps.find((s) => (seconds / s) * 70 < width - LEFT) ?? 3600) * 1e3;
  const marks = [];
  // The last ones would be cut off.
  const last = range.to - ((range.to - range.from) * 30) / (width - LEFT);
  for (let at = Math.ceil(range.from / step) * step; at <= last; at += step) {
    marks.push(at);
  }
  const x = (at: number) => LEFT + ((at - range.from) / (range.to - range.from)) * (width - LEFT);
  return (
    <>
      {marks.map((at) => (
        <text key={at} x={x(at)} y={top + 15} fontSize={12} fill={theme.colors.text.primary} textAnchor="middle">
          {dateTimeFormat(at, { format: "HH:mm:ss", timeZone: "utc" })}
        </text>
      ))}
    </>
  );
}
