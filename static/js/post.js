// A form is posted without leaving its page: while the portal is away, what was typed stays where it is.
import { setBusy } from "./busy.js";
import { clearTrouble, showTrouble, troubleOf } from "./trouble.js";

// Calls `onShown` when the answer took the place of the page: a form with its errors, a key that is shown once.
export async function post(form, submitter, onShown) {
  clearTrouble();
  try {
    const answer = await fetch(form.getAttribute("action") || window.location.href, {
      method: "POST",
      headers: { "HX-Request": "true", "HX-Current-URL": window.location.href },
      body: written(form, submitter),
    });
    const leadsTo = answer.headers.get("HX-Redirect") ?? (answer.redirected ? answer.url : "");
    if (leadsTo) {
      // Busy until the next page is there.
      window.location.assign(leadsTo);
      return;
    }
    const text = await answer.text();
    if (show(text)) onShown();
    else showTrouble(...troubleOf(answer.status, text, answer.headers.get("Retry-After")));
  } catch {
    showTrouble("offline");
  }
  delete form.dataset.busy;
  for (const button of form.querySelectorAll(".is-busy")) setBusy(button, false);
}

function written(form, submitter) {
  const fields = new FormData(form);
  if (submitter?.name) fields.append(submitter.name, submitter.value);
  // Who signed in again in another tab, meanwhile, has another token.
  const token = document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=([^;]+)/)?.[1];
  if (token) fields.set("csrfmiddlewaretoken", token);
  return new URLSearchParams(fields);
}

function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  // What refuses and stands alone is said above this page instead.
  const main = page.querySelector(".frame main");
  if (!main) return false;
  document.title = page.title;
  document.querySelector("main").replaceWith(main);
  window.htmx.process(main);
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
  return true;
}
