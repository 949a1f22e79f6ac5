// Policies against each other: what they cost and how much they keep.

// Attainment on a scale that is logarithmic in misses; a perfect one stands at the top.
function missScale(rows, goal, from, to) {
  const missed = [...rows.map((row) => 1 - row.attainment), 1 - goal].filter((one) => one > 1e-12);
  const least = Math.min(...missed, 0.01) / 2, most = Math.min(1, Math.max(...missed, 0.02) * 1.5);
  const low = Math.log10(most), high = Math.log10(least);
  const place = (attainment) => from + ((Math.log10(Math.max(1 - attainment, least)) - low) / (high - low)) * (to - from);
  const marks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 0.99999].filter((at) => 1 - at <= most && 1 - at > least * 1.3);
  return { place, marks };
}

// Whoever it is has the same mark in every scenario; Plimsoll is the first.
function knownFamilies() {
  const ours = (name) => Number(name.split("@")[0] !== "plimsoll");
  return [...new Set(SCENARIOS.flatMap((one) => one.rows.map((row) => row.family)))].sort((a, b) => ours(a) - ours(b) || (a < b ? -1 : 1));
}

// Tells of one policy in the scatter as it was drawn last.
let tellPolicy = () => {};

function drawScatter(place, scenario, chosen, choose) {
  emptied(place);
  const figures = DATA.scenarios[scenario.name], families = knownFamilies();
  const rows = scenario.rows.map((row) => {
    const told = figures.policies[row.policy], runs = scenario.seeds.filter((run) => run.policy === row.policy);
    return { ...row, usd: told.usd, attainment: told.slo_attainment, kind: families.indexOf(row.family), runs };
  });
  if (!rows.length) { place.append(put("p", { class: "about" }, "Nothing was simulated.")); return; }
  const area = scatterArea(place, scenario, figures.bound_usd, rows);
  const { svg, x, y } = area;
  for (const family of families) {
    const line = rows.filter((row) => row.family === family).sort((a, b) => a.usd - b.usd);
    if (line.length > 1) svg.append(put("svg:path", { d: "M" + line.map((row) => `${x(row.usd)} ${y(row.attainment)}`).join("L"), fill: "none", stroke: colour(line[0].kind), opacity: 0.6, "stroke-dasharray": "1 4", "stroke-width": 1.6 }));
  }
  const groups = together(rows, x, y), pick = (policy) => { choose(policy); tellPolicy(policy); };
  // Of marks in the same place the lower ones are larger, so that none hides another.
  for (const row of [...rows].sort((a, b) => Number(a.best) - Number(b.best))) {
    const same = groups.find((group) => group.includes(row)) || [row];
    markPolicy(svg, row, x, y, chosen, pick, 4.5 * (same.length - 1 - same.indexOf(row)));
  }
  const taken = rows.map((row) => ({ x: x(row.usd) - 7, y: y(row.attainment) - 7, w: 14, h: 14 }));
  const isChosen = (group) => group.some((row) => row.policy === chosen);
  for (const group of [...groups].sort((a, b) => Number(isChosen(b)) - Number(isChosen(a)))) {
    const [{ usd, attainment }] = group, around = (isChosen(group) ? 5 : 0) + 4.5 * (group.length - 1);
    const others = rows.filter((row) => !group.includes(row)).map((row) => [x(row.usd), y(row.attainment)]);
    label(svg, group.map((row) => row.policy).join(", "), [x(usd), y(attainment)], around, taken, others, area);
  }
  scatterPointing(area, scenario, rows, pick);
  place.append(svg, legend(policyItems(rows)));
}

