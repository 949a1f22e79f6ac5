// What tells series apart: shapes, colours, stripes. Nothing by colour alone.

const SHAPES = [
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (r) => `M${-r * 0.88} ${-r * 0.88}h${r * 1.76}v${r * 1.76}h${-r * 1.76}z`,
  (r) => `M0 ${-r * 1.15}L${r * 1.1} ${r * 0.8}H${-r * 1.1}z`,
  (r) => `M0 ${-r * 1.25}L${r * 1.25} 0L0 ${r * 1.25}L${-r * 1.25} 0z`,
  (r) => `M0 ${r * 1.15}L${r * 1.1} ${-r * 0.8}H${-r * 1.1}z`,
  (r) => `M${-r * 0.4} ${-r * 1.1}h${r * 0.8}v${r * 0.7}h${r * 0.7}v${r * 0.8}h${-r * 0.7}v${r * 0.7}h${-r * 0.8}v${-r * 0.7}h${-r * 0.7}v${-r * 0.8}h${r * 0.7}z`,
  (r) => `M${-r * 1.15} 0L${-r * 0.57} ${-r}H${r * 0.57}L${r * 1.15} 0L${r * 0.57} ${r}H${-r * 0.57}z`,
  (r) => `M0 ${-r * 1.2}L${r * 1.14} ${-r * 0.37}L${r * 0.7} ${r}H${-r * 0.7}L${-r * 1.14} ${-r * 0.37}z`,
];
// For reasons alone.
const CROSS = (r) => { const a = r * 0.95, b = r * 0.5; return `M0 ${-b}L${a - b} ${-a}L${a} ${b - a}L${b} 0L${a} ${a - b}L${a - b} ${a}L0 ${b}L${b - a} ${a}L${-a} ${a - b}L${-b} 0L${-a} ${b - a}L${b - a} ${-a}z`; };
const RING = (r) => SHAPES[0](r) + SHAPES[0](r * 0.5);

// The ninth has the first colour again, so it has the second's shape.
const colour = (index) => `var(--c${index % 8})`;
const shape = (index, r) => SHAPES[(index + Math.floor(index / 8)) % 8](r);

// Stripes for areas. The ninth has the first colour again, so it has the second's stripes.
const HATCHES = [null, "M0 8L8 0M-2 2L2 -2M6 10L10 6", "M0 0L8 8M6 -2L10 2M-2 6L2 10", "M4 0V8", "M0 4H8", "M0 0L8 8M0 8L8 0", "M2 2h2v2h-2z", "M0 2H8M0 6H8"];

function hatch(index, id) {
  const pattern = put("svg:pattern", { id, width: 8, height: 8, patternUnits: "userSpaceOnUse" });
  pattern.append(put("svg:rect", { width: 8, height: 8, fill: colour(index) }));
  const lines = HATCHES[(index + Math.floor(index / 8)) % 8];
  if (lines) pattern.append(put("svg:path", { d: lines, stroke: "var(--card)", "stroke-width": 1.6, "stroke-opacity": 0.75, fill: "none" }));
  return pattern;
}

const lineSwatch = (style) => put("svg:path", { d: "M1 7H29", fill: "none", ...style });
const markSwatch = (index, filled = true) => put("svg:path", { transform: "translate(15 7)", d: shape(index, 5.5), fill: filled ? colour(index) : "var(--card)", stroke: colour(index), "stroke-width": filled ? 1 : 2 });

// A policy's mark, alone in a line of text.
function loneMark(index, filled) {
  const drawn = put("svg:svg", { class: "lone", viewBox: "7 -1 16 16", width: 14, height: 14, "aria-hidden": "true" });
  drawn.append(markSwatch(index, filled));
  return drawn;
}
