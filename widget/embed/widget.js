// vetslot: <vet-booking practice="…"> on a practice's own website. docs/embedding.md says how it is used.
//
// Without this script the element shows what the page has put inside: a link to the booking page. With it, that link
// becomes a frame, or a button that opens one. No cookie, no storage, no dependency, no inline style or handler; the
// page around is never scrolled or navigated.
(() => {
  "use strict";

  const script = document.currentScript;
  // Where browsers are too old for this, or the script was loaded in a way we do not know, the link stays a link.
  if (!script || !script.src || !("adoptedStyleSheets" in Document.prototype) || customElements.get("vet-booking")) {
    return;
  }

  const ORIGIN = new URL(script.src).origin;
  const TALLEST = 10000;
  const EVENTS = new Set([
    "open",
    "type-selected",
    "slots-shown",
    "slot-selected",
    "booked",
    "requested",
    "rescheduled",
    "cancelled",
    "abandoned",
  ]);
  // Attribute of the element: parameter of the booking page.
  const PREFILL = { "appointment-type": "type", species: "species", source: "source", color: "color", lang: "lang" };
  const WORDS = {
    en: { book: "Book online", close: "Close" },
    fr: { book: "Prendre rendez-vous", close: "Fermer" },
    es: { book: "Reservar cita", close: "Cerrar" },
  };
  // Scripts and forms, files to save and pages in new tabs; not the page around the frame.
  const SANDBOX =
    "allow-scripts allow-same-origin allow-forms allow-downloads allow-popups allow-popups-to-escape-sandbox";

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { display: block; --back: #17624f; --fore: #fff }
    :host([mode="button"]), :host([mode="floating"]) { display: inline-block }
    :host([hidden]) { display: none }
    .inline { display: grid; min-height: var(--vet-booking-min-height, 40rem) }
    .inline > * { grid-area: 1 / 1 }
    .inline.shown > .link { display: none }
    .inline > iframe { visibility: hidden }
    .inline.shown > iframe { visibility: visible }
    iframe { display: block; width: 100%; height: 40rem; border: 0; color-scheme: normal }
    .button {
      display: inline-block; box-sizing: border-box; min-height: 44px; padding: 12px 22px; border-radius: 10px;
      background: var(--back); color: var(--fore); font: 600 1rem/20px system-ui, sans-serif; text-decoration: none;
      cursor: pointer;
    }
    .button:hover { filter: brightness(1.08) }
    .button:focus-visible, .close:focus-visible { outline: 3px solid var(--back); outline-offset: 2px }
    .floating {
      position: fixed; z-index: 2147483000; right: calc(16px + env(safe-area-inset-right));
      bottom: calc(16px + env(safe-area-inset-bottom)); border-radius: 26px;
      box-shadow: 0 2px 6px rgb(0 0 0 / .2), 0 8px 24px rgb(0 0 0 / .2);
    }
    dialog {
      box-sizing: border-box; width: min(44rem, 100vw); max-width: none; height: min(56rem, 100dvh); max-height: none;
      margin: auto; padding: 0; border: 0; border-radius: 14px; overflow: hidden; background: #fff; color: #1b2421;
    }
    dialog[open] { display: flex; flex-direction: column }
    dialog::backdrop { background: rgb(10 25 20 / .55) }
    .bar { display: flex; justify-content: flex-end; padding: 4px }
    .close {
      min-width: 44px; min-height: 44px; padding: 0 14px; border: 0; border-radius: 10px; background: none;
      color: inherit; font: 600 1rem/1.2 system-ui, sans-serif; cursor: pointer;
    }
    .close:hover { background: #eef3f1 }
    .scroll { flex: 1; overflow: auto; overscroll-behavior: contain }
    @media (prefers-color-scheme: dark) { dialog { background: #191512; color: #f5ede4 } .close:hover { background: #3d352e } }
    @media (max-width: 46rem) { dialog { height: 100dvh; border-radius: 0 } }
    @media print { .floating { display: none } }
  `);

  const made = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  class VetBooking extends HTMLElement {
    static observedAttributes = ["practice", "mode", "label", ...Object.keys(PREFILL)];

    #frame = null;
    #box = null;
    #connected = false;
    #queued = false;
    #heard = (event) => this.#hear(event);

    connectedCallback() {
      this.#connected = true;
      addEventListener("message", this.#heard);
      this.#render();
    }

    disconnectedCallback() {
      this.#connected = false;
      removeEventListener("message", this.#heard);
      this.#leave();
    }

    attributeChangedCallback() {
      if (this.#queued || !this.#connected) return;
      this.#queued = true;
      queueMicrotask(() => {
        this.#queued = false;
        if (this.#connected) this.#render();
      });
    }

    // Show what the page has put inside, as without this script.
    #leave() {
      this.#frame = this.#box = null;
      this.shadowRoot?.replaceChildren(made("slot", {}));
    }

    get #words() {
      return WORDS[this.lang.slice(0, 2).toLowerCase()] || WORDS.en;
    }

    #url() {
      const url = new URL(`/book/${encodeURIComponent(this.getAttribute("practice"))}`, ORIGIN);
      for (const [attribute, parameter] of Object.entries(PREFILL)) {
        const value = this.getAttribute(attribute);
        if (value) url.searchParams.set(parameter, value);
      }
      return url.href;
    }

    #render() {
      if (!this.getAttribute("practice")) return this.#leave();
      const root = this.shadowRoot || this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      this.#frame = this.#box = null;
      this.#paint();
      const mode = this.getAttribute("mode");
      const label = this.getAttribute("label") || this.#words.book;
      const link = made("a", { href: this.#url(), textContent: label, className: "button", part: "button" });
      if (mode !== "button" && mode !== "floating") {
        // The page's own link is shown until the frame answers; a frame that was refused never does.
        const shown = made("div", { className: "link" }, made("slot", {}, link));
        this.#box = made("div", { className: "inline" }, shown, this.#newFrame(label));
        root.replaceChildren(this.#box);
        return;
      }
      link.classList.toggle("floating", mode === "floating");
      link.setAttribute("aria-haspopup", "dialog");
      link.addEventListener("click", (event) => this.#open(event, label));
      root.replaceChildren(link);
    }

    #paint() {
      const hex = /^#([0-9a-f]{6})$/i.exec(this.getAttribute("color") || "");
      this.style.removeProperty("--back");
      this.style.removeProperty("--fore");
      if (!hex) return;
      const [r, g, b] = [0, 2, 4].map((at) => {
        const part = parseInt(hex[1].slice(at, at + 2), 16) / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      // Above this luminance black letters have more contrast than white ones (WCAG 2.2, 1.4.3).
      const light = 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179;
      this.style.setProperty("--back", hex[0]);
      this.style.setProperty("--fore", light ? "#000" : "#fff");
    }

    #newFrame(title) {
      const frame = made("iframe", { title, referrerPolicy: "strict-origin", loading: "lazy" });
      frame.setAttribute("sandbox", SANDBOX);
      frame.addEventListener("load", () => {
        frame.contentWindow?.postMessage({ type: "vetslot:hello", v: 1 }, ORIGIN);
      });
      frame.src = this.#url();
      this.#frame = frame;
      return frame;
    }

    #open(event, label) {
      // Whoever wants another tab or window gets it: it is a link.
      if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      let dialog = this.shadowRoot.querySelector("dialog");
      if (!dialog) {
        const close = made("button", { type: "button", className: "close", textContent: `${this.#words.close} ✕` });
        close.addEventListener("click", () => dialog.close());
        dialog = made(
          "dialog",
          { ariaLabel: label },
          made("div", { className: "bar" }, close),
          made("div", { className: "scroll" }, this.#newFrame(label)),
        );
        this.shadowRoot.append(dialog);
      }
      dialog.showModal();
    }

    #hear({ origin, source, data }) {
      const frame = this.#frame;
      if (!frame || origin !== ORIGIN || source !== frame.contentWindow || data?.v !== 1) return;
      if (data.type === "vetslot:height" && Number.isInteger(data.height) && data.height >= 0) {
        frame.style.height = `${Math.min(data.height, TALLEST)}px`;
        this.#box?.classList.add("shown");
      } else if (data.type === "vetslot:event" && EVENTS.has(data.name)) {
        this.dispatchEvent(new CustomEvent(`vet-booking:${data.name}`, { bubbles: true, composed: true }));
      }
    }
  }

  customElements.define("vet-booking", VetBooking);
})();
