// Draws one dashboard from /data.json, as `cargo xtask dashboards --live --dump` writes it.
import "@fontsource/inter/400.css";
import "@fontsource/inter/500.css";
import { standardTransformers, standardTransformersRegistry, ThemeContext } from "@grafana/data";
import { GlobalStyles } from "@grafana/ui";
import { createRoot } from "react-dom/client";

import { Dashboard } from "./dashboard";
import { theme } from "./theme";

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer].map((transformation) => ({
    id: transformation.id,
    aliasIds: [],
    name: transformation.name,
    description: transformation.description ?? "",
    editor: () => null,
    transformation,
    imageDark: "",
    imageLight: "",
  })),
);

const shown = await (await fetch("data.json")).json();
createRoot(document.getElementById("root")!).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <Dashboard shown={shown} />
  </ThemeContext.Provider>,
);