// Grid, goal and bound. Names of the two stand outside of the plot, where no mark lies on them.
function scatterArea(place, scenario, bound, rows) {
  const width = Math.max(240, place.clientWidth), height = width < 480 ? 380 : 450, goalText = `goal ${scenario.goal_text}`;
  const left = Math.max(58, goalText.length * LETTER + 12), right = width - 18, bottom = height - 44, top = bound === null ? 36 : 54;
  const costs = rows.flatMap((row) => row.runs.map((run) => run.usd));
  const most = Math.max(...costs, bound || 0) * 1.08 || 1, cheapest = Math.min(...costs, bound ?? Infinity);
  // From zero unless that would crowd everyone into a corner.
  const low = cheapest > most * 0.6 ? cheapest * 0.9 : 0;
  const x = linear(low, most, left, right), { place: y, marks } = missScale(rows.flatMap((row) => [row, ...row.runs]), scenario.goal, bottom, top);
  const svg = put("svg:svg", { viewBox: `0 0 ${width} ${height}`, height, role: "application", tabindex: 0, "aria-roledescription": "scatter chart",
    "aria-label": `Cost and share within SLO of ${rows.length} policies. Arrow keys walk from the cheapest to the dearest, Enter chooses.` });
  const goalY = y(scenario.goal), ceiling = top - 12;
  svg.append(put("svg:rect", { x: left, y: ceiling, width: right - left, height: Math.max(0, goalY - ceiling), fill: "var(--good-wash)", opacity: 0.7 }));
  for (const at of ticks(low, most, Math.floor((right - left) / 80))) {
    svg.append(put("svg:path", { d: `M${x(at)} ${ceiling}V${bottom}`, stroke: "var(--grid)" }), put("svg:text", { x: x(at), y: bottom + 18, "text-anchor": "middle" }, number(at)));
  }
  for (const at of marks.filter((one) => Math.abs(y(one) - goalY) >= 13)) {
    svg.append(put("svg:path", { d: `M${left} ${y(at)}H${right}`, stroke: "var(--grid)" }), put("svg:text", { x: left - 8, y: y(at) + 4, "text-anchor": "end" }, `${Number((at * 100).toPrecision(7))}%`));
  }
  svg.append(put("svg:path", { d: `M${left} ${bottom}H${right}`, stroke: "var(--line)" }));
  svg.append(put("svg:text", { x: right, y: bottom + 36, "text-anchor": "end", class: "axis" }, "cost, USD →"), put("svg:text", { x: 4, y: 12, class: "axis" }, "↑ requests within their SLO"));
  svg.append(put("svg:path", { class: "goal", d: `M${left} ${goalY}H${right}`, stroke: "var(--good)", "stroke-width": 1.6, "stroke-dasharray": "7 4" }),
    put("svg:text", { x: left - 8, y: goalY + 4, "text-anchor": "end", style: "fill:var(--good);font-weight:600" }, goalText));
  if (bound !== null) {
    const text = `bound ${scenario.bound_text}${scenario.bound_is_none ? " (none here)" : ""}`, half = (text.length * LETTER) / 2;
    svg.append(put("svg:path", { class: "bound", d: `M${x(bound)} ${ceiling - 4}V${bottom}`, stroke: "var(--mark)", "stroke-width": 2, "stroke-dasharray": scenario.bound_is_none ? "3 4" : undefined }));
    svg.append(put("svg:text", { x: Math.max(half + 2, Math.min(x(bound), width - half - 2)), y: ceiling - 8, "text-anchor": "middle", style: "fill:var(--mark)" }, text));
  }
  const lines = [{ x: left, y: goalY - 2, w: right - left, h: 4 }, ...(bound === null ? [] : [{ x: x(bound) - 2, y: ceiling, w: 4, h: bottom - ceiling }])];
  return { svg, x, y, left, right, top: ceiling, bottom, bound, lines };
}

// Best settings by place: those that stand in the same one are named together.
function together(rows, x, y) {
  const groups = [];
  for (const row of rows.filter((one) => one.best)) {
    const near = groups.find(([first]) => Math.hypot(x(first.usd) - x(row.usd), y(first.attainment) - y(row.attainment)) < 5);
    if (near) near.push(row); else groups.push([row]);
  }
  return groups;
}

function policyItems(rows) {
  return rows.filter((row) => row.best).sort((a, b) => a.kind - b.kind).map((row) => [markSwatch(row.kind, row.keeps), row.policy]);
}

