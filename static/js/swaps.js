// What HTMX swaps is announced, never loses the focus and never fails in silence (docs/dashboard.md).
import { clearTrouble, showTrouble, troubleOf } from "./trouble.js";

const announcer = document.querySelector("#announcer");
let hadFocus = false;

const region = (event) => event.detail.target?.closest?.("[data-region]");

// Empty filters stay out of the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("form.filters")) return;
  for (const [name, value] of [...event.detail.formData]) if (value === "") event.detail.formData.delete(name);
});

document.addEventListener("htmx:beforeRequest", (event) => region(event)?.setAttribute("aria-busy", "true"));
document.addEventListener("htmx:afterRequest", (event) => region(event)?.removeAttribute("aria-busy"));

document.addEventListener("htmx:beforeSwap", (event) => {
  hadFocus = event.detail.shouldSwap && event.detail.target.contains(document.activeElement);
  if (event.detail.shouldSwap) clearTrouble();
});

document.addEventListener("htmx:afterSettle", (event) => {
  const swapped = region(event);
  // An element that was replaced as a whole goes on under its id.
  const place = swapped?.isConnected ? swapped : swapped && document.getElementById(swapped.id);
  if (!place) return;
  announcer.textContent = [...place.querySelectorAll("[data-announce]")].map((each) => each.textContent).join(" ");
  const error = place.querySelector("[data-focus], [aria-invalid=true]");
  if (error) error.focus();
  else if (hadFocus && !place.contains(document.activeElement)) place.focus({ preventScroll: true });
});

// A page that is refused or missing is shown as what it is; what passes is said, and the page stays.
document.addEventListener("htmx:responseError", (event) => {
  const { xhr, pathInfo } = event.detail;
  const again = pathInfo.finalRequestPath;
  if (xhr.status < 500 && xhr.status !== 429) {
    window.location.assign(again);
    return;
  }
  const [kind, told] = troubleOf(xhr.status, xhr.responseText, xhr.getResponseHeader("Retry-After"));
  showTrouble(kind, { ...told, again });
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => showTrouble("offline", { again: event.detail.pathInfo.finalRequestPath }));
}

// What was typed, chosen or opened before the scripts were there counts now, as it would have then. HTMX takes
// what it finds in a field for what was last asked, so the form is told of it by an event of its own.
const wasTouched = (field) => {
  if (field.matches("[type=radio], [type=checkbox]")) return field.checked !== field.defaultChecked;
  // A date that is none stays in the address, with what is wrong with it, and the field is empty.
  if (field.matches("input:not([type=hidden])")) return field.value !== field.defaultValue && !(field.type === "date" && !field.value);
  if (!field.matches("select")) return false;
  const first = [...field.options].find((option) => option.defaultSelected) ?? field.options[0];
  return field.value !== first?.value;
};
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form[hx-get]")) {
    const touched = [...form.elements].find(wasTouched);
    touched?.dispatchEvent(new Event("input", { bubbles: true }));
    touched?.dispatchEvent(new Event("touched", { bubbles: true }));
  }
  for (const open of document.querySelectorAll("details[hx-get][open]")) open.dispatchEvent(new Event("toggle"));
});
