//! A panel in Grafana's JSON model.

use serde_json::{Value, json};

use super::{Panel, PanelKind, Query, source};
use crate::style;

impl Panel {
    /// Returns the panel in Grafana's JSON model. `expand` inserts the filters into the queries.
    pub(crate) fn json(&self, id: u32, at: (u32, u32), expand: &dyn Fn(&str) -> String) -> Value {
        let (w, h) = self.size;
        let mut panel = json!({
            "id": id,
            "type": self.kind.name(),
            "title": self.title,
            "description": self.description,
            "datasource": source(),
            "gridPos": { "x": at.0, "y": at.1, "w": w, "h": h },
            "fieldConfig": {
                "defaults": self.defaults(),
                "overrides": self.overrides,
            },
            "options": self.options(),
            "targets": self.targets(expand),
            "transformations": self.transformations,
        });
        if let Some(points) = self.points {
            panel["maxDataPoints"] = json!(points);
        }
        panel
    }

    fn targets(&self, expand: &dyn Fn(&str) -> String) -> Vec<Value> {
        let instant = self.kind.is_instant();
        let format = match self.kind {
            PanelKind::Heatmap => "heatmap",
            PanelKind::Table => "table",
            _ => "time_series",
        };
        let target = |(query, name): (&Query, char)| {
            json!({
                "datasource": source(),
                "editorMode": "code",
                "exemplar": query.exemplars,
                "expr": expand(&query.expr),
                "format": format,
                "instant": instant,
                "legendFormat": query.legend,
                "range": !instant,
                "refId": name.to_string(),
            })
        };
        self.queries.iter().zip('A'..='Z').map(target).collect()
    }

    fn defaults(&self) -> Value {
        let mode = match (&self.kind, &self.thresholds) {
            (PanelKind::Lines | PanelKind::Stack, _) | (_, None) => "palette-classic",
            _ => "thresholds",
        };
        let plain = || style::thresholds(style::PLAIN, &[]);
        let mut defaults = json!({
            "color": { "mode": mode },
            "custom": self.custom(),
            "links": self.links,
            "mappings": self.all_mappings(),
            "noValue": self.no_value,
            "thresholds": self.thresholds.clone().unwrap_or_else(plain),
            "unit": self.unit,
        });
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        if let Some(min) = self.range.0 {
            defaults["min"] = json!(min);
        }
        if let Some(max) = self.range.1 {
            defaults["max"] = json!(max);
        }
        defaults
    }

    fn all_mappings(&self) -> Value {
        let mut all = self.mappings.clone().unwrap_or_else(|| json!([]));
        if let (PanelKind::Stat, Some(all)) = (&self.kind, all.as_array_mut()) {
            all.push(style::none(self.no_value, style::NEUTRAL));
        }
        all
    }

    fn legend(&self) -> Value {
        let (w, _) = self.size;
        if self.calcs.is_empty() || w < 12 {
            return list_legend(true);
        }
        // Grafana's name of the first one.
        let sort = match self.calcs[0] {
            "mean" => "Mean",
            "max" => "Max",
            _ => "Last *",
        };
        json!({
            "calcs": self.calcs,
            "displayMode": "table",
            "placement": "right",
            "showLegend": true,
            "sortBy": sort,
            "sortDesc": true,
        })
    }

