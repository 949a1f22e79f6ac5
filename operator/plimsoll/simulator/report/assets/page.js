// What is chosen, and everything drawn anew for it.

const DATA = JSON.parse(byId("figures").textContent);
const { scenarios: SCENARIOS, columns: COLUMNS } = JSON.parse(byId("material").textContent);
const ALL = "*";
const state = { scenario: SCENARIOS.length ? SCENARIOS[0].name : "", policy: "", model: "", seed: "" };
const MEAN = "mean";

const current = () => SCENARIOS.find((one) => one.name === state.scenario);
const rowOf = (scenario, policy) => scenario.rows.find((row) => row.policy === policy);
const cellOf = (row, key) => row.cells[COLUMNS.findIndex((column) => column.key === key)];

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => put("option", { value, selected: value === chosen }, text)));
  select.value = chosen;
  select.disabled = options.length < 2;
}

// What is not there (any more) becomes the first that is.
function settle() {
  const scenario = current();
  const policies = scenario.rows.map((row) => row.policy);
  if (!policies.includes(state.policy)) state.policy = policies[0] || "";
  const seeds = scenario.runs.filter((run) => run.policy === state.policy).map((run) => String(run.seed));
  const all = scenario.seeds.filter((run) => run.policy === state.policy).map((run) => String(run.seed));
  if (!seeds.includes(state.seed)) state.seed = seeds[0] || all[0] || "";
  const models = scenario.models.length > 1 ? [ALL, ...scenario.models] : scenario.models;
  // The busiest, not the sum: a sum has no SLO.
  if (!models.includes(state.model)) state.model = scenario.models[0] || "";
  fill(byId("scenario"), SCENARIOS.map((one) => [one.name, one.name]), state.scenario);
  fill(byId("policy"), scenario.rows.map((row) => [row.policy, `${row.policy}${row.keeps ? "" : " (misses the goal)"}`]), state.policy);
  fill(byId("model"), models.map((one) => [one, one === ALL ? `All ${scenario.models.length + scenario.more_models} models` : one]), state.model);
  fill(byId("seed"), (seeds.length ? seeds : all).map((one) => [one, one]), state.seed);
}

function show() {
  const focused = inFocus();
  draw();
  focused();
}

// Drawing anew takes away what had the focus: afterwards it is where it was.
function inFocus() {
  const active = document.activeElement, table = active.closest("table"), chart = active.closest(".chart[id]");
  const row = active.closest("tr[data-policy]"), place = table ? table.id : chart ? chart.id : "";
  return () => {
    if (!place || document.contains(active)) return;
    const again = row ? `tr[data-policy="${CSS.escape(row.dataset.policy)}"] button` : chart ? "svg[tabindex]" : "button";
    byId(place).querySelector(again)?.focus({ preventScroll: true });
  };
}

function draw() {
  hush();
  for (const words of document.querySelectorAll(".words")) words.hidden = SCENARIOS.length > 0 && words.dataset.scenario !== state.scenario;
  const scenario = current();
  if (!scenario) { for (const part of document.querySelectorAll(".card, .choices, .over-time, .tiles, #download")) part.hidden = true; return; }
  settle();
  remember();
  tiles(scenario);
  // What stands beside the scatter decides how wide that is.
  excess(scenario);
  drawScatter(byId("scatter"), scenario, state.policy, choosePolicy);
  drawTable(byId("figures-table"), scenario, state.policy, choosePolicy, draw);
  overTime(scenario);
  overview();
}

function tiles(scenario) {
  const row = rowOf(scenario, state.policy);
  const text = (key) => cellOf(row, key).text;
  const told = row ? [
    ["usd", `${text("usd")} USD`, `${state.policy}, ${scenario.span}`],
    boundTile(scenario, row),
    ["slo_attainment", text("slo_attainment"), `within SLO, goal ${scenario.goal_text}: ${row.keeps ? "✓ kept" : "✗ missed"}`],
    ["usd_per_million_tokens", text("usd_per_million_tokens"), "USD per million tokens"],
    ["requests", text("requests"), `requests, ${text("dropped")} dropped`],
    ["moves", text("moves"), cellOf(row, "moves").value === 1 ? "move" : "moves"],
  ].filter(([, value]) => value !== null) : [];
  byId("tiles").replaceChildren(...told.map(([key, value, about]) => put("li", { "data-figure": key }, put("b", {}, value), put("span", {}, about))));
}

// Only who keeps the goal can be measured by what keeping it costs at least.
function boundTile(scenario, row) {
  const times = cellOf(row, "times_bound");
  if (times.value === null) return ["times_bound", null, ""];
  if (scenario.bound_is_none) return ["bound", scenario.bound_text, "the bound, which is none here"];
  if (!row.keeps) return ["bound", scenario.bound_text, "the bound: what keeping the goal costs at least"];
  return ["times_bound", times.text, `the bound of ${scenario.bound_text}`];
}

function excess(scenario) {
  const policy = excessPolicy(scenario, state.policy), told = scenario.excess.filter((one) => one.policy === policy);
  byId("excess-card").hidden = !told.length;
  byId("scatter-card").parentNode.classList.toggle("single", !told.length);
  if (!told.length) return;
  const name = (one) => (one.seed === null ? MEAN : String(one.seed)), select = byId("excess-seed");
  const found = told.find((one) => name(one) === select.value) || told[0];
  fill(select, told.map((one) => [name(one), one.seed === null ? `mean over ${told.length - 1} seeds` : `seed ${one.seed}`]), name(found));
  byId("excess-choice").hidden = told.length < 2;
  byId("excess-title").textContent = `Where ${policy}'s money above the bound went`;
  byId("excess-about").textContent = `${policy}, ${found.seed === null ? `mean over ${told.length - 1} seeds` : `seed ${found.seed}`}. Step by step, the cheapest fleet with one thing more as ${policy} had it. A hollow bar to the left is money that was saved: too little was forecast, or a move was not made yet.`;
  drawExcess(byId("excess"), found);
}

