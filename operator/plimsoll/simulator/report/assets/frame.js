// A chart with a time axis: grid, one cursor that all of them share, tooltips, the keyboard.

const LEFT = 52, RIGHT = 14, TOP = 14, BOTTOM = 30;
const frames = new Set();

function tell(text, x, y) {
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > innerWidth ? x - box.width - 16 : x + 16;
  tip.style.left = `${Math.max(6, Math.min(left, innerWidth - box.width - 6))}px`;
  tip.style.top = `${Math.max(6, Math.min(y - box.height - 10, innerHeight - box.height - 6))}px`;
}

function hush() {
  byId("tip").hidden = true;
}

// Takes whatever a place had before off the list of charts that follow the cursor.
function emptied(place) {
  for (const frame of [...frames]) if (place.contains(frame.svg)) frames.delete(frame);
  place.replaceChildren();
  return place;
}

// An empty chart; `top` is the end of the vertical scale, `name` what it is called for those who do not see it.
function timeFrame(place, { edges, top, height, name, label, unit, texts }) {
  const width = Math.max(220, place.clientWidth), right = width - RIGHT, bottom = height - BOTTOM;
  const total = edges[edges.length - 1];
  const x = linear(0, total, LEFT, right), y = linear(0, top, bottom, TOP);
  const svg = put("svg:svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", tabindex: 0, "aria-label": name });
  svg.append(put("svg:desc", {}, `${label}. Arrow keys walk along the time axis.`));
  for (const at of unit === "none" ? [] : ticks(0, top, Math.max(2, Math.floor(height / 42)))) {
    svg.append(put("svg:path", { d: `M${LEFT} ${y(at)}H${right}`, stroke: "var(--grid)" }));
    svg.append(put("svg:text", { x: LEFT - 8, y: y(at) + 4, "text-anchor": "end" }, unit === "ms" ? duration(at) : number(at)));
  }
  const marks = timeTicks(total, Math.max(2, Math.floor((right - LEFT) / 74)));
  for (const at of marks) {
    svg.append(put("svg:path", { d: `M${x(at)} ${bottom}v5`, stroke: "var(--line)" }));
    svg.append(put("svg:text", { x: x(at), y: bottom + 19, "text-anchor": x(at) > right - 18 ? "end" : "middle" }, timeLabel(at, total)));
  }
  svg.append(put("svg:path", { d: `M${LEFT} ${bottom}H${right}`, stroke: "var(--line)" }));
  const cursor = put("svg:path", { stroke: "var(--quiet)", "stroke-dasharray": "2 3", visibility: "hidden", class: "cursor" });
  const frame = { svg, x, y, edges, total, width, right, bottom, cursor, texts, at: -1 };
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
    for (const other of frames) point(other, minute);
    frame.at = at;
    const text = `${moment(frame.edges[at], frame.total)} – ${moment(frame.edges[at + 1], frame.total)}\n${frame.texts(at)}`;
    const box = svg.getBoundingClientRect();
    if (event) tell(text, event.clientX, event.clientY);
    else {
      tell(text, box.left + frame.x(minute), box.top + Math.min(40, box.height / 2));
      byId("live").textContent = text.replaceAll("\n", ", ");
    }
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const minute = ((event.clientX - box.left - LEFT) / (frame.right - LEFT)) * frame.total;
    if (minute < 0 || minute > frame.total) return;
    let index = frame.edges.findIndex((edge) => edge > minute) - 1;
    if (index < 0) index = last();
    show(index, event);
  });
  const leave = () => {
    hush();
    for (const other of frames) other.cursor.setAttribute("visibility", "hidden");
  };
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const jump = Math.max(1, Math.round(last() / 20));
    const steps = { ArrowRight: frame.at + 1, ArrowLeft: frame.at < 0 ? 0 : frame.at - 1, ArrowUp: frame.at + jump, ArrowDown: frame.at - jump, PageUp: frame.at + jump, PageDown: frame.at - jump, Home: 0, End: last() };
    if (event.key === "Escape") { frame.at = -1; leave(); return; }
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
