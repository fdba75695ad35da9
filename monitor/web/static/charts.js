// Draws each chart in the place of its picture, in the page's colours; draws it again when those or the width change.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrowest = 150;

  // The chart takes what its names leave; where that is too little, they are shortened.
  function fit(spec, room) {
    const { margin, letters, letter } = spec.usermeta;
    const kept = Math.min(letters, Math.floor((room - margin - narrowest) / letter));
    for (const end of spec.datasets.ends || []) {
      if (end.text.length > kept) end.text = `${end.text.slice(0, kept - 1)}…`;
    }
    const width = Math.max(narrowest, Math.floor(room - margin - kept * letter));
    for (const part of [spec, ...(spec.vconcat || [])]) if (part.width) part.width = width;
  }

  async function draw(canvas) {
    const theme = dark.matches ? "dark" : "light";
    const axis = canvas.dataset.axis || "linear";
    const answer = await fetch(`${canvas.dataset.spec}?theme=${theme}&axis=${axis}`);
    if (!answer.ok) return;
    const spec = await answer.json();
    fit(spec, canvas.clientWidth);
    const place = document.createElement("div");
    // No eval, no inline styles: the page's policy allows neither.
    await window.vegaEmbed(place, spec, {
      actions: false, ast: true, renderer: "svg", defaultStyle: false, logLevel: 1,
      tooltip: { disableDefaultStyle: true, maxDepth: 1 },
      config: { autosize: { type: "pad" } },
    });
    const svg = place.querySelector("svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", spec.description);
    // One picture with one name: its hundreds of marks have none of their own, and the numbers are in the tables.
    for (const part of svg.children) part.setAttribute("aria-hidden", "true");
    canvas.replaceChildren(place);
    canvas.dataset.drawn = `${theme} ${axis}`;
  }

  function drawAll() {
    for (const canvas of document.querySelectorAll(".canvas[data-spec]")) draw(canvas).catch(console.error);
  }

  for (const button of document.querySelectorAll("button.axis")) {
    const canvas = button.parentElement.querySelector(".canvas");
    button.hidden = false;
    button.addEventListener("click", () => {
      const log = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", log);
      canvas.dataset.axis = log ? "log" : "linear";
      draw(canvas).catch(console.error);
    });
  }

  let width = innerWidth;
  let timer;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(timer);
    timer = setTimeout(drawAll, 200);
  });
  dark.addEventListener("change", drawAll);
  drawAll();
})();
