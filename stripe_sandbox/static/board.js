/* Buttons of the page at "/": one control call each, then the lists anew, the focus where it was. */
const note = document.getElementById("note");
const dialog = document.getElementById("ask");

async function refresh() {
  const answer = await fetch("/");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(page.querySelector("main"));
}

function same(button) {
  return [...document.querySelectorAll("main button")].find(
    (one) => one.dataset.post === button.dataset.post && one.dataset.body === button.dataset.body
  );
}

/* How much, or null if they thought better of it. */
function ask(button) {
  const amount = document.getElementById("ask-amount");
  amount.max = button.dataset.left;
  amount.step = amount.min = button.dataset.step;
  amount.value = "";
  document.getElementById("ask-left").textContent = button.dataset.left;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? JSON.stringify({ amount: Number(amount.value) }) : null),
      { once: true }
    );
  });
}

/* Carry out what a button stands for; what came of it, in words. */
async function send(button, body) {
  const response = await fetch(button.dataset.post, {
    method: button.dataset.method || "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  const answer = await response.json();
  if (!response.ok) return answer.error?.message || "It did not work.";
  return `Done. ${button.getAttribute("aria-label") || button.textContent}`;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("main button");
  if (!button) return;
  note.textContent = "";
  let body = button.dataset.body;
  if (button.dataset.ask) {
    body = await ask(button);
    if (body === null) return;
  }
  button.disabled = true;
  try {
    const said = button.dataset.post ? await send(button, body) : "";
    await refresh();
    (same(button) || document.querySelector("main")).focus();
    note.textContent = said;
  } catch {
    button.disabled = false;
    note.textContent = "The sandbox does not answer.";
  }
});