    fn custom(&self) -> Value {
        let hidden = json!({ "legend": false, "tooltip": false, "viz": false });
        match self.kind {
            PanelKind::Lines | PanelKind::Stack => {
                let stacked = self.kind == PanelKind::Stack;
                let scale = if self.logarithmic {
                    json!({ "type": "log", "log": 10 })
                } else {
                    json!({ "type": "linear" })
                };
                let mut custom = json!({
                    "axisBorderShow": false,
                    "axisCenteredZero": false,
                    "axisColorMode": "text",
                    "axisLabel": "",
                    "axisPlacement": "auto",
                    "barAlignment": 0,
                    "drawStyle": "line",
                    "fillOpacity": if stacked { 80 } else if self.logarithmic { 0 } else { 8 },
                    "gradientMode": "none",
                    "hideFrom": hidden,
                    "insertNulls": false,
                    "lineInterpolation": if self.steps { "stepAfter" } else { "linear" },
                    "lineWidth": if stacked { 0 } else { 2 },
                    "pointSize": 4,
                    "scaleDistribution": scale,
                    "showPoints": "never",
                    "spanNulls": false,
                    "stacking": { "group": "A", "mode": if stacked { "normal" } else { "none" } },
                    "thresholdsStyle": { "mode": "off" },
                });
                if let Some(max) = self.soft_max {
                    custom["axisSoftMax"] = json!(max);
                }
                custom
            }
            PanelKind::Heatmap => {
                json!({ "hideFrom": hidden, "scaleDistribution": { "type": "linear" } })
            }
            PanelKind::States => {
                json!({ "fillOpacity": 90, "hideFrom": hidden, "lineWidth": 0 })
            }
            PanelKind::Table => {
                json!({
                    "align": "auto",
                    "cellOptions": { "type": "auto" },
                    "filterable": true,
                    "inspect": false,
                    "minWidth": 60,
                })
            }
            PanelKind::Stat | PanelKind::Bars => json!({}),
        }
    }

    fn options(&self) -> Value {
        let newest = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.kind {
            PanelKind::Lines | PanelKind::Stack => json!({
                "legend": self.legend(),
                "tooltip": { "hideZeros": false, "mode": "multi", "sort": "desc" },
            }),
            PanelKind::Heatmap => json!({
                "calculate": false,
                "cellGap": 1,
                "color": {
                    "exponent": 0.5,
                    "fill": "dark-orange",
                    "mode": "scheme",
                    "reverse": false,
                    "scale": "exponential",
                    "scheme": "Viridis",
                    "steps": 64,
                },
                "exemplars": { "color": "rgba(255,255,255,0.7)" },
                "filterValues": { "le": 1e-9 },
                "legend": { "show": true },
                "rowsFrame": { "layout": "auto" },
                "tooltip": { "mode": "single", "showColorScale": true, "yHistogram": false },
                "yAxis": { "axisPlacement": "left", "reverse": false, "unit": self.unit },
            }),
            PanelKind::States => json!({
                "alignValue": "left",
                "legend": list_legend(true),
                "mergeValues": true,
                "rowHeight": 0.9,
                "showValue": "auto",
                "tooltip": { "mode": "single", "sort": "none" },
            }),
            PanelKind::Stat => json!({
                "colorMode": if self.by_name { "background" } else { "value" },
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "percentChangeColorMode": "standard",
                "reduceOptions": newest,
                "showPercentChange": false,
                "textMode": if self.by_name { "name" } else { "auto" },
                "wideLayout": true,
            }),
            PanelKind::Bars => json!({
                "displayMode": "basic",
                "legend": list_legend(false),
                "maxVizHeight": 40,
                "minVizHeight": 16,
                "minVizWidth": 8,
                "namePlacement": "left",
                "orientation": "horizontal",
                "reduceOptions": newest,
                "showUnfilled": true,
                "sizing": "auto",
                "valueMode": "color",
            }),
            PanelKind::Table => {
                let sort: Vec<Value> = self
                    .sort
                    .iter()
                    .map(|(column, desc)| json!({ "displayName": column, "desc": desc }))
                    .collect();
                json!({
                    "cellHeight": "sm",
                    "showHeader": true,
                    "sortBy": sort,
                })
            }
        }
    }
}

/// A legend below the panel, as a list.
fn list_legend(shown: bool) -> Value {
    json!({
        "calcs": [],
        "displayMode": "list",
        "placement": "bottom",
        "showLegend": shown,
    })
}
