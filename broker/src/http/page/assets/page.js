// The page asks /live each second and shows what it says. Nothing is kept here: reloading loses nothing.

import { average, byteRate, bytes, count, duration, percent, rate, seconds, things } from "./format.js";

const EVERY_MS = 1000;
const CHARTS_EVERY_MS = 2000;
const ANSWER_MAX_MS = 5000;
const ROWS_MAX = 50;

const byId = (id) => document.getElementById(id);

// An element with attributes and children; text is text, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- Tiles

function tiles(live) {
  const { rates, journal, disk, process, groups, processors } = live;
  const produce = live.requests.find((request) => request.api === "Produce");
  const lag = groups.reduce((sum, group) => sum + group.lag, 0);
  const late = processors.reduce((sum, processor) => sum + processor.late_drops, 0);
  const used = disk.size_bytes > 0 ? 1 - disk.free_bytes / disk.size_bytes : 0;
  const full = journal.max_bytes > 0 ? journal.used_bytes / journal.max_bytes : 0;
  return [
    ["records-in", "Records in", rate(rates.records_in, "rec/s"), byteRate(rates.bytes_in)],
    ["records-out", "Records out", rate(rates.records_out, "rec/s"), byteRate(rates.bytes_out)],
    ["produce", "Produce, p99", seconds(produce?.p99), `median ${seconds(produce?.p50)}`],
    ["sync", "Journal sync, p99", seconds(journal.p99), `${rate(journal.syncs, "syncs/s")}, ${average(journal.groups_per_sync)} appends each`],
    ["lag", "Lag of all groups", things(lag, "record"), things(groups.length, "group")],
    ["late", "Late drops", things(late, "record"), things(processors.length, "processor")],
    ["requests", "Requests", rate(rates.requests, "req/s"), things(process.connections, "connection")],
    ["errors", "Errors told", rate(rates.errors, "err/s"), "to clients"],
    ["journal", "Journal", percent(full), `of ${bytes(journal.max_bytes)} used`, full],
    ["disk", "Disk", percent(used), `${bytes(disk.free_bytes)} free of ${bytes(disk.size_bytes)}`, used],
    ["memory", "Memory", bytes(process.memory_bytes), things(process.threads, "thread")],
    ["cpu", "CPU", `${average(process.cpus)} cores`, things(process.open_files, "open file")],
  ];
}

function showTiles(live) {
  for (const [id, title, figure, below, share] of tiles(live)) {
    const tile = byId(`tile-${id}`) ?? addTile(id, title, share !== undefined);
    const [number, ...unit] = figure.split(" ");
    setText(tile.querySelector(".number"), number);
    setText(tile.querySelector(".unit"), unit.join(" "));
    setText(tile.querySelector(".below"), below);
    const meter = tile.querySelector("meter");
    if (meter) meter.value = share;
  }
}

function figure() {
  return make("span", { class: "figure" }, make("span", { class: "number" }), " ", make("span", { class: "unit" }));
}

function addTile(id, title, hasMeter) {
  const figures = make("dd", {}, figure(), make("span", { class: "below" }));
  if (hasMeter) {
    figures.append(make("meter", { min: 0, max: 1, low: 0.8, high: 0.9, optimum: 0, "aria-label": `${title} used` }));
  }
  const tile = make("div", { id: `tile-${id}`, class: "tile" }, make("dt", {}, title), figures);
  byId("tiles").append(tile);
  return tile;
}

// ---- Tables

// As Kafka does, the broker keeps what it needs for itself in topics that begin so.
function isInternal(topic) {
  return topic.name.startsWith("__");
}

// As 5 running, 1 failed.
function tasksByState({ tasks }) {
  const states = Object.entries(tasks).sort(([, some], [, others]) => others - some);
  return states.map(([state, number]) => `${count(number)} ${state}`).join(", ") || "none";
}

