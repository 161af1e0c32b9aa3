// What the Node client's program needs: the access log, the cases, and how a result is told.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";

export const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
export const MIB = 1 << 20;
const DEADLINE_MS = 60_000;

const text = { type: "string", default: "" };
const NAMES = ["bootstrap", "tag", "seen", "case", "log", "member", "group", "kind", "session"];
export const OPTIONS = parseArgs({ options: Object.fromEntries(NAMES.map((name) => [name, text])) }).values;

export const LINES = gunzipSync(readFileSync(OPTIONS.log)).toString().trimEnd().split("\n");

/** One client's run: prints a line per case and ends with how many there were. */
export class Run {
  #cases = 0;

  constructor(client) {
    this.client = client;
    this.bootstrap = OPTIONS.bootstrap;
  }

  topic(name) {
    return `interop-${OPTIONS.tag}-${this.client}-${name}`;
  }

  /** Runs one case; an exception is its failure. */
  async case(name, body) {
    if (!name.includes(OPTIONS.case)) return;
    this.#cases += 1;
    const start = performance.now();
    try {
      await body();
      console.log(`ok   ${this.client}: ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      console.error(error);
      console.log(`FAIL ${this.client}: ${name}: ${String(error.message).slice(0, 400).replaceAll("\n", " ")}`);
    }
  }

  done() {
    console.log(`done ${this.client}: ${this.#cases} cases`);
  }

  /** Fails unless the proxy, where there is one, saw this client id produce with this compression. */
  checkCodec(clientId, codec) {
    if (!OPTIONS.seen) return;
    const rows = readFileSync(OPTIONS.seen, "utf8").trimEnd().split("\n").map((row) => JSON.parse(row));
    const codecs = rows.filter((row) => row.client === clientId && row.codec).map((row) => row.codec);
    assert.deepEqual(new Set(codecs), new Set([codec]), `compression that ${clientId} produced with`);
  }
}

/** Waits for the condition; fails when it never comes. */
export async function until(what, condition) {
  for (const end = performance.now() + DEADLINE_MS; !(await condition()); await sleep(50)) {
    assert(performance.now() < end, `${what}: not within ${DEADLINE_MS} ms`);
  }
}
