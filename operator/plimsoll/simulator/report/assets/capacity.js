// Demand against what is ready: of one model, or of all together.

const LINES = {
  ready: { stroke: "var(--ready)", "stroke-width": 1.8, "stroke-dasharray": "2 3" },
  safe: { stroke: "var(--safe)", "stroke-width": 2, "stroke-dasharray": "9 4" },
  demand: { stroke: "var(--demand)", "stroke-width": 1.8 },
};
const LINE_NAMES = { demand: "demand", safe: "safe line", ready: "ready capacity" };
const MOST_TIMES_DEMAND = 3;
// What is little higher is not worth a cut.
const HARDLY_MORE = 1.3;

const CAPACITY_ABOUT = "Demand that stays above the safe line takes latency out of the SLO; above ready capacity queues grow. Each point is the tightest minute of its interval.";
// The sum may be far below its line while one of its models is above its own.
const SUM_ABOUT = "Sums over all models, which share no line: one may be short of capacity while the sum is not. The red strip at the foot shows when a model was above its own safe line; choose a model above to see which. Each point is the tightest minute of its interval.";

function drawCapacity(place, run, series, model) {
  emptied(place);
  if (!series) { place.append(put("p", { class: "about" }, "No series of this model.")); return; }
  const isSum = Boolean(series.over), red = isSum ? "a model above its own safe line" : "demand above the safe line";
  place.append(legend(Object.entries(LINE_NAMES).map(([key, name]) => [lineSwatch(LINES[key]), isSum ? `${name}, sum` : name]).concat([[put("svg:rect", { x: 1, y: 2, width: 28, height: 10, fill: "var(--bad)", opacity: isSum ? 0.75 : 0.3 }), red]])));
  // Capacity may be many times demand, which would be a flat line under it.
  const demand = roof(series.demand), capacity = Math.max(roof(series.ready), roof(series.safe));
  const most = MOST_TIMES_DEMAND * demand, top = Math.max(demand, demand > 1e-6 && capacity > most * HARDLY_MORE ? most : capacity);
  const over = (at) => (isSum && series.over[at] ? `\nabove their own safe line: ${counted(series.over[at], "model")}` : "");
  const frame = timeFrame(place, { edges: run.edges, top: top * 1.06, height: 290, name: `Demand, ready capacity and safe line of ${model} under ${run.policy}`, axis: "requests per second", unit: "rps",
    texts: (at) => Object.entries(LINE_NAMES).map(([key, name]) => `${name}: ${number(series[key][at])}/s`).join("\n") + over(at) });
  const clip = clipped(frame, "plot-capacity");
  const shade = isSum ? strip(frame, series.over) : gap(frame, series);
  if (shade) frame.svg.append(put("svg:path", { class: "over", d: shade, fill: "var(--bad)", opacity: isSum ? 0.75 : 0.3, "clip-path": clip }));
  for (const key of ["ready", "safe", "demand"]) frame.svg.append(put("svg:path", { class: `line ${key}`, d: steps(frame, series[key]), fill: "none", "clip-path": clip, ...LINES[key] }));
  const beyond = ["ready", "safe"].filter((key) => roof(series[key]) > top * 1.06);
  cutSign(frame, (at) => beyond.some((key) => series[key][at] > top * 1.06), `↑ ${beyond.map((key) => `${LINE_NAMES[key]} up to ${number(roof(series[key]))}/s`).join(", ")}`, "var(--quiet)");
  finish(frame);
}

// What demand is above the line.
function gap(frame, series) {
  let d = "";
  series.demand.forEach((value, at) => {
    if (value <= series.safe[at]) return;
    const left = frame.x(frame.edges[at]), right = frame.x(frame.edges[at + 1]);
    d += `M${left.toFixed(1)} ${frame.y(value).toFixed(1)}H${right.toFixed(1)}V${frame.y(series.safe[at]).toFixed(1)}H${left.toFixed(1)}z`;
  });
  return d;
}

function strip(frame, counts) {
  let d = "";
  counts.forEach((count, at) => {
    if (count) d += `M${frame.x(frame.edges[at]).toFixed(1)} ${frame.bottom - 7}H${frame.x(frame.edges[at + 1]).toFixed(1)}V${frame.bottom}H${frame.x(frame.edges[at]).toFixed(1)}z`;
  });
  return d;
}
