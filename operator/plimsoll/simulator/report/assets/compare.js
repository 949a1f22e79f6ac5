// Policies against each other: cost and attainment, and where the money above the bound went.

// Attainment on a scale in which each step has ten times fewer misses; a perfect one stands at the top.
function missScale(rows, goal, from, to) {
  const missed = [...rows.map((row) => 1 - row.attainment), 1 - goal].filter((one) => one > 1e-12);
  const least = Math.min(...missed, 0.01) / 2, most = Math.min(1, Math.max(...missed, 0.02) * 1.5);
  const low = Math.log10(most), high = Math.log10(least);
  const place = (attainment) => from + ((Math.log10(Math.max(1 - attainment, least)) - low) / (high - low)) * (to - from);
  const marks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 0.99999].filter((at) => 1 - at <= most && 1 - at > least * 1.3);
  return { place, marks, perfect: least };
}

// Whoever it is has the same mark in every scenario; Plimsoll is the first.
function knownFamilies() {
  const ours = (name) => Number(name.split("@")[0] !== "plimsoll");
  return [...new Set(SCENARIOS.flatMap((one) => one.rows.map((row) => row.family)))].sort((a, b) => ours(a) - ours(b) || (a < b ? -1 : 1));
}

function drawScatter(place, scenario, chosen, choose) {
  emptied(place);
  const figures = DATA.scenarios[scenario.name];
  const spread = new Map();
  for (const run of scenario.seeds) spread.set(run.policy, [...(spread.get(run.policy) || []), run]);
  const families = knownFamilies();
  const rows = scenario.rows.map((row) => {
    const told = figures.policies[row.policy], runs = spread.get(row.policy);
    return { ...row, usd: told.usd, attainment: told.slo_attainment, kind: families.indexOf(row.family), runs };
  });
  if (!rows.length) { place.append(put("p", { class: "about" }, "Nothing was simulated.")); return; }
  const width = Math.max(240, place.clientWidth), height = width < 480 ? 360 : 430, left = 58, right = width - 18, bottom = height - 44, top = 26;
  const bound = figures.bound_usd, most = Math.max(...rows.flatMap((row) => row.runs.map((run) => run.usd)), bound || 0) * 1.08 || 1;
  const cheapest = Math.min(...rows.flatMap((row) => row.runs.map((run) => run.usd)), bound ?? Infinity);
  // From zero unless that would crowd everyone into a corner.
  const low = cheapest > most * 0.6 ? cheapest * 0.9 : 0;
  const x = linear(low, most, left, right), { place: y, marks } = missScale(rows.flatMap((row) => [row, ...row.runs]), scenario.goal, bottom, top);
  const svg = put("svg:svg", { viewBox: `0 0 ${width} ${height}`, height, role: "application", tabindex: 0, "aria-roledescription": "scatter chart",
    "aria-label": `Cost and share within SLO of ${rows.length} policies. Arrow keys walk from the cheapest to the dearest, Enter chooses.` });
  const goalY = y(scenario.goal);
  svg.append(put("svg:rect", { x: left, y: top - 12, width: right - left, height: Math.max(0, goalY - top + 12), fill: "var(--good-wash)", opacity: 0.7 }));
  for (const at of ticks(low, most, Math.floor((right - left) / 80))) {
    svg.append(put("svg:path", { d: `M${x(at)} ${top - 12}V${bottom}`, stroke: "var(--grid)" }), put("svg:text", { x: x(at), y: bottom + 18, "text-anchor": "middle" }, number(at)));
  }
  for (const at of marks) {
    if (Math.abs(y(at) - goalY) < 13 && at !== scenario.goal) continue;
    svg.append(put("svg:path", { d: `M${left} ${y(at)}H${right}`, stroke: "var(--grid)" }), put("svg:text", { x: left - 8, y: y(at) + 4, "text-anchor": "end" }, `${Number((at * 100).toPrecision(7))}%`));
  }
  svg.append(put("svg:path", { d: `M${left} ${bottom}H${right}`, stroke: "var(--line)" }));
  svg.append(put("svg:text", { x: right, y: bottom + 36, "text-anchor": "end" }, "cost, USD →"), put("svg:text", { x: left, y: top - 16 }, "↑ requests within their SLO"));
  svg.append(put("svg:path", { class: "goal", d: `M${left} ${goalY}H${right}`, stroke: "var(--good)", "stroke-width": 1.6, "stroke-dasharray": "7 4" }),
    put("svg:text", { x: right - 4, y: goalY - 6, "text-anchor": "end", class: "halo", style: "fill:var(--good)" }, `goal ${scenario.goal_text}`));
  const taken = [{ x: right - 80, y: goalY - 18, w: 80, h: 14 }];
  if (bound !== null) {
    svg.append(put("svg:path", { class: "bound", d: `M${x(bound)} ${top - 12}V${bottom}`, stroke: "var(--mark)", "stroke-width": 2 }));
    const turned = x(bound) > right - 130, box = { x: x(bound) - (turned ? 130 : 0), w: 130, h: 15 };
    // Where no mark is: at the foot, else at the top.
    const below = rows.every((row) => y(row.attainment) < bottom - 30 || x(row.usd) < box.x - 9 || x(row.usd) > box.x + box.w + 9);
    box.y = below ? bottom - 20 : top - 8;
    svg.append(put("svg:text", { x: x(bound) + (turned ? -6 : 6), y: box.y + 12, "text-anchor": turned ? "end" : "start", class: "halo", style: "fill:var(--mark)" }, `bound ${scenario.bound_text}`));
    taken.push(box);
  }
  for (const family of families) {
    const line = rows.filter((row) => row.family === family).sort((a, b) => a.usd - b.usd);
    if (line.length > 1) svg.append(put("svg:path", { d: "M" + line.map((row) => `${x(row.usd)} ${y(row.attainment)}`).join("L"), fill: "none", stroke: colour(line[0].kind), opacity: 0.45, "stroke-dasharray": "1 4", "stroke-width": 1.6 }));
  }
  const ordered = [...rows].sort((a, b) => a.usd - b.usd);
  for (const row of [...rows].sort((a, b) => Number(a.best) - Number(b.best))) markPolicy(svg, row, x, y, chosen, choose);
  const labelled = rows.filter((row) => row.best || row.policy === chosen).sort((a, b) => Number(b.policy === chosen) - Number(a.policy === chosen));
  for (const row of rows) taken.push({ x: x(row.usd) - 7, y: y(row.attainment) - 7, w: 14, h: 14 });
  for (const row of labelled) label(svg, row, x(row.usd), y(row.attainment), row.policy === chosen ? 5 : 0, taken, { left, right, top: top - 12, bottom });
  const ring = put("svg:circle", { r: 13, fill: "none", stroke: "var(--accent)", "stroke-width": 2.5, visibility: "hidden" });
  svg.append(ring);
  let at = -1;
  const show = (index, event) => {
    at = Math.max(0, Math.min(ordered.length - 1, index));
    const row = ordered[at], box = svg.getBoundingClientRect(), text = said(row, bound);
    ring.setAttribute("cx", x(row.usd)); ring.setAttribute("cy", y(row.attainment)); ring.setAttribute("visibility", "visible");
    tell(text, box.left + x(row.usd), box.top + y(row.attainment));
    if (!event) byId("live").textContent = text.replaceAll("\n", ", ");
  };
  const leave = () => { hush(); ring.setAttribute("visibility", "hidden"); };
  svg.addEventListener("keydown", (event) => {
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: ordered.length - 1 };
    if (event.key === "Escape") { at = -1; leave(); return; }
    if ((event.key === "Enter" || event.key === " ") && at >= 0) { event.preventDefault(); choose(ordered[at].policy); return; }
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(moves[event.key]);
  });
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const near = ordered.map((row, index) => [Math.hypot(x(row.usd) - px, y(row.attainment) - py), index]).sort((a, b) => a[0] - b[0])[0];
    if (near[0] < 28) show(near[1], event); else leave();
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  place.append(svg);
}

