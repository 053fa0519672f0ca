// A drawing that is read by pointing at it or with the keys: what heat map and timeline share. It
// has spots; a kind of board says which lies under the pointer, where a key leads, what to tell.
nondet.Board = class {
  constructor(figure, chart) {
    this.figure = figure;
    this.chart = chart;
    this.canvas = figure.querySelector(".canvas canvas");
    this.readout = figure.querySelector(".readout");
    this.hint = "Point at a cell, or move with the arrow keys, to read it.";
    this.spot = null;
    for (const kind of ["pointermove", "pointerdown"]) {
      this.canvas.addEventListener(kind, (event) => this.select(this.under(...this.at(event))));
    }
    // A finger leaves as soon as it is lifted; what it tapped stays.
    this.canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.select(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.spot === null && this.select(this.start()));
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // The context to draw on, of that size in CSS pixels.
  begin(width, height) {
    this.size = [width, height];
    this.canvas.style.height = `${height}px`;
    return nondet.sized(this.canvas, width, height);
  }

  // Keep what is drawn, so that a mark put on it can be taken off again.
  keep() {
    this.picture = Object.assign(document.createElement("canvas"), { width: this.canvas.width, height: this.canvas.height });
    this.picture.getContext("2d").drawImage(this.canvas, 0, 0);
  }

  restore() {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.picture, 0, 0, ...this.size);
    return context;
  }

  key(event) {
    const spot = this.moved(event.key);
    if (spot === undefined) return;
    event.preventDefault();
    this.select(spot);
  }

  select(spot) {
    this.spot = spot;
    if (!this.picture) return;
    const context = this.restore();
    this.readout.textContent = spot === null ? this.hint : this.tell(spot);
    this.readout.classList.toggle("muted", spot === null);
    if (spot === null) return;
    context.strokeStyle = nondet.css("--text");
    context.lineWidth = 2;
    context.strokeRect(...this.frame(spot));
  }

  swatch(name, text) {
    const key = document.createElement("span");
    key.className = "key";
    const canvas = document.createElement("canvas");
    const context = nondet.sized(canvas, 18, 12);
    context.fillStyle = nondet.css(name);
    context.fillRect(0, 0, 18, 12);
    key.append(canvas, text);
    return key;
  }

  // Text beside a triangle that points down at (x, y), on the side where it fits.
  flag(context, text, x, y) {
    context.fillStyle = nondet.css("--bad");
    context.beginPath();
    context.moveTo(x - 5, y - 7);
    context.lineTo(x + 5, y - 7);
    context.lineTo(x, y);
    context.fill();
    const [width] = this.size;
    const right = x + 9 + context.measureText(text).width <= width || x < width / 2;
    context.textAlign = right ? "left" : "right";
    context.textBaseline = "middle";
    context.fillText(nondet.fit(context, text, right ? width - x - 9 : x - 9), right ? x + 9 : x - 9, y - 9);
  }
};