// A column: its title, what a cell says, and whether it is a figure. Details are what opens below a row.
const TABLES = {
  topics: {
    rows: (live) => [...live.topics].sort((one, other) => isInternal(one) - isInternal(other)),
    fades: isInternal,
    columns: [
      ["Topic", (topic) => topic.name],
      ["Partitions", (topic) => count(topic.partitions)],
      ["Records in", (topic) => rate(topic.records_in, "rec/s")],
      ["Bytes in", (topic) => byteRate(topic.bytes_in)],
      ["Records out", (topic) => rate(topic.records_out, "rec/s")],
      ["Bytes out", (topic) => byteRate(topic.bytes_out)],
      ["Size", (topic) => bytes(topic.size_bytes)],
    ],
  },
  groups: {
    rows: (live) => live.groups,
    columns: [
      ["Group", (group) => group.name],
      ["Members", (group) => count(group.members)],
      ["Partitions", (group) => count(group.partitions.length)],
      ["Lag", (group) => things(group.lag, "record")],
    ],
    warns: (group) => group.lag > 0 && group.members === 0,
    details: {
      title: "Lag by partition",
      rows: (group) => group.partitions.map((lag) => ({ ...lag, name: `${lag.topic} ${lag.partition}` })),
      columns: [
        ["Topic", (lag) => lag.topic],
        ["Partition", (lag) => count(lag.partition)],
        ["Lag", (lag) => things(lag.lag, "record")],
      ],
    },
  },
  processors: {
    rows: (live) => live.processors,
    columns: [
      ["Processor", (processor) => processor.name],
      ["Tasks", tasksByState],
      ["Buffered", (processor) => `${things(processor.buffered_records, "record")}, ${bytes(processor.buffered_bytes)}`],
      ["Records in", (processor) => rate(processor.records_in, "rec/s")],
      ["Records out", (processor) => rate(processor.records_out, "rec/s")],
      ["Commits", (processor) => rate(processor.commits, "commits/s")],
      ["Watermark behind", (processor) => seconds(processor.watermark_delay)],
      ["Late drops", (processor) => things(processor.late_drops, "record")],
    ],
    warns: (processor) => processor.late_drops > 0 || "failed" in processor.tasks,
    details: {
      title: "Nodes",
      rows: (processor) => processor.nodes,
      columns: [
        ["Node", (node) => node.name],
        ["Records in", (node) => rate(node.records_in, "rec/s")],
        ["Records out", (node) => rate(node.records_out, "rec/s")],
        ["Late drops", (node) => things(node.late_drops, "record")],
        ["Errors", (node) => things(node.errors, "record")],
      ],
    },
  },
  requests: {
    rows: (live) => live.requests.map((request) => ({ ...request, name: request.api })),
    columns: [
      ["API", (request) => request.api],
      ["Rate", (request) => rate(request.rate, "req/s")],
      ["p50", (request) => seconds(request.p50)],
      ["p95", (request) => seconds(request.p95)],
      ["p99", (request) => seconds(request.p99)],
      ["Errors", (request) => rate(request.errors, "err/s")],
    ],
  },
};

// What a person has opened or asked for.
const shownWhole = new Set();
const opened = new Set();

function showTable(id, live) {
  const spec = TABLES[id];
  const section = byId(id);
  const table = section.querySelector("table");
  const all = spec.rows(live);
  const filter = filterOf(id, section, all.length);
  const matching = all.filter((row) => row.name.includes(filter));
  const rows = shownWhole.has(id) ? matching : matching.slice(0, ROWS_MAX);
  setText(section.querySelector(".count"), all.length > 0 ? count(all.length) : "");
  section.querySelector(".empty").hidden = all.length > 0;
  table.hidden = all.length === 0;
  fill(table, id, spec, rows);
  offerRest(id, section, matching.length - rows.length);
}

// Many rows can be searched; the field appears with them.
function filterOf(id, section, length) {
  let field = section.querySelector("input");
  if (!field && length > 10) {
    field = make("input", { type: "search", placeholder: "Filter by name", "aria-label": `Filter ${id} by name` });
    section.querySelector(".title").append(field);
    field.addEventListener("input", () => latest && showTable(id, latest));
  }
  if (field) field.hidden = length <= 10 && field.value === "";
  return field?.value ?? "";
}