function overTime(scenario) {
  const run = scenario.runs.find((one) => one.policy === state.policy && String(one.seed) === state.seed);
  const cards = ["cost-card", "capacity-card", "latency-card", "moves-card"];
  for (const id of cards) byId(id).hidden = !run;
  if (!run) {
    byId("shown").textContent = `${state.policy}: minutes of this setting are left out to keep the file small. Choose the policy's best setting (bold in the table).`;
    return;
  }
  const one = scenario.seeds.find((told) => told.policy === run.policy && told.seed === run.seed);
  const minutes = run.edges[run.edges.length - 1], per = minutes / (run.edges.length - 1);
  const left = scenario.more_models ? ` The ${scenario.models.length} busiest models can be chosen; ${scenario.more_models} more count in the sums.` : "";
  byId("shown").textContent = `${run.policy}, seed ${run.seed}: ${one.usd.toFixed(2)} USD, ${percent(one.attainment)} within SLO. ${per > 1.01 ? `An interval is ${number(per)} minutes.` : "Minute by minute."}${left}`;
  byId("paid-choice").hidden = !scenario.pools.some((pool) => pool.kind === "Paid");
  drawCost(byId("cost"), scenario, run, byId("paid").checked);
  const single = state.model === ALL ? null : run.models[state.model];
  const name = state.model === ALL ? "all models" : state.model;
  byId("capacity-card").hidden = !run.all;
  byId("capacity-about").textContent = single ? CAPACITY_ABOUT : SUM_ABOUT;
  drawCapacity(byId("capacity"), run, state.model === ALL ? run.all : single, name);
  byId("latency-about").textContent = single ? `${name}, the worst minute of each interval, by the minute in which requests came.` : "Each model has an SLO of its own: choose a model above to see its latencies.";
  drawLatencies(byId("latency"), run, single, name);
  moves(run);
}

function moves(run) {
  const mine = movesOf(run, state.model);
  byId("moves-about").textContent = movesAbout(run, state.model, mine.length);
  drawMoves(byId("moves"), run, mine);
  byId("moves-details").hidden = !mine.length;
  listMoves(byId("moves-table"), run, mine);
}

// --- All scenarios ----------------------------------------------------------

function overview() {
  byId("overview").hidden = SCENARIOS.length < 2;
  const line = (scenario) => {
    const row = scenario.rows[0], button = put("button", { type: "button", class: "link" }, scenario.name);
    button.addEventListener("click", () => { choose("scenario", scenario.name); byId("report").focus(); scrollTo(0, 0); });
    return put("tr", { "data-chosen": scenario.name === state.scenario }, put("th", { scope: "row" }, button), put("td", { class: "words-cell" }, scenario.headline),
      ...["usd", "times_bound", "slo_attainment"].map((key) => put("td", {}, !row ? "–" : key === "times_bound" && scenario.bound_is_none ? "none" : cellOf(row, key).text)));
  };
  byId("scenarios").replaceChildren(put("thead", {}, put("tr", {}, ...["Scenario", "Outcome", "Cost, USD", "× bound", "Within SLO"].map((name, index) => put("th", { scope: "col", style: index === 1 ? "text-align:left" : undefined }, name)))),
    put("tbody", {}, ...SCENARIOS.map(line)));
}

// --- Choices ----------------------------------------------------------------

function choose(what, value) {
  state[what] = value;
  show();
}

const choosePolicy = (policy) => choose("policy", policy);

// In the address, so that a link leads to the same picture.
function remember() {
  const told = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
  history.replaceState(null, "", `#${told}`);
}

function recall() {
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (key === "scenario" && !SCENARIOS.some((one) => one.name === value)) continue;
    if (key in state) state[key] = value;
  }
}

function theme(wanted) {
  const dark = wanted === "dark" || (wanted === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.toggleAttribute("data-dark", dark);
}

function start() {
  const chosenTheme = () => byId("theme").value;
  byId("theme").addEventListener("change", () => theme(chosenTheme()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(chosenTheme()));
  addEventListener("beforeprint", () => document.documentElement.removeAttribute("data-dark"));
  addEventListener("afterprint", () => theme(chosenTheme()));
  for (const what of ["scenario", "policy", "model", "seed"]) byId(what).addEventListener("change", (event) => choose(what, event.target.value));
  byId("paid").addEventListener("change", show);
  byId("excess-seed").addEventListener("change", show);
  byId("print").addEventListener("click", () => print());
  byId("copy-tsv").addEventListener("click", (event) => copyTable(event.currentTarget, current(), false));
  byId("copy-md").addEventListener("click", (event) => copyTable(event.currentTarget, current(), true));
  byId("download").addEventListener("click", () => {
    const link = put("a", { href: URL.createObjectURL(new Blob([JSON.stringify(DATA, null, 2)], { type: "application/json" })), download: "plimsoll-simulation.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  addEventListener("hashchange", () => { recall(); show(); });
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(show);
  });
  theme(chosenTheme());
  recall();
  show();
}

start();
