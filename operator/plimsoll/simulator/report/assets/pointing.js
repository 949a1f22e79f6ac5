// What is said of the thing that is pointed at, by mouse, finger or keyboard.

// Who speaks now: `target`, and `leave`, which takes back what was shown for it beside the text.
let speaking = null;

// In the page, not in the window, so that it scrolls along with what it is about.
function tell(speaker, text, x, y) {
  if (speaking && speaking !== speaker) speaking.leave();
  speaking = speaker;
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > innerWidth ? x - box.width - 16 : x + 16;
  tip.style.left = `${scrollX + Math.max(6, Math.min(left, document.documentElement.clientWidth - box.width - 6))}px`;
  tip.style.top = `${scrollY + Math.max(6, Math.min(y - box.height - 10, innerHeight - box.height - 6))}px`;
}

function hush() {
  if (speaking) speaking.leave();
  speaking = null;
  byId("tip").hidden = true;
}

// `at` is called with what points, `leave` when it is over. A finger has no hover: what it touched is told until it
// touches something else.
function pointing(target, at, leave = () => {}) {
  const speaker = { target, leave };
  const away = () => { if (speaking === speaker) hush(); };
  target.addEventListener("pointerdown", at);
  target.addEventListener("pointermove", at);
  target.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") away(); });
  target.addEventListener("blur", away);
  return speaker;
}

addEventListener("pointerdown", (event) => { if (speaking && !speaking.target.contains(event.target)) hush(); }, true);
addEventListener("keydown", (event) => { if (event.key === "Escape") hush(); });
