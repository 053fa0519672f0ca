// The page's own behaviour: charts, the theme, copying, and printing.
nondet.blocks = [];

nondet.figures = {
  "figure.heat": nondet.HeatMap,
  "figure.growth": nondet.Growth,
  "figure.timeline": nondet.Timeline,
};

nondet.build = async function (place, chart) {
  const decoded = chart.units ? await nondet.decode(chart) : chart;
  const units = Object.keys(decoded.units || {});
  if (chart.units && (!units.length || !decoded.rows || !decoded.columns)) return;
  const views = [];
  for (const [selector, View] of Object.entries(nondet.figures)) {
    const figure = place.querySelector(selector);
    if (!figure) continue;
    figure.hidden = false;
    views.push(new View(figure, decoded));
  }
  const chosen = () => place.querySelector(".units input:checked")?.value || units[0];
  const redraw = () => views.forEach((view) => view.show(chosen()));
  place.querySelectorAll(".units").forEach((set) => {
    set.hidden = false;
    set.addEventListener("change", redraw);
  });
  // Drawn at once: an observer calls only later, when the page already says that it is drawn.
  let width = place.clientWidth;
  redraw();
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    redraw();
  }).observe(place);
  nondet.blocks.push(redraw);
};

nondet.redraw = () => nondet.blocks.forEach((redraw) => redraw());

// Once the page has been painted, and while nothing else is to do: each chart by itself, so that
// the page answers in between.
nondet.idle = () => new Promise((done) => (window.requestIdleCallback || setTimeout)(done));
nondet.painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

nondet.charts = async function () {
  await nondet.painted();
  performance.mark("charts");
  const charts = JSON.parse(document.getElementById("charts").textContent);
  for (const place of document.querySelectorAll("[data-chart]")) {
    await nondet.idle();
    await nondet.build(place, charts[place.dataset.chart]);
  }
};

nondet.theme = function () {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { button.textContent = dark() ? "Light theme" : "Dark theme"; };
  const set = (theme) => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    name();
    nondet.redraw();
  };
  button.hidden = false;
  name();
  button.addEventListener("click", () => set(dark() ? "light" : "dark"));
  system.addEventListener("change", () => set(root.dataset.theme));
  return set;
};

nondet.copy = async function (button) {
  const text = button.parentElement.querySelector("code").textContent + "\n";
  const said = document.getElementById("said");
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = said.textContent = "Copied";
  } catch {
    // No clipboard here (an old browser, or not allowed): select it, ready for Ctrl-C.
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    button.textContent = said.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
};

// Paper is white and can't be opened by a click: print in light, with everything open but the tables
// that are too wide for it.
nondet.print = function (set) {
  let opened = [];
  let theme;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.classList.add("printing");
    opened = [...document.querySelectorAll("details:not([open]):not(.wide)")];
    opened.forEach((details) => { details.open = true; });
    // A frame that was folded away has a width only now.
    set("light");
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    opened.forEach((details) => { details.open = false; });
    set(theme);
  });
};

// A link to something inside closed details opens them, as `:target` alone would not.
nondet.reveal = function () {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
};

document.querySelectorAll(".copy").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => nondet.copy(button));
});
addEventListener("hashchange", nondet.reveal);
nondet.print(nondet.theme());
nondet.charts().then(() => {
  performance.mark("drawn");
  document.documentElement.dataset.charts = "drawn";
});
