// What scripts add to pages that work without them: a countdown, one submission per form, focus on what appeared, a
// proof of work where one is asked for, and the frame's side of the embed protocol (docs/embedding.md).
(() => {
  "use strict";
  const root = document.documentElement;
  const body = document.body;

  const appeared = document.querySelector("[data-focus]");
  if (appeared && !document.querySelector(":target")) appeared.focus();

  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    event.submitter?.setAttribute("aria-disabled", "true");
  });
  // The browser's way back shows the page as it was left: it can be sent again.
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const button of document.querySelectorAll(".button[aria-disabled]")) button.removeAttribute("aria-disabled");
  });

  const kept = document.querySelector("[data-kept-seconds]");
  if (kept) {
    const ends = performance.now() + kept.dataset.keptSeconds * 1000;
    const shown = kept.querySelector("[data-left]");
    const spoken = kept.querySelector("[role=status]");
    const words = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    let said = "";
    const tick = () => {
      const left = Math.max(0, Math.round((ends - performance.now()) / 1000));
      shown.textContent = left ? words(left) : "0:00";
      // Spoken rarely: with two minutes left, and at the end.
      const say = left ? (left <= 120 ? kept.dataset.soon : "") : kept.dataset.over;
      if (say !== said) spoken.textContent = said = say;
      if (!left) clearInterval(timer);
    };
    const timer = setInterval(tick, 1000);
    tick();
  }

  // ALTCHA, version 2: the first counter whose derived key begins as asked for (booking/proof_of_work.py).
  const bytes = (hex) => Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16));
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (one) => one.toString(16).padStart(2, "0")).join("");
  const solve = async (challenge) => {
    const { nonce, salt, cost, keyLength, keyPrefix } = challenge.parameters;
    const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
    const password = new Uint8Array([...bytes(nonce), 0, 0, 0, 0]);
    for (let counter = 0; ; counter++) {
      new DataView(password.buffer).setUint32(password.length - 4, counter);
      const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
      const derivedKey = hex(await crypto.subtle.deriveBits(how, key, 8 * keyLength));
      if (derivedKey.startsWith(keyPrefix)) return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
    }
  };
  const costly = document.querySelector("form[data-challenge]");
  if (costly && window.crypto?.subtle) {
    solve(JSON.parse(costly.dataset.challenge)).then((solution) => {
      costly.elements.altcha.value = solution;
      costly.requestSubmit();
    });
  }

  if (window.parent === window) return;
  root.classList.add("framed");
  const allowed = (body.dataset.allowedOrigins || "").split(" ");
  let host = null;
  const post = (message) => host && window.parent.postMessage({ v: 1, ...message }, host);
  const measure = () => {
    const height = Math.ceil(body.getBoundingClientRect().height);
    post({ type: "vetslot:height", height: Math.min(10000, Math.max(0, height)) });
  };
  addEventListener("message", (event) => {
    const known = event.source === window.parent && allowed.includes(event.origin);
    if (!known || host || event.data?.type !== "vetslot:hello" || event.data.v !== 1) return;
    host = event.origin;
    new ResizeObserver(measure).observe(body);
    measure();
    for (const name of (body.dataset.event || "").split(" ")) if (name) post({ type: "vetslot:event", name });
  });
})();
