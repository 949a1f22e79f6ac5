// Every move of replicas, and why.

const MOST_LANES = 14;
const LANE = 66;

// The same mark in every run and every report; none looks like an arrow, which says the direction.
const REASONS = {
  ScaleUp: { shape: SHAPES[0], paint: 2, about: "more is expected" },
  ScaleDown: { shape: SHAPES[1], paint: 0, about: "more is ready than is needed" },
  MoveIn: { shape: SHAPES[3], paint: 5, about: "taken over from another variant" },
  MoveOut: { shape: SHAPES[6], paint: 3, about: "left to other variants" },
  Bridging: { shape: SHAPES[5], paint: 4, about: "until slower replicas are ready" },
  StockOut: { shape: SHAPES[7], paint: 7, about: "its pool is sold out" },
  NodeLeaving: { shape: CROSS, paint: 1, about: "replaces what is on a node that is about to go" },
};
const OTHER_REASON = { shape: RING, paint: 6, about: "" };
const reasonMark = (reason) => REASONS[reason] || OTHER_REASON;

function reasonShape(reason, r, where) {
  const { shape: kind, paint } = reasonMark(reason);
  return put("svg:path", { transform: where, d: kind(r), fill: colour(paint), "fill-rule": "evenodd" });
}

const ARROW = { up: "M-4 2L0 -2.5L4 2", down: "M-4 -2L0 2.5L4 -2" };
const arrow = (direction, where) => put("svg:path", { transform: where, d: ARROW[direction], fill: "none", stroke: "var(--ink)", "stroke-width": 1.6 });

// A lane a variant, a mark a move: above the line more replicas, below fewer; its shape and colour say why.
function drawMoves(place, run, moves) {
  emptied(place);
  if (!moves.length) { place.append(put("p", { class: "about" }, "It moved nothing.")); return; }
  const often = new Map();
  for (const { key } of moves) often.set(key, (often.get(key) || 0) + 1);
  const lanes = [...often].sort((a, b) => b[1] - a[1]).slice(0, MOST_LANES).map(([key]) => key).sort();
  const shown = moves.filter((move) => lanes.includes(move.key));
  const present = new Set(shown.map((move) => move.reason)), known = Object.keys(REASONS).filter((reason) => present.has(reason));
  const named = [...known, ...[...present].filter((reason) => reason && !known.includes(reason)).sort()];
  place.append(legend([
    ...named.map((reason) => [reasonShape(reason, 5.5, "translate(15 7)"), reasonMark(reason).about ? `${reason}: ${reasonMark(reason).about}` : reason]),
    [[arrow("up", "translate(9 7)"), put("svg:path", { d: "M17 7H29", stroke: "var(--line)" })], "above the line: more replicas"],
    [[arrow("down", "translate(9 7)"), put("svg:path", { d: "M17 7H29", stroke: "var(--line)" })], "below: fewer"]]));
  const left = often.size - lanes.length;
  if (left > 0) place.append(put("p", { class: "about" }, `${counted(left, "variant")} that moved least ${left === 1 ? "is" : "are"} in the list only.`));
  const texts = (at) => {
    const now = shown.filter((move) => move.at >= run.edges[at] && move.at < run.edges[at + 1]);
    return now.length ? now.slice(0, 4).map(moveText).join("\n") + (now.length > 4 ? `\nand ${now.length - 4} more` : "") : "no move";
  };
  const snap = (minute, most) => {
    const off = (move) => Math.abs(move.at - minute), nearest = shown.reduce((one, other) => (off(other) < off(one) ? other : one));
    return off(nearest) <= most ? nearest.at : minute;
  };
  const frame = timeFrame(place, { edges: run.edges, top: 1, height: TOP + BOTTOM + lanes.length * LANE, name: `Moves of ${counted(lanes.length, "variant")} under ${run.policy}, with their reasons`, axis: counted(shown.length, "move"), unit: "none", texts, snap });
  lanes.forEach((lane, index) => {
    const top = TOP + index * LANE, middle = top + 41;
    frame.svg.append(put("svg:text", { x: 4, y: top + 12, class: "light" }, lane));
    frame.svg.append(put("svg:path", { d: `M${LEFT} ${middle}H${frame.right}`, stroke: "var(--line)" }));
    for (const move of shown.filter((one) => one.key === lane)) {
      const up = move.to > move.from, x = frame.x(move.at).toFixed(1), side = up ? -1 : 1, size = 3.6 + Math.min(2.4, Math.abs(move.to - move.from) * 0.4);
      frame.svg.append(put("svg:g", { class: "move", "data-reason": move.reason, "data-direction": up ? "up" : "down" },
        reasonShape(move.reason, size, `translate(${x} ${middle + side * 9})`), arrow(up ? "up" : "down", `translate(${x} ${middle + side * 19})`)));
    }
  });
  finish(frame);
}

// As they are in the file, with names for their places.
function movesOf(run, model) {
  const all = run.moves.map(([at, key, from, to, reason, text]) => ({ at, key, from, to, reason: run.reasons[reason], text: run.texts[text] }));
  return model === ALL ? all : all.filter(({ key }) => key.startsWith(`${model}/`));
}

function moveText({ key, from, to, reason, text }) {
  return [`${key}: ${from} → ${to}`, [reason, text].filter(Boolean).join(": ")].filter(Boolean).join(", ");
}

function movesAbout(run, model, drawn) {
  const told = model === ALL ? run : run.models[model] || { moved: 0, why: [] };
  if (!run.moved) return "";
  const whose = model === ALL ? "in this run" : `of ${model} in this run`;
  const others = model !== ALL && run.moved > told.moved ? ` (${counted(run.moved, "move")} of all models)` : "";
  const few = drawn < told.moved ? ` The ${drawn.toLocaleString("en-US")} that change most are shown.` : "";
  return `${counted(told.moved, "move")} ${whose}${others}${movesWhy(run, told)}.${few}`;
}

function movesWhy(run, told) {
  if (!run.why.length) return `; ${run.policy} gives no reasons for its moves`;
  const named = told.why.reduce((sum, [, often]) => sum + often, 0);
  const said = [...told.why.map(([reason, often]) => `${often}× ${reason}`), ...(told.moved > named ? [`${told.moved - named}× without a reason`] : [])];
  return said.length ? `: ${said.join(", ")}` : "";
}

function listMoves(table, run, moves) {
  const withReasons = run.why.length > 0, end = run.edges[run.edges.length - 1];
  const columns = [["When", ({ at }) => moment(at, end), ""], ["Variant", ({ key }) => key, "left"], ["From", ({ from }) => from, ""], ["To", ({ to }) => to, ""],
    ...(withReasons ? [["Reason", ({ reason }) => reason, "left"], ["In words", ({ text }) => text, "words-cell"]] : [])];
  table.replaceChildren(put("thead", {}, put("tr", {}, ...columns.map(([name, , look]) => put("th", { scope: "col", class: look || undefined }, name)))),
    put("tbody", {}, ...moves.map((move) => put("tr", {}, ...columns.map(([, value, look]) => put("td", { class: look || undefined }, value(move)))))));
}
