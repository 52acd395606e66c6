// Loads a trace into Perfetto's trace processor (the WebAssembly one of its UI) and runs SQL on it.
// node query.mjs FOLDER TRACE QUERY...: prints one JSON array of rows per query.
// FOLDER has engine_bundle.js and trace_processor.wasm of a release of the UI. The messages are those of
// protos/perfetto/trace_processor/trace_processor.proto.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';

const [folder, trace, ...queries] = process.argv.slice(2);
const APPEND = 1, FINALIZE = 2, QUERY = 3;

function varint(value) {
  const bytes = [];
  for (let v = BigInt(value); ; v >>= 7n) {
    if (v < 128n) return Buffer.from([...bytes, Number(v)]);
    bytes.push(Number(v & 127n) | 128);
  }
}
const field = (number, bytes) => Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
let seq = 0;
function request(method, args = Buffer.alloc(0)) {
  const head = Buffer.concat([varint(1 << 3), varint(seq++), varint(2 << 3), varint(method)]);
  return field(1, Buffer.concat([head, args]));
}

function* fields(bytes) {
  let at = 0;
  const number = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(number());
    let value;
    switch (key & 7) {
      case 0: value = number(); break;
      case 1: value = bytes.subarray(at, (at += 8)); break;
      case 2: { const n = Number(number()); value = bytes.subarray(at, (at += n)); break; }
      default: throw new Error(`wire type ${key & 7}`);
    }
    yield [key >> 3, value];
  }
}
function* varints(bytes) {
  for (let at = 0; at < bytes.length; ) {
    let value = 0n;
    for (let shift = 0n, byte = 128; byte >= 128; shift += 7n) {
      byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
    }
    yield value;
  }
}

// A cell batch: types first, then the values of each type in a row of their own. The cells as JSON: its
// integers have 64 bits, JavaScript's numbers do not.
function cells(batch) {
  const types = [], ints = [], doubles = [], strings = [];
  for (const [number, value] of fields(batch)) {
    if (number === 1) types.push(...[...varints(value)].map(Number));
    if (number === 2) ints.push(...[...varints(value)].map((v) => BigInt.asIntN(64, v)));
    if (number === 3) for (let i = 0; i < value.length; i += 8) doubles.push(value.readDoubleLE(i));
    if (number === 5) strings.push(...value.toString('utf8').split('\0'));
  }
  let [i, d, t] = [0, 0, 0];
  const of = {
    1: () => 'null',
    2: () => String(ints[i++]),
    3: () => JSON.stringify(doubles[d++]),
    4: () => JSON.stringify(strings[t++]),
  };
  return types.map((type) => of[type]());
}

let columns = 0, row = [], answer = [];
function replied(bytes) {
  for (const [, message] of fields(bytes)) {
    for (const [number, value] of fields(message)) {
      if (number === 5) throw new Error(value.toString());
      if (number === 201 || number === 203 || number === 210) {
        for (const [n, v] of fields(value)) {
          if (n === 2 && v.length) throw new Error(v.toString());
          if (number !== 203) continue;
          if (n === 1) columns += 1;
          if (n === 3) {
            for (const cell of cells(v)) {
              row.push(cell);
              if (row.length === columns) { answer.push(`[${row.join(',')}]`); row = []; }
            }
          }
        }
      }
    }
  }
}

// What a worker of a browser has, and the bundle asks for.
const host = process;
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = function () {};
globalThis.location = { href: 'file:///engine_bundle.js' };
globalThis.importScripts = () => {};
globalThis.XMLHttpRequest = class {
  open(_, url) { this.url = String(url); }
  send() {
    const bytes = fs.readFileSync(path.join(folder, path.basename(this.url)));
    this.response = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    this.status = 200;
  }
};
console.warn = () => {};
console.log = () => {};
globalThis.fetch = async (url) => {
  const bytes = fs.readFileSync(path.join(folder, path.basename(String(url))));
  return new Response(bytes, { headers: { 'Content-Type': 'application/wasm' } });
};
globalThis.process = undefined;
vm.runInThisContext(fs.readFileSync(path.join(folder, 'engine_bundle.js'), 'utf8'));
const port = { postMessage: (bytes) => replied(Buffer.from(bytes)) };
self.onmessage({ data: port });
const send = (bytes) => port.onmessage({ data: new Uint8Array(bytes) });
const waited = Date.now() + 60_000;

function run() {
  try {
    send(request(APPEND, field(101, Buffer.alloc(0))));
  } catch (error) {
    // The module is still being compiled.
    if (Date.now() > waited) { host.stderr.write(`${error.stack}\n`); host.exit(1); }
    setTimeout(run, 50);
    seq = 0;
    return;
  }
  const file = fs.openSync(trace);
  const chunk = Buffer.alloc(1 << 20);
  for (let n; (n = fs.readSync(file, chunk)) > 0; ) send(request(APPEND, field(101, chunk.subarray(0, n))));
  send(request(FINALIZE));
  let text = '';
  for (const query of queries) {
    columns = 0; row = []; answer = [];
    send(request(QUERY, field(103, field(1, Buffer.from(query)))));
    text += `[${answer.join(',')}]\n`;
  }
  host.stdout.write(text, () => host.exit(0));
}
setTimeout(() => {
  try { run(); } catch (error) { host.stderr.write(`${error.message}\n`); host.exit(1); }
}, 500);
