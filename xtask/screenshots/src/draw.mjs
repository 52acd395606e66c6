// draw.mjs page FILE.html OUT.png
// draw.mjs perfetto FOLDER-OF-THE-UI TRACE OUT.png
// draw.mjs dashboard FOLDER-OF-THE-PAGE DATA.json THEME OUT.png
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const here = join(import.meta.dirname, "chromium");
const types = {
  ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json",
  ".png": "image/png", ".wasm": "application/wasm", ".woff2": "font/woff2",
};

/** Serves a folder, and one more file, on a free port of this machine. */
async function serve(folder, [name, more]) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const file = path === name ? more : join(folder, path === "/" ? "index.html" : path);
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

async function perfetto(page, folder, trace) {
  const server = await serve(folder, ["/trace", trace]);
  const address = `http://127.0.0.1:${server.address().port}`;
  await page.setViewportSize({ width: 1200, height: 870 });
  await page.goto(`${address}/?hideSidebar=true#!/?url=${address}/trace`);
  const loaded = () => globalThis.app?.trace?.workspace?.flatTracks.length > 0;
  await page.waitForFunction(loaded, null, { timeout: 60_000 });
  // The tracks of plugins come a moment later.
  await page.waitForTimeout(3000);
  await page.evaluate(() => {
    for (const track of globalThis.app.trace.workspace.flatTracks) {
      if (["System", "Global Track Events"].includes(track.name)) {
        track.remove();
      } else if (track.hasChildren) {
        track.expand();
      }
    }
  });
  // It draws anew when something is done to it.
  await page.mouse.click(700, 6);
  await page.evaluate(() => document.activeElement?.blur());
  await page.mouse.move(900, 700);
  await page.waitForTimeout(4000);
  return server;
}

async function dashboard(page, folder, data, theme) {
  const server = await serve(folder, ["/data.json", data]);
  const failures = [];
  page.on("pageerror", (error) => failures.push(error.message));
  // The panels draw what is in view: all of it has to be.
  await page.setViewportSize({ width: 1600, height: 2600 });
  await page.goto(`http://127.0.0.1:${server.address().port}/?theme=${theme}`);
  try {
    await page.waitForSelector("body[data-drawn]", { timeout: 60_000 });
  } catch (error) {
    throw new Error(`the dashboard is not drawn: ${failures.join("; ") || error.message}`);
  }
  if (failures.length > 0) {
    throw new Error(failures.join("; "));
  }
  return server;
}

const [what, ...rest] = process.argv.slice(2);
const out = rest.pop();
const home = mkdtempSync(join(tmpdir(), "tag52-browser-"));
const browser = await chromium.launch({
  executablePath: join(here, "chromium"),
  args: ["--no-sandbox", "--disable-gpu", "--no-zygote"],
  env: { ...process.env, HOME: home, LD_LIBRARY_PATH: join(here, "lib") },
});
try {
  const page = await browser.newPage({ locale: "en-US" });
  if (what === "perfetto") {
    const server = await perfetto(page, ...rest);
    await page.screenshot({ path: out });
    server.close();
    server.closeAllConnections();
  } else if (what === "dashboard") {
    const server = await dashboard(page, ...rest);
    await page.locator("#dashboard").screenshot({ path: out });
    server.close();
    server.closeAllConnections();
  } else {
    await page.goto(pathToFileURL(rest[0]).href);
    await page.locator("pre").screenshot({ path: out });
  }
} finally {
  await browser.close();
  rmSync(home, { recursive: true, force: true });
}
