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
    // Until its script listens nobody can press what would be lost; the dialog has the focus.
    frame.style.visibility = "hidden";
    let loaded = false;
    let abandoned = false;
    function tell(kind) {
      frame.contentWindow.postMessage({ sandbox: "3ds", kind }, location.origin);
    }
    function abandon(event) {
      event.preventDefault();
      abandoned = true;
      if (loaded) tell("fail");
    }
    frame.addEventListener("load", () => {
      loaded = true;
      if (abandoned) {
        tell("fail");
        return;
      }
      frame.style.visibility = "visible";
      frame.focus();
      tell("focus");
    });
    dialog.append(frame);
    dialog.addEventListener("cancel", abandon);
    // A page that nobody has touched since the last Escape is not asked: its dialog just closes.
    dialog.addEventListener("close", abandon);
    window.addEventListener("message", function done(event) {
      if (event.source !== frame.contentWindow || event.origin !== location.origin) return;
      if (event.data?.sandbox !== "3ds") return;
      window.removeEventListener("message", done);
      dialog.removeEventListener("close", abandon);
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

button.disabled = false;
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
