import { createTheme } from "@grafana/data";

const mode = new URLSearchParams(location.search).get("theme") === "light" ? "light" : "dark";

export const theme = createTheme({ colors: { mode } });
