// Makes plain forms smoother. Every page works without it (only the card field needs a script).
import { setBusy } from "./busy.js";

// One submit is one submit: the button shows progress and a second press does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.busy === "true") {
    event.preventDefault();
    return;
  }
  if (form.method !== "post" || event.defaultPrevented || form.hasAttribute("data-own-submit")) return;
  form.dataset.busy = "true";
  setBusy(event.submitter ?? form.querySelector("button[type=submit]"), true);
});

// Coming back with the browser's Back button must not find a dead form.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-busy]")) delete form.dataset.busy;
  for (const button of document.querySelectorAll(".is-busy")) setBusy(button, false);
});

// A chosen preset is written on the button ("Add $50.00"); an own amount and a preset exclude each other.
for (const form of document.querySelectorAll("form[data-presets]")) {
  const own = form.querySelector("input[data-own-amount]");
  const presets = form.querySelectorAll("input[type=radio][name=amount]");
  const show = () => {
    const chosen = form.querySelector("input[name=amount]:checked");
    if (chosen?.dataset.button) form.querySelector("button[type=submit] [data-label]").textContent = chosen.dataset.button;
  };
  form.addEventListener("change", (event) => {
    if (own && event.target.name === "amount") own.value = "";
    show();
  });
  own?.addEventListener("input", () => {
    if (own.value) for (const preset of presets) preset.checked = false;
  });
  show();
}

// Filters apply as soon as one is chosen.
for (const form of document.querySelectorAll("form[data-auto-submit]")) {
  form.addEventListener("change", (event) => {
    if (event.target.type !== "date" || event.target.value === "" || event.target.validity.valid) form.requestSubmit();
  });
}

// Copy a value.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.querySelector("[data-label]") ?? button;
    const before = label.textContent;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = before; }, 1600);
  });
}

// Menus and questions close on Escape and on a click elsewhere.
const popovers = "details.who, details.ask";
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll(`:is(${popovers})[open]`)) {
    if (!open.contains(event.target) || event.target.closest("[data-close]")) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll(`:is(${popovers})[open]`)) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// On a phone the current tab is in view.
document.querySelector(".nav a[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });

// An error is where the reader is.
(document.querySelector("[data-focus]") ?? document.querySelector("[aria-invalid=true]"))?.focus();
