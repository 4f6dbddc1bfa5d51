const query = new URLSearchParams(location.search);
const stripe = Stripe("pk_test_" + "sandbox".repeat(4));
const card = stripe.elements().create("card", { hidePostalCode: true });
card.on("ready", () => { document.body.dataset.ready = "yes"; });
card.on("change", (event) => {
  document.getElementById("change").textContent =
    [event.brand, event.complete, event.empty, event.error ? event.error.code : ""].join("|");
});
card.mount("#card");
document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const secret = query.get("secret");
  const data = { payment_method: { card, billing_details: { name: "Owner" } } };
  const answer = secret.startsWith("seti_")
    ? await stripe.confirmCardSetup(secret, data)
    : await stripe.confirmCardPayment(secret, data);
  const intent = answer.setupIntent || answer.paymentIntent;
  document.getElementById("result").textContent = answer.error
    ? `error ${answer.error.code} ${answer.error.message}`
    : `${intent.object} ${intent.status}`;
});
