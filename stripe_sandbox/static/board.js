/* Buttons of the page at "/": one control call each, then the page anew. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  button.disabled = true;
  const response = await fetch(button.dataset.post, {
    method: button.dataset.method || "POST",
    headers: { "Content-Type": "application/json" },
    body: button.dataset.body,
  });
  if (response.ok) location.reload();
  else {
    button.disabled = false;
    const answer = await response.json();
    document.getElementById("note").textContent = answer.error?.message || "It did not work.";
  }
});
