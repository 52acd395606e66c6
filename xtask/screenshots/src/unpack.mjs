// Unpacks Chromium from its npm package into `chromium` beside this script.
import { execFileSync } from "node:child_process";
import { chmodSync, createReadStream, createWriteStream, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const here = import.meta.dirname;
const packed = join(here, "node_modules/@sparticuz/chromium/bin");
const to = join(here, "chromium");
mkdirSync(to, { recursive: true });
const unpack = (name, file) =>
  pipeline(createReadStream(join(packed, name)), createBrotliDecompress(), createWriteStream(join(to, file)));
await unpack("chromium.br", "chromium");
chmodSync(join(to, "chromium"), 0o755);
for (const name of ["al2023", "fonts"]) {
  await unpack(`${name}.tar.br`, `${name}.tar`);
  execFileSync("tar", ["-xf", join(to, `${name}.tar`), "-C", to]);
  rmSync(join(to, `${name}.tar`));
}
