/* The hosted payment page. */
import { bindCardFields } from "/static/card-fields.js";

const form = document.querySelector("form");
const button = document.getElementById("pay");
const error = document.getElementById("error");
const brand = document.getElementById("brand");
const label = button.textContent;

const fields = bindCardFields({
  number: form.elements.cardnumber,
  exp: form.elements["exp-date"],
  cvc: form.elements.cvc,
  onChange(state) {
    brand.textContent = state.label;
    brand.hidden = !state.label;
    if (state.error) show(state.error.message);
    else if (!button.disabled) show("");
  },
});

function show(message) {
  if (error.textContent !== message) error.textContent = message;
}

function busy(on) {
  button.disabled = on;
  button.textContent = on ? "Processing…" : label;
}

/* The bank's page in a dialog; Escape means "I did not do this". */
function challenge(url) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "sheet";
    dialog.setAttribute("aria-label", "3-D Secure authentication");
    const frame = document.createElement("iframe");
    frame.title = "3-D Secure authentication";
    frame.src = url;
    frame.addEventListener("load", () => {
      frame.focus();
      frame.contentWindow.postMessage({ sandbox: "3ds", kind: "focus" }, location.origin);
    });
    dialog.append(frame);
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      frame.contentWindow.postMessage({ sandbox: "3ds", kind: "fail" }, location.origin);
    });
    window.addEventListener("message", function done(event) {
      if (event.source !== frame.contentWindow || event.origin !== location.origin) return;
      if (event.data?.sandbox !== "3ds") return;
      window.removeEventListener("message", done);
      dialog.close();
      dialog.remove();
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

async function ask(path, body) {
  const response = await fetch(path, body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return response.json();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  const state = fields.check();
  const email = form.elements.email;
  email.classList.toggle("invalid", !email.checkValidity() || !email.value);
  if (!email.value || !email.checkValidity()) {
    show("Enter your email address.");
    email.focus();
    return;
  }
  if (!state.complete) {
    const names = { number: "cardnumber", exp: "exp-date", cvc: "cvc" };
    form.elements[names[state.error.field]].focus();
    return;
  }
  show("");
  busy(true);
  try {
    let answer = await ask(location.pathname, {
      email: email.value, name: form.elements.name.value, card: fields.card(),
    });
    if (answer.status === "requires_action") {
      await challenge(new URL(answer.challenge).pathname + new URL(answer.challenge).search);
      answer = await ask(`${location.pathname}/outcome`);
    }
    if (answer.redirect) {
      location.assign(answer.redirect);
      return;
    }
    if (answer.status === "expired") {
      location.reload();
      return;
    }
    busy(false);
    show(answer.error?.message || answer.message || "The payment did not go through.");
  } catch {
    busy(false);
    show("The payment service can't be reached. Try again.");
  }
});