function scatterPointing({ svg, x, y, bound }, scenario, rows, pick) {
  const ordered = [...rows].sort((a, b) => a.usd - b.usd);
  const ring = put("svg:circle", { r: 13, fill: "none", stroke: "var(--accent)", "stroke-width": 2.5, visibility: "hidden", "pointer-events": "none" });
  svg.append(ring);
  let at = -1;
  const show = (index, event) => {
    at = Math.max(0, Math.min(ordered.length - 1, index));
    const row = ordered[at], box = svg.getBoundingClientRect();
    const same = ordered.filter((one) => Math.hypot(x(one.usd) - x(row.usd), y(one.attainment) - y(row.attainment)) < 5 && one !== row);
    const text = [row, ...same].map((one) => said(one, bound !== null && !scenario.bound_is_none)).join("\n\n");
    tell(speaker, text, box.left + x(row.usd), box.top + y(row.attainment));
    ring.setAttribute("cx", x(row.usd)); ring.setAttribute("cy", y(row.attainment)); ring.setAttribute("visibility", "visible");
    if (!event) byId("live").textContent = text.replace(/\n+/g, ", ");
  };
  tellPolicy = (policy) => show(ordered.findIndex((row) => row.policy === policy));
  const near = (event) => {
    const box = svg.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const [distance, index] = ordered.map((row, place) => [Math.hypot(x(row.usd) - px, y(row.attainment) - py), place]).sort((a, b) => a[0] - b[0])[0];
    if (distance < 28) show(index, event); else if (speaking === speaker) hush();
  };
  const speaker = pointing(svg, near, () => ring.setAttribute("visibility", "hidden"));
  svg.addEventListener("keydown", (event) => {
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: ordered.length - 1 };
    if (event.key === "Escape") { at = -1; return; }
    if ((event.key === "Enter" || event.key === " ") && at >= 0) { event.preventDefault(); pick(ordered[at].policy); return; }
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(moves[event.key]);
  });
}

function said(row, withBound) {
  const cell = (key) => row.cells[COLUMNS.findIndex((column) => column.key === key)].text;
  const times = withBound && row.keeps ? ` (${cell("times_bound")} bound)` : "";
  return `${row.policy}\n${cell("usd")} USD${times}\n${cell("slo_attainment")} within SLO\n${row.keeps ? "keeps the goal" : "misses the goal"}`;
}

function markPolicy(svg, row, x, y, chosen, pick, larger) {
  const px = x(row.usd), py = y(row.attainment), paint = colour(row.kind), r = (row.best ? 7 : 4) + larger;
  const group = put("svg:g", { class: "mark", "data-policy": row.policy, "data-keeps": row.keeps ? "yes" : "no" });
  if (row.best && row.runs.length > 1) {
    const usd = row.runs.map((run) => run.usd), kept = row.runs.map((run) => run.attainment);
    group.append(put("svg:path", { d: `M${x(Math.min(...usd))} ${py}H${x(Math.max(...usd))}M${px} ${y(Math.min(...kept))}V${y(Math.max(...kept))}`, stroke: paint, "stroke-width": 1.3, opacity: 0.8 }));
  }
  if (row.policy === chosen) group.append(put("svg:circle", { cx: px, cy: py, r: 12.5 + larger, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5 }));
  group.append(put("svg:path", { transform: `translate(${px} ${py})`, d: shape(row.kind, r), fill: row.keeps ? paint : "var(--card)", stroke: row.keeps && larger ? "var(--card)" : paint, "stroke-width": row.keeps ? 1 : 2.2, style: "cursor:pointer" }));
  group.addEventListener("click", () => pick(row.policy));
  svg.append(group);
}

// Beside its mark, where nothing else stands and no other mark is nearer; the legend has those that find no room.
function label(svg, text, [px, py], ring, taken, others, area) {
  const w = text.length * 7.6 + 6, h = 15;
  const places = [[px + 12 + ring, py - 8], [px - 12 - ring - w, py - 8], [px - w / 2, py - 28 - ring], [px - w / 2, py + 12 + ring], [px + 9, py - 25], [px + 9, py + 10], [px - w - 9, py - 25], [px - w - 9, py + 10]];
  const far = ([left, top], [mx, my]) => Math.hypot(Math.max(left - mx, 0, mx - left - w), Math.max(top - my, 0, my - top - h));
  const inside = places.filter((at) => at[0] >= area.left && at[0] + w <= area.right + 8 && at[1] >= area.top && at[1] + h <= area.bottom
    && others.every((other) => far(at, other) > far(at, [px, py])));
  const clear = (things) => ([left, top]) => things.every((one) => left + w < one.x || left > one.x + one.w || top + h < one.y || top > one.y + one.h);
  const free = inside.find(clear([...taken, ...area.lines])) || inside.find(clear(taken));
  if (!free) return;
  taken.push({ x: free[0], y: free[1], w, h });
  svg.append(put("svg:text", { x: free[0] + 2, y: free[1] + 12, class: "halo name" }, text));
}
