// Makes plain forms smoother. Every page works without it (only the card field needs a script).
import { setBusy } from "./busy.js";
import { post } from "./post.js";
import { closeTrouble } from "./trouble.js";

// One submit is one submit: the button shows progress and a second press does nothing.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.busy !== "true") return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented || form.hasAttribute("data-own-submit")) return;
  form.dataset.busy = "true";
  setBusy(event.submitter ?? form.querySelector("button[type=submit]"), true);
  // Signing in and out, and into another account, leave the page.
  if (!form.closest(".frame main")) return;
  event.preventDefault();
  post(form, event.submitter, begin);
});

// Coming back with the browser's Back button must not find a dead form.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-busy]")) delete form.dataset.busy;
  for (const button of document.querySelectorAll(".is-busy")) setBusy(button, false);
});

// A chosen preset is written on the button ("Add $50.00"); an own amount and a preset exclude each other
// (before HTMX, at the form, reads what is chosen).
const showPreset = (form) => {
  const chosen = form.querySelector("input[name=amount]:checked");
  if (chosen?.dataset.button) form.querySelector("button[type=submit] [data-label]").textContent = chosen.dataset.button;
};
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-presets]");
  if (!form) return;
  const own = form.querySelector("input[data-own-amount]");
  if (own && event.target.name === "amount") own.value = "";
  showPreset(form);
}, { capture: true });
document.addEventListener("input", (event) => {
  if (!event.target.matches("form[data-presets] input[data-own-amount]") || !event.target.value) return;
  for (const preset of event.target.form.querySelectorAll("input[type=radio][name=amount]")) preset.checked = false;
}, { capture: true });

// Copy a value.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  label.textContent = button.dataset.copied;
  setTimeout(() => { label.textContent = before; }, 1600);
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-trouble]")) closeTrouble();
});

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

// Each time there is a page: what is chosen is on its button, and the reader is where an error is, or what came of
// their form is said (it is read aloud then, and Tab goes on from there).
const begin = () => {
  for (const form of document.querySelectorAll("form[data-presets]")) showPreset(form);
  const first = ["[data-focus]", "[aria-invalid=true]", ".frame [data-said]"].map((each) => document.querySelector(each));
  first.find(Boolean)?.focus();
};
begin();
