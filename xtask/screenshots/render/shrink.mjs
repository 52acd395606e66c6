// shrink.mjs PICTURE.png: brings it down to 256 colours, a third of its size.
import { readFileSync, writeFileSync } from "node:fs";
import UPNG from "upng-js";

const [file] = process.argv.slice(2);
const picture = UPNG.decode(readFileSync(file));
const [pixels] = UPNG.toRGBA8(picture);
writeFileSync(file, Buffer.from(UPNG.encode([pixels], picture.width, picture.height, 256)));
