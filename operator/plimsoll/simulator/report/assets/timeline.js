// What happened over time under one policy with one seed.

function drawCost(place, scenario, run, withPaid) {
  emptied(place);
  const shown = scenario.pools.map((pool, index) => ({ ...pool, index, values: run.pools[index] || [] }))
    .filter((pool) => (withPaid || pool.kind !== "Paid") && pool.values.some((value) => value > 0));
  if (!shown.length) { place.append(put("p", { class: "about" }, "No node was on the bill.")); return; }
  const sums = run.edges.slice(0, -1).map((_, at) => shown.reduce((sum, pool) => sum + (pool.values[at] || 0), 0));
  const id = (pool) => `pool-${pool.index}`;
  place.append(legend(shown.map((pool) => [put("svg:rect", { x: 1, y: 1, width: 28, height: 12, fill: `url(#${id(pool)})`, stroke: colour(pool.index) }), `${pool.name}, ${kindOf(pool.kind)} at ${number(pool.usd_per_hour)} USD/h`])));
  const frame = timeFrame(place, { edges: run.edges, top: roof(sums) * 1.06, height: 260, name: `Cost by pool under ${run.policy}`, label: "USD per hour by pool, stacked", unit: "",
    texts: (at) => [`all: ${number(sums[at])} USD/h`, ...[...shown].reverse().map((pool) => `${pool.name}: ${number(pool.values[at])}`)].join("\n") });
  const defs = put("svg:defs", {}, ...shown.map((pool) => hatch(pool.index, id(pool))));
  frame.svg.append(defs);
  let below = sums.map(() => 0);
  for (const pool of shown) {
    const above = below.map((value, at) => value + (pool.values[at] || 0));
    const down = steps(frame, below).split(/(?=[ML])/).map((part) => part.slice(1).split("H"));
    const back = down.reverse().map(([start, end]) => `L${end} ${start.split(" ")[1]}H${start.split(" ")[0]}`).join("");
    frame.svg.append(put("svg:path", { class: "area", d: `${steps(frame, above)}${back}z`, fill: `url(#${id(pool)})`, stroke: "var(--card)", "stroke-width": 0.8 }));
    below = above;
  }
  finish(frame);
}

function kindOf(kind) {
  return { Paid: "paid for", OnDemand: "on demand", Spot: "spot" }[kind] || kind;
}

const LINES = {
  ready: { stroke: "var(--ready)", "stroke-width": 1.8, "stroke-dasharray": "2 3" },
  safe: { stroke: "var(--safe)", "stroke-width": 2, "stroke-dasharray": "9 4" },
  demand: { stroke: "var(--demand)", "stroke-width": 1.8 },
};
const LINE_NAMES = { demand: "demand", safe: "safe line", ready: "ready capacity" };

function drawCapacity(place, run, series, model) {
  emptied(place);
  if (!series) { place.append(put("p", { class: "about" }, "No series of this model.")); return; }
  place.append(legend(Object.entries(LINE_NAMES).map(([key, name]) => [lineSwatch(LINES[key]), name]).concat([[put("svg:rect", { x: 1, y: 2, width: 28, height: 10, fill: "var(--bad)", opacity: 0.3 }), "demand above the safe line"]])));
  // Ready capacity may be many times the rest, and is of no interest up there.
  const useful = Math.max(roof(series.demand), roof(series.safe)), top = Math.min(roof(series.ready), useful * 1.6);
  const frame = timeFrame(place, { edges: run.edges, top: Math.max(top, useful) * 1.06, height: 270, name: `Demand, ready capacity and safe line of ${model} under ${run.policy}`, label: "Requests per second", unit: "rps",
    texts: (at) => Object.entries(LINE_NAMES).map(([key, name]) => `${name}: ${number(series[key][at])}/s`).join("\n") });
  const clip = put("svg:clipPath", { id: "plot-capacity" }, put("svg:rect", { x: LEFT, y: TOP - 2, width: frame.right - LEFT, height: frame.bottom - TOP + 3 }));
  frame.svg.append(clip);
  let over = "";
  series.demand.forEach((value, at) => {
    if (value <= series.safe[at]) return;
    const left = frame.x(frame.edges[at]), right = frame.x(frame.edges[at + 1]);
    over += `M${left.toFixed(1)} ${frame.y(value).toFixed(1)}H${right.toFixed(1)}V${frame.y(series.safe[at]).toFixed(1)}H${left.toFixed(1)}z`;
  });
  if (over) frame.svg.append(put("svg:path", { d: over, fill: "var(--bad)", opacity: 0.3 }));
  for (const key of ["ready", "safe", "demand"]) frame.svg.append(put("svg:path", { class: `line ${key}`, d: steps(frame, series[key]), fill: "none", "clip-path": "url(#plot-capacity)", ...LINES[key] }));
  finish(frame);
}

// --- Latency ----------------------------------------------------------------

const QUANTILES = {
  p50: { stroke: "var(--c4)", "stroke-width": 1.5 },
  p95: { stroke: "var(--c0)", "stroke-width": 1.7, "stroke-dasharray": "6 3" },
  p99: { stroke: "var(--demand)", "stroke-width": 1.5, "stroke-dasharray": "2 2.5" },
};
const LATENCIES = { ttft: "Time to first token", tpot: "Time per output token", e2e: "End to end" };

