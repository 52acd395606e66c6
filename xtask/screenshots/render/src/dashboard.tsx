// The grid, the panels' frames and titles.
import { useEffect, useState } from "react";

import { frames } from "./frames";
import { View } from "./view";
import { theme } from "./theme";

const ROW = 30;
const GAP = 8;
const WIDTH = 1600;
const COLUMN = (WIDTH - GAP) / 24;

/** Where Grafana's grid puts a panel. */
function place({ x, y, w, h }: any) {
  return {
    left: GAP + x * COLUMN,
    top: y * (ROW + GAP),
    width: w * COLUMN - GAP,
    height: h * (ROW + GAP) - GAP,
  };
}

export function Dashboard({ shown }: any) {
  const { dashboard, answers, from, to, chosen } = shown;
  const [data, setData] = useState<Record<number, any>>();
  useEffect(() => {
    (async () => {
      const all: Record<number, any> = {};
      for (const panel of dashboard.panels) {
        if (panel.type !== "row") {
          all[panel.id] = await frames(panel, answers[panel.id] ?? {}, { from, to });
        }
      }
      setData(all);
      // Everything has its size only after a moment.
      setTimeout(() => document.body.setAttribute("data-drawn", "yes"), 2500);
    })();
  }, []);
  const bottom = Math.max(...dashboard.panels.map((p: any) => p.gridPos.y + p.gridPos.h));
  const { colors } = theme;
  const chip = {
    background: colors.background.secondary,
    border: `1px solid ${colors.border.weak}`,
    borderRadius: 4,
    padding: "4px 10px",
    marginLeft: 8,
    fontSize: 13,
  };
  return (
    <div id="dashboard" style={{ width: WIDTH, background: colors.background.canvas, color: colors.text.primary }}>
      <div style={{ display: "flex", alignItems: "center", padding: "10px 8px 10px 12px" }}>
        <div style={{ fontSize: 18, fontWeight: 500, marginRight: 16 }}>{dashboard.title}</div>
        {dashboard.templating.list.map((v: any) => (
          <div key={v.name} style={chip}>
            <span style={{ color: colors.text.secondary, marginRight: 8 }}>{v.label}</span>
            {v.type === "datasource" ? "Prometheus" : (chosen[v.name] ?? "All")}
          </div>
        ))}
      </div>
      <div style={{ position: "relative", height: bottom * (ROW + GAP) + GAP }}>
        {dashboard.panels.map((panel: any) => {
          const box = place(panel.gridPos);
          if (panel.type === "row") {
            return (
              <div key={panel.id} style={{ position: "absolute", ...box, fontSize: 16, fontWeight: 500, paddingTop: 6 }}>
                {panel.title}
              </div>
            );
          }
          const inner = { width: box.width - 18, height: box.height - 42 };
          return (
            <div
              key={panel.id}
              style={{
                position: "absolute",
                ...box,
                background: colors.background.primary,
                border: `1px solid ${colors.border.weak}`,
                borderRadius: 4,
                overflow: "hidden",
              }}
            >
              <div style={{ padding: "7px 8px 5px", fontSize: 14, fontWeight: 500 }}>{panel.title}</div>
              <div style={{ position: "relative", marginLeft: 8, ...inner }}>
                {data && <View panel={panel} data={data[panel.id]} size={inner} range={{ from, to }} />}
              </div>
            </div>
          );
        })}
      </div>
    </div>
  );
}
