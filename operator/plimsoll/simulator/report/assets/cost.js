// What the bill ran up over time under one policy with one seed.

function drawCost(place, scenario, run, withPaid) {
  emptied(place);
  const shown = scenario.pools.map((pool, index) => ({ ...pool, index, values: run.pools[index] || [] }))
    .filter((pool) => (withPaid || pool.kind !== "Paid") && pool.values.some((value) => value > 0));
  if (!shown.length) { place.append(put("p", { class: "about" }, "No node was on the bill.")); return; }
  const sums = run.edges.slice(0, -1).map((_, at) => shown.reduce((sum, pool) => sum + (pool.values[at] || 0), 0));
  const id = (pool) => `pool-${pool.index}`;
  place.append(legend(shown.map((pool) => [put("svg:rect", { x: 1, y: 1, width: 28, height: 12, fill: `url(#${id(pool)})`, stroke: colour(pool.index) }), `${pool.name}, ${kindOf(pool.kind)} at ${price(pool.usd_per_hour)} USD/h`])));
  const frame = timeFrame(place, { edges: run.edges, top: roof(sums) * 1.06, height: 280, name: `Cost by pool under ${run.policy}, stacked`, axis: "USD per hour", unit: "",
    texts: (at) => [`all: ${number(sums[at])} USD/h`, ...[...shown].reverse().map((pool) => `${pool.name}: ${number(pool.values[at])}`)].join("\n") });
  frame.svg.append(put("svg:defs", {}, ...shown.map((pool) => hatch(pool.index, id(pool)))));
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
