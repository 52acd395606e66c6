// States over time, by the panel's value mappings. Grafana's own is not in its packages: the same
// picture, in SVG.
import { BELOW, TimeAxis, LEFT } from "./axis";
import { theme } from "./theme";

export function States({ panel, data, size, range, name }: any) {
  const height = size.height - BELOW - 20;
  const tall = height / data.length;
  const width = size.width;
  const x = (at: number) => LEFT * 3 + ((at - range.from) / (range.to - range.from)) * (width - LEFT * 3);
  const seen = new Map<string, string>();
  return (
    <svg width={width} height={size.height} fontFamily={theme.typography.fontFamily}>
      {data.map((frame: any, row: number) => {
        const [time, value] = frame.fields;
        const runs: any[] = [];
        time.values.forEach((at: number, i: number) => {
          const last = runs[runs.length - 1];
          if (last) {
            last.to = at;
          }
          if (value.values[i] === null) {
            return;
          }
          const { text, color } = value.display(value.values[i]);
          seen.set(text, color);
          if (last?.text !== text || time.values[i] - last.to > 5e3) {
            runs.push({ from: at, to: at + 1e3, text, color });
          }
        });
        const y = row * tall + tall * 0.05;
        return (
          <g key={row}>
            <text x={LEFT * 3 - 8} y={y + tall / 2 + 4} fontSize={12} fill={theme.colors.text.primary} textAnchor="end">
              {name(value, frame, data)}
            </text>
            {runs.map((run) => (
              <g key={run.from}>
                <rect x={x(run.from)} y={y} width={Math.max(1, x(run.to) - x(run.from))} height={tall * 0.9} fill={run.color} fillOpacity={panel.fieldConfig.defaults.custom.fillOpacity / 100} />
                {x(run.to) - x(run.from) > run.text.length * 7 + 8 && (
                  <text x={x(run.from) + 6} y={y + tall / 2 + 4} fontSize={12} fill={theme.colors.getContrastText(run.color)}>
                    {run.text}
                  </text>
                )}
              </g>
            ))}
          </g>
        );
      })}
      <g transform={`translate(${LEFT * 2} 0)`}>
        <TimeAxis range={range} width={width - LEFT * 2} top={height} />
      </g>
      {[...seen].map(([text, color], i) => (
        <g key={text} transform={`translate(${8 + i * 160} ${size.height - 6})`}>
          <rect y={-8} width={14} height={4} fill={color} />
          <text x={20} fontSize={12} fill={theme.colors.text.primary}>{text}</text>
        </g>
      ))}
    </svg>
  );
}