function offerRest(id, section, left) {
  let button = section.querySelector("button.rest");
  if (!button) {
    button = make("button", { type: "button", class: "rest" });
    button.addEventListener("click", () => {
      shownWhole.add(id);
      showTable(id, latest);
    });
    section.querySelector("table").after(button);
  }
  button.hidden = left <= 0;
  setText(button, `Show ${count(Math.max(left, 0))} more`);
}

// Rows are kept by their names, so that focus, selection and what is open stay where they are.
function fill(table, id, spec, rows) {
  if (!table.tHead) addHead(table, spec);
  const body = table.tBodies[0] ?? table.appendChild(make("tbody", { role: "rowgroup" }));
  const kept = new Map([...body.children].map((row) => [row.dataset.key, row]));
  let last = null;
  const place = (row) => {
    const next = last ? last.nextElementSibling : body.firstElementChild;
    if (next !== row) body.insertBefore(row, next);
    kept.delete(row.dataset.key);
    last = row;
  };
  for (const item of rows) {
    const row = kept.get(`=${item.name}`) ?? addRow(id, spec, item);
    spec.columns.forEach(([, text], at) => setText(row.cells[at].querySelector(".value"), text(item)));
    row.classList.toggle("warns", spec.warns?.(item) ?? false);
    row.classList.toggle("fades", spec.fades?.(item) ?? false);
    place(row);
    if (spec.details) {
      const below = showDetails(id, spec, item, row, kept);
      if (below) place(below);
    }
  }
  kept.forEach((row) => row.remove());
}

function addHead(table, spec) {
  table.setAttribute("role", "table");
  const cells = spec.columns.map(([title]) => make("th", { scope: "col", role: "columnheader" }, title));
  table.append(make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...cells)));
}

function addRow(id, spec, item) {
  const cells = spec.columns.map(([title], at) => {
    const value = make("span", { class: "value" });
    return at === 0
      ? make("th", { scope: "row", role: "rowheader" }, value)
      : make("td", { role: "cell", "data-label": title }, value);
  });
  const row = make("tr", { role: "row", "data-key": `=${item.name}`, "data-name": item.name }, ...cells);
  if (spec.details) {
    const key = `${id}=${item.name}`;
    const toggle = make("button", { type: "button", class: "toggle", "aria-expanded": "false" }, ...cells[0].childNodes);
    toggle.addEventListener("click", () => {
      if (!opened.delete(key)) opened.add(key);
      showTable(id, latest);
    });
    cells[0].append(toggle);
  }
  return row;
}

function showDetails(id, spec, item, row, kept) {
  const rows = spec.details.rows(item);
  const isOpen = opened.has(`${id}=${item.name}`) && rows.length > 0;
  const toggle = row.querySelector(".toggle");
  toggle.disabled = rows.length === 0;
  toggle.setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) return null;
  let below = kept.get(`+${item.name}`);
  if (!below) {
    const table = make("table", { "aria-label": `${spec.details.title} of ${item.name}` });
    const cell = make("td", { colspan: spec.columns.length, role: "cell" }, table);
    below = make("tr", { role: "row", class: "details", "data-key": `+${item.name}` }, cell);
  }
  fill(below.querySelector("table"), id, spec.details, rows);
  return below;
}

// ---- Charts

const FIGURES = { records: (value) => rate(value, "rec/s"), bytes: byteRate, seconds };

function showChart(chart) {
  const figure = byId(`chart-${chart.id}`) ?? addChart(chart);
  figure.chart = chart;
  const svg = new DOMParser().parseFromString(chart.svg, "image/svg+xml").documentElement;
  svg.setAttribute("aria-hidden", "true");
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  figure.querySelector(".plot svg")?.remove();
  figure.querySelector(".plot").prepend(document.importNode(svg, true));
  if (figure.share === undefined) showFigures(figure, chart, chart.lines.map((line) => line.values.at(-1)));
  else showAt(figure);
}

