// The card field. Stripe.js draws it in its own frame, so that a card number never reaches this site.
import { setBusy } from "./busy.js";

const form = document.querySelector("#add-card");
const problem = form.querySelector("#card-error");
const button = form.querySelector("button[type=submit]");
const holder = form.querySelector("[name=holder_name]");
const field = form.querySelector("#card-element");

const show = (message) => {
  problem.textContent = message;
  problem.hidden = !message;
  holder.removeAttribute("aria-invalid");
};

if (typeof window.Stripe !== "function") {
  show(form.dataset.blocked);
  button.disabled = true;
} else {
  start(window.Stripe(form.dataset.publishableKey, { locale: document.documentElement.lang }));
}

function start(stripe) {
  const colours = getComputedStyle(document.documentElement);
  const colour = (name) => colours.getPropertyValue(name).trim();
  const card = stripe.elements().create("card", {
    hidePostalCode: true,
    style: {
      base: {
        color: colour("--text"),
        iconColor: colour("--text-3"),
        fontFamily: "Inter, system-ui, sans-serif",
        fontSize: "16px",
        "::placeholder": { color: colour("--text-3") },
      },
      invalid: { color: colour("--bad"), iconColor: colour("--bad") },
    },
  });
  card.mount(field);
  card.on("change", (event) => show(event.error ? event.error.message : ""));
  document.querySelector("#card-label").addEventListener("click", () => card.focus());

  // The same setup intent serves a second try after a typing mistake.
  let secret = null;
  let busy = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    show("");
    if (!holder.value.trim()) {
      show(form.dataset.nameless);
      holder.setAttribute("aria-invalid", "true");
      holder.focus();
      return;
    }
    busy = true;
    setBusy(button, true);
    try {
      secret ??= await openSetupIntent();
      const result = await stripe.confirmCardSetup(secret, {
        payment_method: { card, billing_details: { name: holder.value.trim() } },
      });
      if (result.error) {
        // Some errors leave the intent unusable; the next try begins with a new one.
        if (result.error.type !== "validation_error") secret = null;
        throw new Error(result.error.message);
      }
      form.querySelector("[name=setup_intent]").value = result.setupIntent.id;
      form.submit();
      return;
    } catch (error) {
      show(error.message || form.dataset.failed);
      problem.focus();
    }
    busy = false;
    setBusy(button, false);
  });
}

async function openSetupIntent() {
  const answer = await fetch(form.dataset.setupIntentUrl, {
    method: "POST",
    headers: { "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value, Accept: "application/json" },
  }).catch(() => null);
  if (!answer) throw new Error(form.dataset.offline);
  if (answer.redirected) throw new Error(form.dataset.signedOut);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail || form.dataset.failed);
  return body.client_secret;
}
