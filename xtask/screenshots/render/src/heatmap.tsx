// Counts of buckets over time. Grafana's own heat map is not in its packages: the same picture, in
// SVG.
import { getValueFormat, formattedValueToString } from "@grafana/data";

import { BELOW, LEFT, TimeAxis } from "./axis";
import { theme } from "./theme";

/** Viridis, as in Grafana. */
const SCHEME = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];

export function Heatmap({ panel, data, size, range }: any) {
  const series = data
    .map((frame: any) => ({ le: Number(frame.fields[1].labels.le.replace("+Inf", "Infinity")), frame }))
    .sort((a: any, b: any) => a.le - b.le);
  const cells: any[] = [];
  series.forEach(({ frame }: any, row: number) => {
    const [time, value] = frame.fields;
    time.values.forEach((at: number, i: number) => {
      const below = row > 0 ? (series[row - 1].frame.fields[1].values[i] ?? 0) : 0;
      const count = (value.values[i] ?? 0) - below;
      if (count > 1e-9) {
        cells.push({ at, row, count });
      }
    });
  });
  const times = series[0].frame.fields[0].values;
  const step = times.length > 1 ? times[1] - times[0] : 1e3;
  const most = Math.max(...cells.map((c) => c.count));
  const height = size.height - BELOW - 22;
  const width = size.width;
  const tall = height / series.length;
  const x = (at: number) => LEFT + ((at - range.from) / (range.to - range.from)) * (width - LEFT);
  const wide = Math.max(1, x(range.from + step) - x(range.from) - 1);
  const colour = (count: number) => SCHEME[Math.round((count / most) ** panel.options.color.exponent * (SCHEME.length - 1))];
  const format = getValueFormat(panel.options.yAxis.unit);
  const every = Math.max(1, Math.ceil(18 / tall));
  return (
    <svg width={width} height={size.height} fontFamily={theme.typography.fontFamily}>
      {cells.map(({ at, row, count }) => (
        <rect
          key={`${at} ${row}`}
          x={Math.max(LEFT, x(at) - wide)}
          y={height - (row + 1) * tall + 0.5}
          width={wide}
          height={tall - 1}
          fill={colour(count)}
        />
      ))}
      {series.map(({ le }: any, row: number) =>
        row % every === 0 && Number.isFinite(le) ? (
          <text key={le} x={LEFT - 6} y={height - (row + 1) * tall + 4} fontSize={12} fill={theme.colors.text.primary} textAnchor="end">
            {formattedValueToString(format(le))}
          </text>
        ) : null,
      )}
      <TimeAxis range={range} width={width} top={height} />
      {SCHEME.map((fill, i) => (
        <rect key={fill} x={LEFT + i * 16} y={size.height - 14} width={16} height={8} fill={fill} />
      ))}
      <text x={LEFT + SCHEME.length * 16 + 8} y={size.height - 6} fontSize={12} fill={theme.colors.text.secondary}>
        0 to {Math.round(most)} messages per second
      </text>
    </svg>
  );
}
