// Where the money above the bound went, by the station that it comes from.

const STATIONS = {
  chance: "the minute's own demand, and nobody left out, at true safe rates without bursts",
  sizing: "safe rates as the plan had them: profiles, corrections, bursts, headroom",
  forecast: "demand as it was forecast",
  planning: "the nodes that the plan wanted",
  rollout: "the nodes on the bill: start-ups, stabilisation, nodes that wait to be removed",
};

// Whose money: that of the chosen policy where it is known, else of the best that it is known of.
function excessPolicy(scenario, chosen) {
  const known = new Set(scenario.excess.map((one) => one.policy));
  return known.has(chosen) ? chosen : scenario.rows.map((row) => row.policy).find((policy) => known.has(policy));
}

function drawExcess(place, told) {
  emptied(place);
  const bars = [{ name: "bound", from: 0, to: told.bound_usd, whole: true }];
  let at = told.bound_usd;
  for (const { cause, usd } of told.causes) {
    bars.push({ name: cause, from: at, to: at + usd });
    at += usd;
  }
  bars.push({ name: "bill", from: 0, to: at, whole: true });
  const width = Math.max(220, place.clientWidth), row = 40, left = 4, right = width - 4, height = bars.length * row + 4;
  const ends = bars.flatMap((bar) => [bar.from, bar.to]), x = linear(Math.min(0, ...ends), Math.max(...ends, 1e-9), left, right);
  const text = bars.map((bar) => `${bar.name} ${signed(bar)}`).join(", ");
  const svg = put("svg:svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `From the bound to the bill, USD: ${text}` });
  bars.forEach((bar, index) => {
    const top = index * row, less = bar.to < bar.from;
    svg.append(put("svg:text", { x: left, y: top + 13, class: bar.whole ? "name" : "light" }, bar.name));
    svg.append(put("svg:text", { x: right, y: top + 13, "text-anchor": "end", class: bar.whole ? "name" : "light" }, signed(bar)));
    svg.append(put("svg:rect", { x: Math.min(x(bar.from), x(bar.to)), y: top + 18, height: 13, width: Math.max(1.5, Math.abs(x(bar.to) - x(bar.from))), rx: 2,
      fill: bar.whole ? "var(--quiet)" : less ? "var(--card)" : "var(--c5)", stroke: bar.whole ? "none" : less ? "var(--c2)" : "var(--c5)", "stroke-width": 2 }));
    if (index < bars.length - 1) svg.append(put("svg:path", { d: `M${x(bar.to)} ${top + 31}V${top + row + 18}`, stroke: "var(--line)", "stroke-dasharray": "2 2" }));
  });
  place.append(svg);
  const stations = told.causes.filter(({ cause }) => cause in STATIONS);
  if (stations.length) place.append(put("dl", { class: "terms" }, ...stations.flatMap(({ cause }) => [put("dt", {}, cause), put("dd", {}, STATIONS[cause])])));
}

function signed(bar) {
  const value = bar.to - bar.from;
  const size = Math.abs(value) >= 1000 ? number(Math.abs(value)) : Math.abs(value).toFixed(2);
  return bar.whole ? `${size} USD` : `${value < 0 ? "−" : "+"}${size}`;
}
