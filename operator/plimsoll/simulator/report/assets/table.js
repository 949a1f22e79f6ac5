// The table of all figures: sorted by its headings, copied as text.

let order = { column: -1, falling: false };

function sortedRows(scenario) {
  if (order.column < 0) return scenario.rows;
  const value = (row) => row.cells[order.column].value;
  return [...scenario.rows].sort((a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === null || other === null) return (one === null) - (other === null);
    return order.falling ? other - one : one - other;
  });
}

// Columns that tell nothing in this scenario, or the same of everybody, are left out.
function usefulColumns(scenario) {
  return COLUMNS.map((_, index) => index).filter((index) => {
    const values = scenario.rows.map((row) => row.cells[index].value);
    if (COLUMNS[index].key === "paid_usd") return new Set(values).size > 1;
    // With one model it is the share of all.
    if (COLUMNS[index].key === "worst_model_attainment") return scenario.several_models;
    const optional = ["times_bound", "spread.usd", "spread.slo_attainment"].includes(COLUMNS[index].key);
    return !optional || values.some((value) => value !== null && value !== 0);
  });
}

function columnTitle(scenario, index) {
  const { key, title } = COLUMNS[index];
  return key === "times_bound" && scenario.bound_is_none ? `${title} (none here)` : title;
}

function drawTable(table, scenario, chosen, choose, again) {
  const columns = usefulColumns(scenario), families = knownFamilies();
  const heading = (index) => {
    const button = put("button", { type: "button", "aria-describedby": `about-${index}` }, columnTitle(scenario, index));
    const say = () => { const box = button.getBoundingClientRect(); tell(speaker, COLUMNS[index].about, box.left, box.top); };
    const speaker = pointing(button, say);
    button.addEventListener("focus", say);
    button.addEventListener("click", () => {
      order = { column: index, falling: order.column === index ? !order.falling : false };
      again();
      table.querySelectorAll("thead button")[columns.indexOf(index)].focus();
    });
    const sort = order.column === index ? (order.falling ? "descending" : "ascending") : undefined;
    return put("th", { scope: "col", "aria-sort": sort }, button);
  };
  const row = (one) => {
    const button = put("button", { type: "button", class: "link" }, one.policy);
    button.addEventListener("click", () => choose(one.policy));
    return put("tr", { "data-policy": one.policy, "data-chosen": one.policy === chosen, class: one.best ? "best" : undefined },
      put("th", { scope: "row" }, loneMark(families.indexOf(one.family), one.keeps), button), put("td", {}, put("span", { class: `pill ${one.keeps ? "yes" : "no"}` }, one.keeps ? "✓ kept" : "✗ missed")),
      ...columns.map((index) => put("td", { "data-figure": COLUMNS[index].key, "data-value": one.cells[index].value }, one.cells[index].text)));
  };
  table.replaceChildren(put("thead", {}, put("tr", {}, put("th", { scope: "col" }, "Policy"), put("th", { scope: "col" }, `Goal ${scenario.goal_text}`), ...columns.map(heading))),
    put("tbody", {}, ...sortedRows(scenario).map(row)));
  byId("column-terms").replaceChildren(...columns.flatMap((index) => [put("dt", {}, columnTitle(scenario, index)), put("dd", { id: `about-${index}` }, COLUMNS[index].about)]));
  byId("paid-about").textContent = paidAbout(scenario, columns);
}

// What is the same for everybody is said once.
function paidAbout(scenario, columns) {
  const paid = COLUMNS.findIndex((column) => column.key === "paid_usd"), first = scenario.rows[0];
  if (columns.includes(paid) || !first || !first.cells[paid].value) return "";
  return `Nodes that are already paid for: ${first.cells[paid].text} USD at their amortised price, the same under every policy and on no bill.`;
}

// Tab-separated with the JSON's own numbers, for spreadsheets; Markdown as it reads here.
function tableText(scenario, markdown) {
  const columns = usefulColumns(scenario);
  const head = ["Policy", `Goal ${scenario.goal_text}`, ...columns.map((index) => columnTitle(scenario, index))];
  const body = sortedRows(scenario).map((row) => [row.policy, row.keeps ? "kept" : "missed", ...columns.map((index) => (markdown ? row.cells[index].text : row.cells[index].value ?? ""))]);
  if (!markdown) return [head, ...body].map((line) => line.join("\t")).join("\n") + "\n";
  const safe = (cell) => String(cell).replaceAll("|", "\\|");
  const rule = head.map((_, index) => (index < 2 ? "---" : "---:"));
  return [head, rule, ...body].map((line) => `| ${line.map(safe).join(" | ")} |`).join("\n") + "\n";
}

async function copyTable(button, scenario, markdown) {
  const text = tableText(scenario, markdown), before = button.dataset.name || button.textContent, box = byId("copied");
  button.dataset.name = before;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
    box.hidden = true;
  } catch {
    // No leave to write there: the text itself, selected, so that Ctrl-C takes it.
    done = false;
    box.value = text;
    box.hidden = false;
    box.focus();
    box.select();
  }
  button.textContent = done ? "Copied" : "Press Ctrl-C";
  byId("live").textContent = done ? "The table is copied" : "The table is selected below: press Ctrl-C";
  setTimeout(() => { button.textContent = before; }, 2500);
}
