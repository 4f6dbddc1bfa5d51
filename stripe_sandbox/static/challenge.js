/* The 3-D Secure challenge: two buttons, and Escape for "I did not do this". */
const main = document.querySelector("main");
const buttons = document.querySelectorAll("button");
const search = new URLSearchParams(location.search);
const PARENT = search.get("parent") || location.origin;
let answered = false;

async function answer(passed) {
  if (answered) return;
  answered = true;
  buttons.forEach((button) => { button.disabled = true; });
  let outcome = {};
  try {
    const response = await fetch(location.pathname, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ client_secret: search.get("client_secret"), passed }),
    });
    outcome = await response.json();
  } catch {
    answered = false;
    buttons.forEach((button) => { button.disabled = false; });
    document.getElementById("note").textContent = "The bank can't be reached. Try again.";
    return;
  }
  if (main.dataset.redirect && outcome.return_url) location.assign(outcome.return_url);
  else if (window.parent !== window) {
    window.parent.postMessage({ sandbox: "3ds", kind: "done" }, PARENT);
  } else document.getElementById("note").textContent = "Done. You may close this page.";
}

document.getElementById("test-source-authorize-3ds")
  ?.addEventListener("click", () => answer(true));
document.getElementById("test-source-fail-3ds")?.addEventListener("click", () => answer(false));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") answer(false);
});
window.addEventListener("message", (event) => {
  if (event.source !== window.parent || event.origin !== PARENT) return;
  if (event.data?.sandbox !== "3ds") return;
  if (event.data.kind === "fail") answer(false);
  if (event.data.kind === "focus") buttons[0]?.focus();
});
buttons.forEach((button) => { button.disabled = false; });
if (main.dataset.status !== "requires_action" && window.parent !== window) {
  window.parent.postMessage({ sandbox: "3ds", kind: "done" }, PARENT);
}
