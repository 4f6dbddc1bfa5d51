/* Number, expiry and CVC of a card: formatting, checking, moving on. Shared by the card element
 * and the payment page. */

const BRANDS = [
  ["visa", /^4/, "VISA"],
  ["mastercard", /^(5[1-5]|2(22[1-9]|2[3-9]|[3-6]|7[01]|720))/, "MC"],
  ["amex", /^3[47]/, "AMEX"],
  ["discover", /^6(011|4[4-9]|5)/, "DISC"],
  ["diners", /^3(0|[68])/, "DINERS"],
  ["jcb", /^35/, "JCB"],
  ["unionpay", /^62/, "UP"],
];

const digits = (text) => text.replace(/\D/g, "");

function brandOf(number) {
  const found = BRANDS.find(([, pattern]) => pattern.test(number));
  return found ? { name: found[0], label: found[2] } : { name: "unknown", label: "" };
}

function lengthOf(brand, number) {
  if (brand === "amex") return 15;
  return brand === "diners" && /^36/.test(number) ? 14 : 16;
}

function group(number, brand) {
  const sizes = brand === "amex" ? [4, 6, 5] : [4, 4, 4, 4, 3];
  const parts = [];
  let rest = number;
  for (const size of sizes) {
    if (!rest) break;
    parts.push(rest.slice(0, size));
    rest = rest.slice(size);
  }
  return parts.join(" ");
}

function luhn(number) {
  let total = 0;
  [...number].reverse().forEach((digit, position) => {
    const value = Number(digit) * (1 + (position % 2));
    total += value > 9 ? value - 9 : value;
  });
  return total % 10 === 0;
}

/* Format in place and keep the caret behind the same digit. */
function rewrite(input, formatted) {
  if (input.value === formatted) return;
  const atEnd = input.selectionStart === input.value.length;
  const before = digits(input.value.slice(0, input.selectionStart)).length;
  input.value = formatted;
  if (document.activeElement !== input) return;
  let caret = formatted.length;
  if (!atEnd) {
    caret = 0;
    for (let seen = 0; caret < formatted.length && seen < before; caret += 1) {
      if (/\d/.test(formatted[caret])) seen += 1;
    }
  }
  input.setSelectionRange(caret, caret);
}

function expiry(text) {
  let found = digits(text).slice(0, 4);
  if (/^[2-9]/.test(found)) found = `0${found}`.slice(0, 4);
  const slash = /^\d\s*\/\s*$/.test(text) ? `0${found}` : found;
  return slash.length > 2 ? `${slash.slice(0, 2)} / ${slash.slice(2)}` : slash;
}

export function bindCardFields({ number, exp, cvc, onChange }) {
  const touched = new Set();
  let deleting = false;

  function state() {
    const pan = digits(number.value);
    const brand = brandOf(pan);
    const [month, year] = exp.value.split("/").map((part) => digits(part || ""));
    const code = digits(cvc.value);
    const today = new Date();
    const numberComplete = pan.length === lengthOf(brand.name, pan) ||
      (pan.length >= 16 && brand.name === "unionpay");
    const expComplete = Boolean(month && month.length === 2 && year && year.length === 2);
    const cvcComplete = code.length === (brand.name === "amex" ? 4 : 3);
    let error = null;
    const fail = (field, kind, message) => {
      error ||= { type: "validation_error", code: kind, message, field };
    };
    if (numberComplete && !luhn(pan)) {
      fail("number", "invalid_number", "Your card number is invalid.");
    }
    if (expComplete) {
      const past = (2000 + Number(year)) * 12 + Number(month) <
        today.getFullYear() * 12 + today.getMonth() + 1;
      if (Number(month) < 1 || Number(month) > 12) {
        fail("exp", "invalid_expiry_month", "Your card's expiration date is invalid.");
      } else if (past) {
        fail("exp", "invalid_expiry_year_past", "Your card's expiration year is in the past.");
      }
    }
    if (touched.has(number) && pan && !numberComplete) {
      fail("number", "incomplete_number", "Your card number is incomplete.");
    }
    if (touched.has(exp) && exp.value && !expComplete) {
      fail("exp", "incomplete_expiry", "Your card's expiration date is incomplete.");
    }
    if (touched.has(cvc) && code && !cvcComplete) {
      fail("cvc", "incomplete_cvc", "Your card's security code is incomplete.");
    }
    return {
      brand: brand.name,
      label: brand.label,
      empty: !pan && !exp.value && !code,
      complete: numberComplete && expComplete && cvcComplete && !error,
      error,
      fields: { number: numberComplete, exp: expComplete, cvc: cvcComplete },
    };
  }

  function changed() {
    const now = state();
    for (const [name, input] of Object.entries({ number, exp, cvc })) {
      const wrong = now.error?.field === name;
      input.classList.toggle("invalid", wrong);
      if (wrong) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    onChange(now);
    return now;
  }

  for (const input of [number, exp, cvc]) {
    input.addEventListener("keydown", (event) => {
      deleting = event.key === "Backspace" || event.key === "Delete";
      if (event.key === "Backspace" && !input.value) {
        const previous = { [exp.name]: number, [cvc.name]: exp }[input.name];
        previous?.focus();
      }
    });
    input.addEventListener("blur", () => { touched.add(input); changed(); });
  }

  number.addEventListener("input", () => {
    const brand = brandOf(digits(number.value)).name;
    const pan = digits(number.value).slice(0, lengthOf(brand, digits(number.value)));
    rewrite(number, group(pan, brand));
    const now = changed();
    if (now.fields.number && !now.error && !deleting && document.activeElement === number) {
      exp.focus();
    }
  });
  exp.addEventListener("input", () => {
    if (!deleting) rewrite(exp, expiry(exp.value));
    const now = changed();
    if (now.fields.exp && now.error?.field !== "exp" && !deleting &&
        document.activeElement === exp) cvc.focus();
  });
  cvc.addEventListener("input", () => {
    const brand = brandOf(digits(number.value)).name;
    rewrite(cvc, digits(cvc.value).slice(0, brand === "amex" ? 4 : 3));
    changed();
  });

  return {
    state,
    /* Say what is missing, as if every field had been left. */
    check() {
      [number, exp, cvc].forEach((input) => touched.add(input));
      const now = changed();
      if (now.error || now.complete) return now;
      const missing = [["number", "incomplete_number", "Your card number is incomplete."],
        ["exp", "incomplete_expiry", "Your card's expiration date is incomplete."],
        ["cvc", "incomplete_cvc", "Your card's security code is incomplete."]]
        .find(([name]) => !now.fields[name]);
      const error = { type: "validation_error", code: missing[1], message: missing[2],
        field: missing[0] };
      ({ number, exp, cvc })[missing[0]].classList.add("invalid");
      ({ number, exp, cvc })[missing[0]].setAttribute("aria-invalid", "true");
      onChange({ ...now, error });
      return { ...now, error };
    },
    card() {
      const [month, year] = exp.value.split("/").map((part) => digits(part || ""));
      return { number: digits(number.value), exp_month: String(Number(month)),
        exp_year: `20${year}`, cvc: digits(cvc.value) };
    },
    clear() {
      [number, exp, cvc].forEach((input) => { input.value = ""; });
      touched.clear();
      changed();
    },
  };
}