function said(row, bound) {
  const cell = (key) => row.cells[COLUMNS.findIndex((column) => column.key === key)].text;
  const times = bound ? ` (${cell("times_bound")} bound)` : "";
  return `${row.policy}\n${cell("usd")} USD${times}\n${cell("slo_attainment")} within SLO\n${row.keeps ? "keeps the goal" : "misses the goal"}`;
}

function markPolicy(svg, row, x, y, chosen, choose) {
  const px = x(row.usd), py = y(row.attainment), paint = colour(row.kind), r = row.best ? 7 : 4;
  const group = put("svg:g", { class: "mark", "data-policy": row.policy, "data-keeps": row.keeps ? "yes" : "no" });
  if (row.best && row.runs.length > 1) {
    const usd = row.runs.map((run) => run.usd), kept = row.runs.map((run) => run.attainment);
    group.append(put("svg:path", { d: `M${x(Math.min(...usd))} ${py}H${x(Math.max(...usd))}M${px} ${y(Math.min(...kept))}V${y(Math.max(...kept))}`, stroke: paint, "stroke-width": 1.3, opacity: 0.8 }));
  }
  if (row.policy === chosen) group.append(put("svg:circle", { cx: px, cy: py, r: 12.5, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5 }));
  group.append(put("svg:path", { transform: `translate(${px} ${py})`, d: shape(row.kind, r), fill: row.keeps ? paint : "var(--card)", stroke: paint, "stroke-width": row.keeps ? 1 : 2.2, style: "cursor:pointer" }));
  group.addEventListener("click", () => choose(row.policy));
  svg.append(group);
}

