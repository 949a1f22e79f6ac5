// Latency of one model against its SLO.

const QUANTILES = {
  p50: { stroke: "var(--c4)", "stroke-width": 1.5 },
  p95: { stroke: "var(--c0)", "stroke-width": 1.7, "stroke-dasharray": "6 3" },
  p99: { stroke: "var(--demand)", "stroke-width": 1.5, "stroke-dasharray": "2 2.5" },
};
const LATENCIES = { ttft: "Time to first token", tpot: "Time per output token", e2e: "End to end" };
const LIMIT = { stroke: "var(--safe)", "stroke-width": 2, "stroke-dasharray": "9 4", fill: "none" };
const MOST_TIMES_LIMIT = 4;

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
    // A backlog of minutes would press everything else flat: what is above is cut, and said at the edge.
    const top = (one.limit === null ? roof(all) : Math.min(Math.max(roof(all), one.limit * 1.3), one.limit * MOST_TIMES_LIMIT)) * 1.04;
    const frame = timeFrame(box, { edges: run.edges, top, height: 236, name: `${name} of ${model} under ${run.policy}, ${promise}, at p50, p95 and p99`, axis: "latency", unit: "ms",
      texts: (at) => Object.keys(QUANTILES).map((key) => `${key}: ${latencyText(one[key][at])}`).join("\n") });
    const clip = clipped(frame, `plot-${one.metric}`);
    const capped = (values) => values.map((value) => (value === null ? null : value < 0 ? top * 2 : Math.min(value, top * 2)));
    for (const [key, style] of Object.entries(QUANTILES)) frame.svg.append(put("svg:path", { class: `line ${key}`, d: steps(frame, capped(one[key])), fill: "none", "clip-path": clip, ...style }));
    if (one.limit !== null) frame.svg.append(put("svg:path", { class: "limit", d: `M${LEFT} ${frame.y(one.limit)}H${frame.right}`, ...LIMIT }));
    cutSign(frame, (at) => Object.keys(QUANTILES).some((key) => isBeyond(one[key][at], top)), beyondText(one, all, top), "var(--bad)");
    finish(frame);
  }
}

function isBeyond(value, top) {
  return value !== null && (value < 0 || value > top);
}

function beyondText(one, all, top) {
  const most = roof(all), unanswered = Object.keys(QUANTILES).some((key) => one[key].some((value) => value !== null && value < 0));
  return `↑ ${[most > top ? `max ${duration(most)}` : null, unanswered ? "some got no answer" : null].filter(Boolean).join(", ")}`;
}

function latencyText(value) {
  return value === null ? "no request" : value < 0 ? "no answer" : duration(value);
}