function addChart(chart) {
  const lines = chart.lines.map((line, at) =>
    make("span", { class: `line line-${at + 1}` }, `${line.name} `, make("b", {}, "")));
  const caption = make("figcaption", {}, make("span", { class: "name" }, chart.title), ...lines, make("span", { class: "when" }));
  const plot = make("div", { class: "plot" }, make("div", { class: "cursor", hidden: "" }));
  const figure = make("figure", { id: `chart-${chart.id}`, class: "chart" }, caption, plot);
  plot.addEventListener("pointermove", (event) => point(figure, event));
  plot.addEventListener("pointerdown", (event) => point(figure, event));
  plot.addEventListener("pointerleave", () => unpoint(figure));
  byId("charts").append(figure);
  return figure;
}

function showFigures(figure, chart, values, ago = 0) {
  const text = FIGURES[chart.unit];
  figure.querySelectorAll("figcaption b").forEach((element, at) => {
    const value = values[at];
    setText(element, value === null || value === undefined ? "–" : text(value));
  });
  setText(figure.querySelector(".when"), ago > 0 ? `${duration(ago)} ago` : "");
}

function point(figure, event) {
  const box = figure.querySelector(".plot").getBoundingClientRect();
  const { left, right } = figure.chart;
  const share = ((event.clientX - box.left) / box.width - left) / (right - left);
  figure.share = Math.min(Math.max(share, 0), 1);
  showAt(figure);
}

function unpoint(figure) {
  figure.share = undefined;
  figure.querySelector(".cursor").hidden = true;
  showFigures(figure, figure.chart, figure.chart.lines.map((line) => line.values.at(-1)));
}

function showAt(figure) {
  const { chart, share } = figure;
  const ago = Math.round((1 - share) * chart.seconds);
  const cursor = figure.querySelector(".cursor");
  cursor.hidden = false;
  cursor.style.left = `${100 * (chart.left + (chart.right - chart.left) * (1 - ago / chart.seconds))}%`;
  showFigures(figure, chart, chart.lines.map((line) => line.values.at(-1 - ago)), ago);
}

// ---- The clockwork

let latest = null;
let latestAt = null;

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function show(live) {
  latest = live;
  latestAt = new Date();
  setText(byId("version"), `version ${live.broker.version}`);
  setText(byId("uptime"), `up ${duration(live.broker.uptime_seconds)}`);
  setText(byId("window"), `the last ${average(live.rates.over_seconds)} seconds`);
  showTiles(live);
  Object.keys(TABLES).forEach((id) => showTable(id, live));
  const reason = live.broker.not_ready;
  showState(reason ? "waiting" : "live", reason ? `not ready: ${reason}` : "live");
}

function showState(state, text) {
  byId("state").dataset.state = state;
  setText(byId("state"), text);
  document.body.classList.toggle("is-stale", state === "stale");
  byId("stale").hidden = state !== "stale";
}

function showStale() {
  const since = latestAt
    ? `The broker does not answer. These figures are of ${latestAt.toLocaleTimeString()}.`
    : "The broker does not answer.";
  setText(byId("stale"), since);
  showState("stale", "no answer");
}

// A page that nobody looks at asks for nothing.
async function every(milliseconds, work) {
  for (;;) {
    const begin = performance.now();
    if (!document.hidden) await work();
    const left = milliseconds - (performance.now() - begin);
    await new Promise((done) => setTimeout(done, Math.max(left, 50)));
  }
}

every(EVERY_MS, async () => {
  let live;
  try {
    live = await ask("/live");
  } catch {
    return showStale();
  }
  show(live);
});

every(CHARTS_EVERY_MS, async () => {
  const width = Math.round(document.querySelector(".plot")?.clientWidth ?? Math.min(byId("charts").clientWidth - 18, 560));
  let charts;
  try {
    charts = await ask(`/live/charts/${Math.min(Math.max(width, 160), 2000)}`);
  } catch {
    // The figures above tell that there is no answer.
    return;
  }
  charts.forEach(showChart);
});
