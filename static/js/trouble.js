// What keeps this page from the portal, said as it is. A module without effects when loaded (busy.js says why).
const banner = document.querySelector("#trouble");
let cameFrom = null;

export function clearTrouble() {
  banner.hidden = true;
}

// `said`: the answer's own words; `after`: seconds until it is worth asking again; `again`: an address to ask.
export function showTrouble(kind, { said = "", after = 0, again = "" } = {}) {
  for (const words of banner.querySelectorAll("[data-trouble]")) words.hidden = words.dataset.trouble !== kind;
  if (kind === "said") banner.querySelector("[data-trouble=said]").textContent = said;
  const soon = banner.querySelector("[data-soon]");
  soon.hidden = !after;
  if (after) soon.textContent = soon.dataset.soon.replace("{when}", inWords(after));
  const link = banner.querySelector("[data-again]");
  link.hidden = !again;
  link.href = again || "#";
  cameFrom = document.activeElement;
  banner.hidden = false;
}

// What an answer that is no page of ours, or one that refuses, comes to.
export function troubleOf(status, text, retryAfter) {
  const after = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) : 0;
  if (status === 401) return ["signed-out", {}];
  if (status === 429) return ["many", { after }];
  if (status >= 502) return ["away", { after }];
  const page = status < 500 && new DOMParser().parseFromString(text, "text/html");
  const said = page && [...page.querySelectorAll("main h1, main h1 + p")].map((each) => each.textContent.trim()).join(". ");
  return said ? ["said", { said }] : ["broken", {}];
}

function inWords(seconds) {
  const [number, unit] = seconds < 100 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.RelativeTimeFormat(`${document.documentElement.lang}-u-nu-latn`).format(number, unit);
}

export function closeTrouble() {
  clearTrouble();
  (cameFrom?.isConnected ? cameFrom : document.querySelector("#main")).focus();
}