// Beside its mark, where nothing else stands; the table has those that find no room.
function label(svg, row, px, py, ring, taken, area) {
  const w = row.policy.length * 7 + 6, h = 15;
  const places = [[px + 12 + ring, py - 8], [px - 12 - ring - w, py - 8], [px - w / 2, py - 28 - ring], [px - w / 2, py + 12 + ring], [px + 9, py - 25], [px + 9, py + 10], [px - w - 9, py - 25], [px - w - 9, py + 10]];
  const free = places.find(([left, top]) => left >= area.left && left + w <= area.right + 8 && top >= area.top && top + h <= area.bottom
    && taken.every((one) => left + w < one.x || left > one.x + one.w || top + h < one.y || top > one.y + one.h));
  if (!free) return;
  taken.push({ x: free[0], y: free[1], w, h });
  svg.append(put("svg:text", { x: free[0] + 2, y: free[1] + 12, class: "halo name" }, row.policy));
}

// --- Excess over the bound --------------------------------------------------

const CAUSES = { chance: "what no fleet could be spared", sizing: "sizing", forecast: "forecast", planning: "planning", rollout: "start-ups and rollout" };

function drawExcess(place, told) {
  emptied(place);
  const bars = [{ name: "bound", from: 0, to: told.bound_usd, whole: true }];
  let at = told.bound_usd;
  for (const { cause, usd } of told.causes) {
    bars.push({ name: CAUSES[cause] || cause, from: at, to: at + usd });
    at += usd;
  }
  bars.push({ name: "bill", from: 0, to: at, whole: true });
  const width = Math.max(220, place.clientWidth), row = 46, left = 4, right = width - 4, height = bars.length * row + 4;
  const ends = bars.flatMap((bar) => [bar.from, bar.to]), x = linear(Math.min(0, ...ends), Math.max(...ends, 1e-9), left, right);
  const text = bars.map((bar) => `${bar.name} ${signed(bar)}`).join(", ");
  const svg = put("svg:svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `From the bound to the bill, USD: ${text}` });
  bars.forEach((bar, index) => {
    const top = index * row, less = bar.to < bar.from;
    svg.append(put("svg:text", { x: left, y: top + 13, class: bar.whole ? "name" : "light" }, bar.name));
    svg.append(put("svg:text", { x: right, y: top + 13, "text-anchor": "end", class: bar.whole ? "name" : "light" }, signed(bar)));
    svg.append(put("svg:rect", { x: Math.min(x(bar.from), x(bar.to)), y: top + 19, height: 14, width: Math.max(1.5, Math.abs(x(bar.to) - x(bar.from))), rx: 2,
      fill: bar.whole ? "var(--quiet)" : less ? "var(--card)" : "var(--c5)", stroke: bar.whole ? "none" : less ? "var(--c2)" : "var(--c5)", "stroke-width": 2 }));
    if (index < bars.length - 1) svg.append(put("svg:path", { d: `M${x(bar.to)} ${top + 33}V${top + row + 19}`, stroke: "var(--line)", "stroke-dasharray": "2 2" }));
  });
  place.append(svg);
}

function signed(bar) {
  const value = bar.to - bar.from;
  const size = Math.abs(value) >= 1000 ? number(Math.abs(value)) : Math.abs(value).toFixed(2);
  return bar.whole ? `${size} USD` : `${value < 0 ? "−" : "+"}${size}`;
}