function drawLatencies(place, run, series, model) {
  emptied(place);
  const told = (series ? series.latencies : []).map((one) => {
    const name = LATENCIES[one.metric] || one.metric, box = put("div", { class: "chart", id: `latency-${one.metric}` });
    const promise = one.limit === null ? "no limit in the SLO" : `p${Number((one.quantile * 100).toFixed(2))} within ${duration(one.limit)}`;
    place.append(put("div", {}, put("h4", {}, `${name}: ${promise}`), box));
    return { one, name, box, promise };
  });
  // All boxes first: how many there are decides how wide each is.
  for (const { one, name, box, promise } of told) {
    box.append(legend([...Object.entries(QUANTILES).map(([key, style]) => [lineSwatch(style), key]), ...(one.limit === null ? [] : [[lineSwatch(LIMIT), "SLO limit"]])]));
    const all = [...one.p50, ...one.p95, ...one.p99].filter((value) => value !== null && value >= 0);
    // A backlog of minutes would press everything else flat: what is above is cut, and the tooltip says how much.
    const top = one.limit === null ? roof(all) : Math.min(Math.max(roof(all), one.limit * 1.3), one.limit * 4);
    const frame = timeFrame(box, { edges: run.edges, top: top * 1.04, height: 210, name: `${name} of ${model} under ${run.policy}, ${promise}`, label: "Latency in ms at p50, p95 and p99", unit: "ms",
      texts: (at) => Object.keys(QUANTILES).map((key) => `${key}: ${latencyText(one[key][at])}`).join("\n") });
    const id = `plot-${one.metric}`;
    frame.svg.append(put("svg:clipPath", { id }, put("svg:rect", { x: LEFT, y: TOP - 2, width: frame.right - LEFT, height: frame.bottom - TOP + 3 })));
    const capped = (values) => values.map((value) => (value === null ? null : value < 0 ? top * 2 : Math.min(value, top * 2)));
    for (const [key, style] of Object.entries(QUANTILES)) frame.svg.append(put("svg:path", { class: `line ${key}`, d: steps(frame, capped(one[key])), fill: "none", "clip-path": `url(#${id})`, ...style }));
    if (one.limit !== null) frame.svg.append(put("svg:path", { class: "limit", d: `M${LEFT} ${frame.y(one.limit)}H${frame.right}`, ...LIMIT }));
    finish(frame);
  }
}

const LIMIT = { stroke: "var(--safe)", "stroke-width": 2, "stroke-dasharray": "9 4", fill: "none" };

function latencyText(value) {
  return value === null ? "no request" : value < 0 ? "no answer" : duration(value);
}

// --- Moves ------------------------------------------------------------------

const MOST_LANES = 14;

// A lane a variant, a mark a move: its shape says why, up is more replicas (full), down is fewer (hollow).
function drawMoves(place, run, moves) {
  emptied(place);
  if (!moves.length) { place.append(put("p", { class: "about" }, "It moved nothing.")); return; }
  const reasons = run.reasons.map(([reason]) => reason), often = new Map();
  for (const [, key] of moves) often.set(key, (often.get(key) || 0) + 1);
  const lanes = [...often].sort((a, b) => b[1] - a[1]).slice(0, MOST_LANES).map(([key]) => key).sort();
  const used = reasons.filter((reason) => moves.some((move) => move[4] === reason));
  place.append(legend([...used.map((reason) => [put("svg:path", { transform: "translate(15 7)", d: shape(reasons.indexOf(reason), 5.5), fill: colour(reasons.indexOf(reason)) }), reason]),
    [put("svg:path", { d: "M9 11l6-9 6 9z", fill: "var(--quiet)" }), "above the line: more replicas"], [put("svg:path", { d: "M9 3l6 9 6-9z", fill: "var(--card)", stroke: "var(--quiet)", "stroke-width": 1.5 }), "below, hollow: fewer"]]));
  const row = 46, shown = moves.filter((move) => lanes.includes(move[1]));
  const texts = (at) => {
    const now = shown.filter((move) => move[0] >= run.edges[at] && move[0] < run.edges[at + 1]);
    return now.length ? now.slice(0, 4).map(moveText).join("\n") + (now.length > 4 ? `\nand ${now.length - 4} more` : "") : "no move";
  };
  const frame = timeFrame(place, { edges: run.edges, top: 1, height: TOP + BOTTOM + lanes.length * row, name: `Moves of ${lanes.length} variants under ${run.policy}, with their reasons`, label: `${shown.length} moves`, unit: "none", texts });
  lanes.forEach((lane, index) => {
    const middle = TOP + index * row + 30;
    frame.svg.append(put("svg:path", { d: `M${LEFT} ${middle}H${frame.right}`, stroke: "var(--line)" }));
    for (const move of shown.filter((one) => one[1] === lane)) {
      const up = move[3] > move[2], kind = reasons.indexOf(move[4]), size = 3.4 + Math.min(3, Math.abs(move[3] - move[2]) * 0.5);
      frame.svg.append(put("svg:path", { class: "move", transform: `translate(${frame.x(move[0]).toFixed(1)} ${middle + (up ? -8 : 8)})`, d: shape(kind, size), fill: up ? colour(kind) : "var(--card)", stroke: colour(kind), "stroke-width": 1.5 }));
    }
    frame.svg.append(put("svg:text", { x: 4, y: middle - 15, class: "halo light" }, lane));
  });
  finish(frame);
}

function moveText([, key, before, after, reason, message]) {
  return `${key}: ${before} → ${after}, ${reason}${message ? `: ${message}` : ""}`;
}

function listMoves(table, run, moves) {
  const head = ["When", "Variant", "From", "To", "Reason", "In words"];
  table.replaceChildren(put("thead", {}, put("tr", {}, ...head.map((name) => put("th", { scope: "col" }, name)))),
    put("tbody", {}, ...moves.map(([at, key, before, after, reason, message]) => put("tr", {}, put("td", {}, moment(at, run.edges[run.edges.length - 1])), put("td", { class: "left" }, key), put("td", {}, before), put("td", {}, after), put("td", { class: "left" }, reason), put("td", { class: "words-cell" }, message)))));
}
