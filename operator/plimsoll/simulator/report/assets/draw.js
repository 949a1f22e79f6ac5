// Elements, numbers, scales and legends: what every chart is made of.

const SVG = "http://www.w3.org/2000/svg";

function put(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);

// --- Numbers ----------------------------------------------------------------

// For axes and tooltips only: figures come with their text.
function number(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3).replace(/\.?0+$/, "")}M`;
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size === 0) return "0";
  return String(Number(value.toPrecision(3)));
}

// A price has as many digits as its provider gives it.
function price(value) {
  const [whole, digits] = value.toFixed(4).split(".");
  return `${whole}.${digits.replace(/0{1,2}$/, "")}`;
}

const counted = (count, thing) => `${count.toLocaleString("en-US")} ${thing}${count === 1 ? "" : "s"}`;

function duration(ms) {
  if (ms >= 120000) return `${number(ms / 60000)} min`;
  return ms >= 1000 ? `${number(ms / 1000)} s` : `${number(ms)} ms`;
}

// Minutes since the start, as the length of the run asks for it.
function moment(minute, total) {
  const day = Math.floor(minute / 1440), hour = Math.floor((minute % 1440) / 60), rest = Math.floor(minute % 60);
  const clock = `${String(hour).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
  return total > 2880 ? `day ${day + 1} ${clock}` : total > 1440 ? `${String(Math.floor(minute / 60)).padStart(2, "0")}:${clock.slice(3)}` : clock;
}

function percent(share) {
  return `${(Math.floor(share * 10000 + 1e-6) / 100).toFixed(2)}%`;
}

// --- Scales -----------------------------------------------------------------

function linear(low, high, from, to) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

// Round steps of 1, 2 or 5 that cover the range.
function ticks(low, high, wanted) {
  const raw = (high - low || 1) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

const MINUTE_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880];

function timeTicks(total, wanted) {
  const step = MINUTE_STEPS.find((one) => total / one <= wanted) || Math.ceil(total / wanted / 1440) * 1440;
  const found = [];
  // The end of a week is no eighth day.
  for (let at = 0; total > 2880 ? at < total : at <= total; at += step) found.push(at);
  return found;
}

function timeLabel(minute, total) {
  if (total > 2880) return minute % 1440 ? moment(minute, 1000) : `day ${minute / 1440 + 1}`;
  return total > 1440 ? `${minute / 60} h` : moment(minute, total);
}

// --- Legends ----------------------------------------------------------------

function legend(items) {
  return put("ul", { class: "legend" }, ...items.map(([swatch, text]) => {
    const drawn = put("svg:svg", { viewBox: "0 0 30 14", "aria-hidden": "true" });
    drawn.append(...[swatch].flat());
    return put("li", {}, drawn, put("span", {}, text));
  }));
}
