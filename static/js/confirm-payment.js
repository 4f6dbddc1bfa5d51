// The bank's question (3-D Secure). Stripe.js asks it in a frame of its own; the server sees what came of it.
import { setBusy } from "./busy.js";

const form = document.querySelector("#confirm-payment");
const problem = form.querySelector("#confirm-error");
const button = form.querySelector("button[type=submit]");
let busy = false;

const show = (message) => {
  problem.textContent = message;
  problem.hidden = !message;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  if (typeof window.Stripe !== "function") {
    show(form.dataset.blocked);
    problem.focus();
    return;
  }
  busy = true;
  show("");
  setBusy(button, true);
  const { publishableKey, clientSecret, paymentMethod } = form.dataset;
  try {
    const result = await confirm(window.Stripe(publishableKey, { locale: document.documentElement.lang }), clientSecret, paymentMethod);
    if (result.error?.type !== "api_connection_error") {
      // Whatever the bank said, the server asks Stripe and shows it.
      form.submit();
      return;
    }
    show(form.dataset.unreachable);
  } catch (error) {
    show(form.dataset.failed);
  }
  problem.focus();
  busy = false;
  setBusy(button, false);
});

// A charge made while the customer was there waits for its question; one made without them starts again.
async function confirm(stripe, clientSecret, paymentMethod) {
  const found = await stripe.retrievePaymentIntent(clientSecret);
  if (found.error) return found;
  if (found.paymentIntent.status === "requires_action") return stripe.handleNextAction({ clientSecret });
  if (["requires_payment_method", "requires_confirmation"].includes(found.paymentIntent.status)) {
    return stripe.confirmCardPayment(clientSecret, { payment_method: paymentMethod });
  }
  return found;
}
