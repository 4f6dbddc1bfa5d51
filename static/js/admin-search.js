// Enter in the palette (Ctrl K) before a result is chosen looks the term up in the list of accounts,
// which leads on to what can only mean one thing. The palette itself would look for a chosen one.
document.addEventListener(
  "keydown",
  (event) => {
    const field = event.target;
    if (event.key !== "Enter" || field.id !== "search-input-command" || !field.value.trim()) return;
    if (document.querySelector("#command-results-list li.active")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const term = encodeURIComponent(field.value.trim());
    window.location.assign(`/admin/accounts/account/?q=${term}`);
  },
  true,
);
