/* Inside the card element's iframe: the card stays here and goes only to the sandbox. */
import { bindCardFields } from "/static/card-fields.js";

const PARENT = new URLSearchParams(location.search).get("parent") || location.origin;
const field = (name) => document.querySelector(`[name="${name}"]`);
const number = field("cardnumber");
const exp = field("exp-date");
const cvc = field("cvc");
const brand = document.getElementById("brand");
const root = document.documentElement;

let told = "";

function tell(message) {
  window.parent.postMessage({ sandbox: "card", ...message }, PARENT);
}

const fields = bindCardFields({
  number, exp, cvc,
  onChange(state) {
    brand.textContent = state.label || "CARD";
    brand.dataset.brand = state.brand;
    brand.setAttribute("aria-label", state.brand === "unknown" ? "Card" : state.brand);
    cvc.placeholder = state.brand === "amex" ? "CVV" : "CVC";
    const { label, fields: parts, error, ...rest } = state;
    const shown = error ? { type: error.type, code: error.code, message: error.message } : undefined;
    const change = { ...rest, error: shown };
    if (JSON.stringify(change) === told) return;
    told = JSON.stringify(change);
    tell({ kind: "change", state: change });
  },
});

function look(options) {
  const { base = {}, invalid = {} } = options.style || {};
  const set = (name, value) => {
    if (typeof value === "string") root.style.setProperty(name, value);
  };
  set("--color", base.color);
  set("--family", base.fontFamily);
  set("--size", base.fontSize);
  set("--weight", base.fontWeight);
  set("--placeholder", base["::placeholder"]?.color);
  set("--icon", base.iconColor);
  set("--invalid", invalid.color);
  brand.hidden = options.hideIcon;
  [number, exp, cvc].forEach((input) => { input.disabled = options.disabled; });
  tell({ kind: "height", height: document.body.offsetHeight });
}

async function submit({ number: ticket, path, fields: given, key }) {
  const now = fields.check();
  if (!now.complete) {
    const { field: _, ...error } = now.error;
    tell({ kind: "result", number: ticket, answer: { error } });
    return;
  }
  const prefix = path === "/v1/payment_methods" ? "card" : "payment_method_data[card]";
  const body = new URLSearchParams(given);
  for (const [name, value] of Object.entries(fields.card())) {
    body.append(`${prefix}[${name}]`, value);
  }
  let answer;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${key}`,
        "Content-Type": "application/x-www-form-urlencoded",
      },
      body: body.toString(),
    });
    answer = await response.json();
  } catch {
    answer = { error: { type: "api_connection_error",
      message: "The payment service can't be reached." } };
  }
  tell({ kind: "result", number: ticket, answer });
}

window.addEventListener("message", (event) => {
  if (event.source !== window.parent || event.origin !== PARENT) return;
  const message = event.data;
  if (!message || message.sandbox !== "card") return;
  if (message.kind === "options") look(message.options);
  else if (message.kind === "focus") number.focus();
  else if (message.kind === "blur") document.activeElement?.blur();
  else if (message.kind === "clear") fields.clear();
  else if (message.kind === "submit" && /^\/v1\/[\w/]+$/.test(message.path)) submit(message);
});

let focused = false;
document.addEventListener("focusin", () => {
  if (!focused) tell({ kind: "focus" });
  focused = true;
});
document.addEventListener("focusout", () => {
  setTimeout(() => {
    if (document.hasFocus() && document.activeElement?.tagName === "INPUT") return;
    if (focused) tell({ kind: "blur" });
    focused = false;
  });
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tell({ kind: "escape" });
  if (event.key === "Enter") tell({ kind: "enter" });
});
new ResizeObserver(() => tell({ kind: "height", height: document.body.offsetHeight }))
  .observe(document.body);
tell({ kind: "loaded" });
