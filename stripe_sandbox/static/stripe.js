/* Stripe.js for the sandbox: the same calls and answers as https://js.stripe.com/v3/, for cards.
 * The embedding page may forbid inline styles, so everything is styled through CSSOM. */
(function () {
  "use strict";

  const ORIGIN = new URL(document.currentScript.src, document.baseURI).origin;
  const AUTHENTICATION_FAILED =
    "We are unable to authenticate your payment method. Please choose a different payment " +
    "method and try again.";
  let counter = 0;

  function flatten(value, prefix, into) {
    if (value === undefined || value === null) return into;
    if (typeof value === "object") {
      for (const [name, child] of Object.entries(value)) {
        flatten(child, prefix ? `${prefix}[${name}]` : name, into);
      }
    } else {
      into.append(prefix, String(value));
    }
    return into;
  }

  function style(node, rules) {
    for (const [name, value] of Object.entries(rules)) node.style.setProperty(name, value);
  }

  function failure(message, code, extra) {
    return { error: { type: "validation_error", code, message, ...extra } };
  }

  async function call(key, method, path, params) {
    const body = flatten(params, "", new URLSearchParams()).toString();
    const query = method === "GET" && body ? `?${body}` : "";
    try {
      const answer = await fetch(`${ORIGIN}${path}${query}`, {
        method,
        headers: {
          Authorization: `Bearer ${key}`,
          "Content-Type": "application/x-www-form-urlencoded",
        },
        body: method === "GET" ? undefined : body,
      });
      return await answer.json();
    } catch {
      return {
        error: { type: "api_connection_error", message: "The payment service can't be reached." },
      };
    }
  }

  /* One card field: an iframe of the sandbox, so that no card number touches the page. */
  class CardElement {
    constructor(key, options) {
      this._key = key;
      this._options = options || {};
      this._listeners = {};
      this._pending = new Map();
      this._name = `sandbox-card-${++counter}`;
      this._onMessage = this._onMessage.bind(this);
      this._ready = false;
      this._destroyed = false;
    }

    mount(target) {
      if (this._destroyed) throw new Error("This Element has been destroyed.");
      const parent = typeof target === "string" ? document.querySelector(target) : target;
      if (!parent) {
        throw new Error(
          `The selector you specified (${target}) applies to no DOM elements that are currently ` +
          "on the page."
        );
      }
      if (this._frame) this.unmount();
      const frame = document.createElement("iframe");
      frame.name = this._name;
      frame.title = "Secure card number input frame";
      frame.src = `${ORIGIN}/elements/card?parent=${encodeURIComponent(location.origin)}`;
      frame.allow = "payment *";
      style(frame, {
        border: "0", margin: "0", padding: "0", width: "100%", "min-width": "100%",
        height: "24px", display: "block", background: "transparent", "color-scheme": "light",
        "user-select": "none",
      });
      parent.classList.add("StripeElement", "StripeElement--empty");
      this._parent = parent;
      this._frame = frame;
      window.addEventListener("message", this._onMessage);
      parent.replaceChildren(frame);
      return this;
    }

    on(kind, listener) {
      (this._listeners[kind] ||= []).push(listener);
      if (kind === "ready" && this._ready) queueMicrotask(() => listener(this._event()));
      return this;
    }

    once(kind, listener) {
      const wrapped = (event) => { this.off(kind, wrapped); listener(event); };
      return this.on(kind, wrapped);
    }

    off(kind, listener) {
      const all = this._listeners[kind] || [];
      this._listeners[kind] = listener ? all.filter((one) => one !== listener) : [];
      return this;
    }

    addEventListener(kind, listener) { return this.on(kind, listener); }
    removeEventListener(kind, listener) { return this.off(kind, listener); }
    focus() { this._send({ kind: "focus" }); this._frame?.focus(); }
    blur() { this._send({ kind: "blur" }); }
    clear() { this._send({ kind: "clear" }); }

    update(options) {
      this._options = { ...this._options, ...options };
      this._send({ kind: "options", options: this._looks() });
    }

    unmount() {
      window.removeEventListener("message", this._onMessage);
      this._frame?.remove();
      this._parent?.classList.remove(
        "StripeElement", "StripeElement--empty", "StripeElement--focus",
        "StripeElement--complete", "StripeElement--invalid"
      );
      this._frame = this._parent = null;
      this._ready = false;
      for (const settle of this._pending.values()) {
        settle(failure("The card field was removed.", "incomplete_number"));
      }
      this._pending.clear();
    }

    destroy() {
      this.unmount();
      this._destroyed = true;
      this._listeners = {};
    }

    /* Ask the iframe to make an API call and put its card into it. */
    _submit(path, params) {
      if (!this._frame) {
        return Promise.resolve(failure("The card field is not on the page.", "incomplete_number"));
      }
      const number = ++counter;
      return new Promise((resolve) => {
        this._pending.set(number, resolve);
        const fields = [...flatten(params, "", new URLSearchParams())];
        this._send({ kind: "submit", number, path, fields, key: this._key });
      });
    }

    /* The look asked for; without a colour, that of the page around the field. */
    _looks() {
      const around = getComputedStyle(this._parent);
      const base = { color: around.color, fontFamily: around.fontFamily,
        ...(this._options.style?.base || {}) };
      return {
        style: { ...(this._options.style || {}), base },
        disabled: Boolean(this._options.disabled),
        hideIcon: Boolean(this._options.hideIcon),
      };
    }

    _event(extra) { return { elementType: "card", ...extra }; }

    _send(message) {
      this._frame?.contentWindow?.postMessage({ sandbox: "card", ...message }, ORIGIN);
    }

    _emit(kind, event) {
      for (const listener of [...(this._listeners[kind] || [])]) listener(event);
    }

    _onMessage(message) {
      if (message.origin !== ORIGIN || message.source !== this._frame?.contentWindow) return;
      const data = message.data;
      if (!data || data.sandbox !== "card") return;
      const list = this._parent.classList;
      if (data.kind === "loaded") {
        this._send({ kind: "options", options: this._looks() });
        this._ready = true;
        this._emit("ready", this._event());
      } else if (data.kind === "height") {
        style(this._frame, { height: `${Number(data.height)}px` });
      } else if (data.kind === "focus" || data.kind === "blur") {
        list.toggle("StripeElement--focus", data.kind === "focus");
        this._emit(data.kind, this._event());
      } else if (data.kind === "enter") {
        this._parent.closest("form")?.requestSubmit();
      } else if (data.kind === "escape") {
        this._emit("escape", this._event());
      } else if (data.kind === "change") {
        list.toggle("StripeElement--empty", data.state.empty);
        list.toggle("StripeElement--complete", data.state.complete);
        list.toggle("StripeElement--invalid", Boolean(data.state.error));
        this._emit("change", this._event({ value: { postalCode: "" }, ...data.state }));
      } else if (data.kind === "result") {
        this._pending.get(data.number)?.(data.answer);
        this._pending.delete(data.number);
      }
    }
  }

  class Elements {
    constructor(key) {
      this._key = key;
      this._made = {};
    }

    create(kind, options) {
      if (kind !== "card") throw new Error(`The sandbox has the card element, not "${kind}".`);
      if (this._made[kind] && !this._made[kind]._destroyed) {
        throw new Error("Can only create one Element of type card through elements().");
      }
      this._made[kind] = new CardElement(this._key, options);
      return this._made[kind];
    }

    getElement(kind) {
      const made = this._made[kind];
      return made && !made._destroyed ? made : null;
    }

    update() {}
  }

  /* The 3-D Secure challenge, in a dialog over the page. Escape means "I did not do this". */
  function challenge(url) {
    return new Promise((resolve) => {
      const before = document.activeElement;
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", "3-D Secure authentication");
      style(dialog, {
        position: "fixed", inset: "0", width: "100vw", height: "100dvh", "max-width": "none",
        "max-height": "none", margin: "0", padding: "0", border: "0",
        background: "rgba(15, 23, 42, .6)", "z-index": "2147483647", overflow: "hidden",
      });
      const frame = document.createElement("iframe");
      frame.title = "3-D Secure authentication";
      frame.src = `${url}${url.includes("?") ? "&" : "?"}parent=` +
        encodeURIComponent(location.origin);
      style(frame, {
        position: "absolute", inset: "0", margin: "auto", border: "0", "border-radius": "12px",
        width: "min(420px, calc(100vw - 24px))", height: "min(420px, calc(100dvh - 24px))",
        background: "#fff", "box-shadow": "0 20px 50px rgba(0, 0, 0, .35)",
        // Until its script listens nobody can press what would be lost; the dialog has the focus.
        "color-scheme": "light", visibility: "hidden",
      });
      let loaded = false;
      let abandoned = false;
      const tell = (kind) => frame.contentWindow.postMessage({ sandbox: "3ds", kind }, ORIGIN);
      function abandon(event) {
        event.preventDefault();
        abandoned = true;
        if (loaded) tell("fail");
      }
      function finish(message) {
        if (message.origin !== ORIGIN || message.source !== frame.contentWindow) return;
        if (message.data?.sandbox !== "3ds") return;
        window.removeEventListener("message", finish);
        dialog.removeEventListener("close", abandon);
        dialog.close();
        dialog.remove();
        if (before && before.focus) before.focus();
        resolve();
      }
      window.addEventListener("message", finish);
      dialog.addEventListener("cancel", abandon);
      // A page that nobody has touched since the last Escape is not asked: its dialog just closes.
      dialog.addEventListener("close", abandon);
      frame.addEventListener("load", () => {
        loaded = true;
        if (abandoned) {
          tell("fail");
          return;
        }
        style(frame, { visibility: "visible" });
        frame.focus();
        tell("focus");
      });
      dialog.append(frame);
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  const KINDS = {
    setupIntent: { path: "/v1/setup_intents", error: "last_setup_error",
      object: "setup_intent", done: ["succeeded", "processing"] },
    paymentIntent: { path: "/v1/payment_intents", error: "last_payment_error",
      object: "payment_intent", done: ["succeeded", "processing", "requires_capture"] },
  };

  class StripeSandbox {
    constructor(key) {
      this._key = key;
    }

    elements() { return new Elements(this._key); }

    async createPaymentMethod(data, card, rest) {
      const given = typeof data === "string" ? { type: data, card, ...rest } : { ...data };
      const path = "/v1/payment_methods";
      const element = given.card instanceof CardElement ? given.card : null;
      if (element) delete given.card;
      const answer = element
        ? await element._submit(path, given)
        : await call(this._key, "POST", path, given);
      return answer.error ? { error: answer.error } : { paymentMethod: answer };
    }

    confirmCardSetup(secret, data, options) {
      return this._confirm("setupIntent", secret, data, options);
    }

    confirmCardPayment(secret, data, options) {
      return this._confirm("paymentIntent", secret, data, options);
    }

    retrieveSetupIntent(secret) { return this._retrieve("setupIntent", secret); }
    retrievePaymentIntent(secret) { return this._retrieve("paymentIntent", secret); }

    async handleNextAction({ clientSecret }) {
      const name = clientSecret.startsWith("seti_") ? "setupIntent" : "paymentIntent";
      const found = await this._retrieve(name, clientSecret);
      return found.error ? found : this._follow(name, clientSecret, found[name]);
    }

    handleCardAction(clientSecret) { return this.handleNextAction({ clientSecret }); }

    _address(name, secret) {
      if (typeof secret !== "string" || !secret.includes("_secret_")) {
        throw new Error(`Invalid value for ${name} client secret: ${secret}`);
      }
      return `${KINDS[name].path}/${secret.split("_secret_")[0]}`;
    }

    async _retrieve(name, secret) {
      const path = this._address(name, secret);
      const answer = await call(this._key, "GET", path, { client_secret: secret });
      return answer.error ? { error: answer.error } : { [name]: answer };
    }

    async _confirm(name, secret, data, options) {
      const path = `${this._address(name, secret)}/confirm`;
      const { payment_method: method, ...rest } = data || {};
      const params = { ...rest, client_secret: secret, use_stripe_sdk: true };
      let answer;
      if (method && typeof method === "object") {
        const { card, ...details } = method;
        const payload = { ...params, payment_method_data: { type: "card", ...details } };
        if (card instanceof CardElement) {
          answer = await card._submit(path, payload);
        } else {
          payload.payment_method_data.card = card;
          answer = await call(this._key, "POST", path, payload);
        }
      } else {
        answer = await call(this._key, "POST", path, { ...params, payment_method: method });
      }
      if (answer.error) return { error: answer.error };
      if (options && options.handleActions === false) return { [name]: answer };
      return this._follow(name, secret, answer);
    }

    async _follow(name, secret, intent) {
      if (intent.status !== "requires_action") return { [name]: intent };
      const action = intent.next_action;
      if (action.type === "redirect_to_url") {
        location.assign(action.redirect_to_url.url);
        return new Promise(() => {});
      }
      await challenge(action.use_stripe_sdk.stripe_js);
      const found = await this._retrieve(name, secret);
      if (found.error) return found;
      const kind = KINDS[name];
      if (kind.done.includes(found[name].status)) return found;
      const error = { ...(found[name][kind.error] || {}), [kind.object]: found[name] };
      if ((error.code || "").endsWith("_authentication_failure") || !error.message) {
        error.message = AUTHENTICATION_FAILED;
      }
      return { error };
    }
  }

  function Stripe(key) {
    if (typeof key !== "string" || !key.startsWith("pk_test_")) {
      throw new Error("Stripe() needs a publishable test key (pk_test_...).");
    }
    return new StripeSandbox(key);
  }
  Stripe.version = 3;
  window.Stripe = Stripe;
})();
