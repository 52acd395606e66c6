// One panel's inside, by its type.
import {
  dateTime,
  getDisplayProcessor,
  getFieldDisplayName,
  getFieldDisplayValues,
  VizOrientation,
} from "@grafana/data";
import { BarGauge, BigValue, Table, TimeSeries, VizRepeater } from "@grafana/ui";

import { Heatmap } from "./heatmap";
import { States } from "./states";
import { theme } from "./theme";

const raw = (text: string) => text;

function Empty({ panel }: any) {
  return (
    <div style={{ height: "100%", display: "grid", placeItems: "center", color: theme.colors.text.secondary }}>
      {panel.fieldConfig.defaults.noValue}
    </div>
  );
}

/** The newest values, each with its name and colour. */
function values({ panel, data }: any) {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: raw,
    theme,
    data,
    timeZone: "utc",
  });
}

function Stat(props: any) {
  const { panel, size } = props;
  const source = values(props);
  return (
    <VizRepeater
      {...size}
      source={source}
      getValues={() => source}
      orientation={VizOrientation.Auto}
      itemSpacing={3}
      renderValue={({ value, width, height }: any) => (
        <BigValue
          value={value.display}
          width={width}
          height={height}
          theme={theme}
          colorMode={panel.options.colorMode}
          graphMode={panel.options.graphMode}
          justifyMode={panel.options.justifyMode}
          textMode={panel.options.textMode}
          count={source.length}
        />
      )}
    />
  );
}

function Bars(props: any) {
  const { panel, size } = props;
  const source = values(props);
  return (
    <VizRepeater
      {...size}
      source={source}
      getValues={() => source}
      orientation={VizOrientation.Horizontal}
      itemSpacing={6}
      maxVizHeight={panel.options.maxVizHeight}
      minVizHeight={panel.options.minVizHeight}
      renderValue={({ value, width, height, alignmentFactors }: any) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          width={width}
          height={height}
          orientation={VizOrientation.Horizontal}
          displayMode={panel.options.displayMode}
          showUnfilled
          alignmentFactors={{ ...alignmentFactors, title: longest(source) }}
          valueDisplayMode={panel.options.valueMode}
          namePlacement={panel.options.namePlacement}
          theme={theme}
          isOverflow={false}
        />
      )}
    />
  );
}

const longest = (source: any[]) =>
  source.map((v) => v.display.title ?? "").reduce((a, b) => (b.length > a.length ? b : a), "");

export function View(props: any) {
  const { panel, data, size, range } = props;
  const empty = !data.some((frame: any) => frame.length > 0);
  if (empty && panel.type !== "stat") {
    return <Empty panel={panel} />;
  }
  const timeRange = { from: dateTime(range.from), to: dateTime(range.to), raw: { from: "", to: "" } };
  switch (panel.type) {
    case "timeseries":
      return (
        <TimeSeries
          {...size}
          frames={data}
          timeRange={timeRange}
          timeZone="utc"
          legend={panel.options.legend}
          options={panel.options}
        />
      );
    case "stat":
      return <Stat {...props} />;
    case "bargauge":
      return <Bars {...props} />;
    case "table": {
      const [frame] = data;
      const sort = panel.options.sortBy?.[0];
      return (
        <Table
          {...size}
          data={frame}
          cellHeight={panel.options.cellHeight}
          initialSortBy={sort ? [{ displayName: sort.displayName, desc: sort.desc }] : []}
        />
      );
    }
    case "heatmap":
      return <Heatmap {...props} timeRange={timeRange} />;
    case "state-timeline":
      return <States {...props} display={getDisplayProcessor} name={getFieldDisplayName} />;
    default:
      return <div>{panel.type}</div>;
  }
}
