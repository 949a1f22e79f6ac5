// A chart with a time axis: grid, one cursor that all of them share, what is told of an interval, the keyboard.

const LEFT = 52, RIGHT = 14, TOP = 32, BOTTOM = 44;
const LETTER = 6.6;
const FINGER = 9;
const frames = new Set();

// Takes whatever a place had before off the list of charts that follow the cursor.
function emptied(place) {
  for (const frame of [...frames]) if (place.contains(frame.svg)) frames.delete(frame);
  place.replaceChildren();
  return place;
}

// An empty chart; `top` is the end of the vertical scale, `axis` what is on it, `name` what the chart is called for
// those who do not see it; `snap` the minute that is meant by one that is so many minutes off at most.
function timeFrame(place, { edges, top, height, name, axis, unit, texts, snap = (minute) => minute }) {
  const width = Math.max(220, place.clientWidth), right = width - RIGHT, bottom = height - BOTTOM;
  const total = edges[edges.length - 1];
  const x = linear(0, total, LEFT, right), y = linear(0, top, bottom, TOP);
  const svg = put("svg:svg", { viewBox: `0 0 ${width} ${height}`, height, role: "application", tabindex: 0, "aria-roledescription": "chart over time",
    "aria-label": `${name}. ${axis}. Arrow keys walk along the time axis.` });
  svg.append(put("svg:text", { x: 4, y: 12, class: "axis" }, axis));
  for (const at of unit === "none" ? [] : ticks(0, top, Math.max(2, Math.floor((bottom - TOP) / 36)))) {
    svg.append(put("svg:path", { d: `M${LEFT} ${y(at)}H${right}`, stroke: "var(--grid)" }));
    svg.append(put("svg:text", { x: LEFT - 8, y: y(at) + 4, "text-anchor": "end" }, unit === "ms" ? duration(at) : number(at)));
  }
  const marks = timeTicks(total, Math.max(2, Math.floor((right - LEFT) / 74)));
  for (const at of marks) {
    svg.append(put("svg:path", { d: `M${x(at)} ${bottom}v5`, stroke: "var(--line)" }));
    svg.append(put("svg:text", { x: x(at), y: bottom + 19, "text-anchor": x(at) > right - 18 ? "end" : "middle" }, timeLabel(at, total)));
  }
  svg.append(put("svg:path", { d: `M${LEFT} ${bottom}H${right}`, stroke: "var(--line)" }));
  svg.append(put("svg:text", { x: right, y: bottom + 36, "text-anchor": "end", class: "axis" }, "time since the start →"));
  const cursor = put("svg:path", { stroke: "var(--quiet)", "stroke-dasharray": "2 3", visibility: "hidden", class: "cursor" });
  const frame = { svg, x, y, edges, total, width, right, bottom, cursor, texts, snap, at: -1, free: 4 + axis.length * LETTER + 14 };
  place.append(svg);
  frames.add(frame);
  follow(frame);
  return frame;
}

// To be called when everything is drawn, so that the cursor lies on top.
function finish(frame) {
  frame.svg.append(frame.cursor);
}

function follow(frame) {
  const { svg } = frame;
  const last = () => frame.edges.length - 2;
  const show = (index, event) => {
    const at = Math.max(0, Math.min(last(), index));
    const minute = (frame.edges[at] + frame.edges[at + 1]) / 2;
    frame.at = at;
    const text = `${moment(frame.edges[at], frame.total)} – ${moment(frame.edges[at + 1], frame.total)}\n${frame.texts(at)}`;
    const box = svg.getBoundingClientRect();
    if (event) tell(speaker, text, event.clientX, event.clientY);
    else {
      tell(speaker, text, box.left + frame.x(minute), box.top + Math.min(40, box.height / 2));
      byId("live").textContent = text.replaceAll("\n", ", ");
    }
    for (const other of frames) point(other, minute);
  };
  const pointed = (event) => {
    const minute = ((event.clientX - svg.getBoundingClientRect().left - LEFT) / (frame.right - LEFT)) * frame.total;
    if (minute < 0 || minute > frame.total) return;
    const meant = frame.snap(minute, (FINGER / (frame.right - LEFT)) * frame.total);
    const index = frame.edges.findIndex((edge) => edge > meant) - 1;
    show(index < 0 ? last() : index, event);
  };
  const speaker = pointing(svg, pointed, () => { for (const other of frames) other.cursor.setAttribute("visibility", "hidden"); });
  svg.addEventListener("keydown", (event) => {
    const jump = Math.max(1, Math.round(last() / 20));
    const steps = { ArrowRight: frame.at + 1, ArrowLeft: frame.at < 0 ? 0 : frame.at - 1, ArrowUp: frame.at + jump, ArrowDown: frame.at - jump, PageUp: frame.at + jump, PageDown: frame.at - jump, Home: 0, End: last() };
    if (event.key === "Escape") { frame.at = -1; return; }
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(steps[event.key]);
  });
}

function point(frame, minute) {
  const at = frame.x(minute);
  frame.cursor.setAttribute("d", `M${at} ${TOP - 6}V${frame.bottom}`);
  frame.cursor.setAttribute("visibility", "visible");
}

// A line in steps, one an interval; null leaves a gap.
function steps(frame, values) {
  let d = "", open = false;
  values.forEach((value, index) => {
    if (value === null) { open = false; return; }
    const at = frame.y(value);
    d += `${open ? "L" : "M"}${frame.x(frame.edges[index]).toFixed(1)} ${at.toFixed(1)}H${frame.x(frame.edges[index + 1]).toFixed(1)}`;
    open = true;
  });
  return d;
}

function roof(values) {
  return Math.max(1e-9, ...values.map((value) => (value === null ? 0 : value)));
}

// Keeps lines within the plot.
function clipped(frame, id) {
  frame.svg.append(put("svg:clipPath", { id }, put("svg:rect", { x: LEFT, y: TOP - 2, width: frame.right - LEFT, height: frame.bottom - TOP + 3 })));
  return `url(#${id})`;
}

// Says at the upper edge where lines leave the scale, and how far.
function cutSign(frame, isCut, text, paint) {
  let d = "", first = -1;
  for (let at = 0; at < frame.edges.length - 1; at += 1) {
    if (!isCut(at)) continue;
    if (first < 0) first = at;
    d += `M${frame.x(frame.edges[at]).toFixed(1)} ${TOP - 2}H${frame.x(frame.edges[at + 1]).toFixed(1)}`;
  }
  if (first < 0) return;
  const width = text.length * LETTER, wanted = frame.x(frame.edges[first]);
  // Beside the name of the axis where there is room, else under it.
  const isBeside = frame.free + width <= frame.right;
  const x = Math.max(isBeside ? frame.free : 4, Math.min(wanted, frame.right - width));
  frame.svg.append(put("svg:path", { class: "cut", d, stroke: paint, "stroke-width": 3 }));
  frame.svg.append(put("svg:text", { class: "cut", x, y: isBeside ? 12 : 26, style: `fill:${paint}` }, text));
}
