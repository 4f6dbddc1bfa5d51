// A button that shows progress. A module of its own, without effects when loaded: the static files'
// hashed and plain names of one module would otherwise run its effects twice.
export function setBusy(button, busy) {
  if (!button) return;
  button.classList.toggle("is-busy", busy);
  if (busy) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
  const label = button.querySelector("[data-label]") ?? button;
  if (busy && button.dataset.busyText) {
    button.dataset.idleText = label.textContent;
    label.textContent = button.dataset.busyText;
  } else if (!busy && button.dataset.idleText) {
    label.textContent = button.dataset.idleText;
  }
}
