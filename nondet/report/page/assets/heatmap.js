// The heat map: tensors down, checkpoints across, the logarithm of the distance as colour.
nondet.HeatMap = class {
  constructor(figure, chart) {
    this.figure = figure;
    this.chart = chart;
    this.canvas = figure.querySelector(".canvas canvas");
    this.readout = figure.querySelector(".readout");
    this.cell = null;
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerdown", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.select(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.cell || this.select([0, this.chart.parting || 0]));
  }

  show(key) {
    this.unitKey = key;
    this.unit = this.chart.units[key];
    this.draw();
    this.legend();
    this.select(this.cell);
  }

  layout() {
    const { rows, columns } = this.chart;
    const width = this.figure.clientWidth;
    const context = this.canvas.getContext("2d");
    context.font = this.font = `12px ${nondet.css("--mono")}`;
    const longest = Math.max(...this.labels().map((row) => context.measureText(this.chart.tensors[row]).width));
    const left = Math.min(longest + 12, width * 0.36, 240);
    const height = rows <= 24 ? rows * 26 : rows <= 48 ? rows * 15 : Math.min(620, rows * Math.max(1, Math.round(520 / rows)));
    this.box = { left, top: 22, width: width - left - 1, height, total: width };
    this.box.cell = [this.box.width / columns, height / rows];
  }

  // Rows that get a label: all of them, or as many as fit.
  labels() {
    const { rows } = this.chart;
    const step = rows <= 48 ? 1 : Math.ceil(rows / 30);
    return Array.from({ length: Math.ceil(rows / step) }, (_, i) => i * step);
  }

  draw() {
    if (!this.figure.clientWidth) return;
    this.layout();
    const { left, top, width, height, total } = this.box;
    this.canvas.style.height = `${height + top + 24}px`;
    const context = nondet.sized(this.canvas, total, height + top + 24);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.pixels(), left, top, width, height);
    this.grid(context);
    this.axes(context);
    this.picture = Object.assign(document.createElement("canvas"), { width: this.canvas.width, height: this.canvas.height });
    this.picture.getContext("2d").drawImage(this.canvas, 0, 0);
  }

  // One pixel a cell; cells that must share a pixel show the largest code of them.
  pixels() {
    const { rows, columns } = this.chart;
    const ratio = window.devicePixelRatio || 1;
    const wide = Math.min(columns, Math.max(1, Math.floor(this.box.width * ratio)));
    const high = Math.min(rows, Math.max(1, Math.floor(this.box.height * ratio)));
    const most = new Uint16Array(wide * high);
    const codes = this.unit.codes;
    for (let row = 0, i = 0; row < rows; row++) {
      const line = Math.floor((row * high) / rows) * wide;
      for (let column = 0; column < columns; column++, i++) {
        const at = line + Math.floor((column * wide) / columns);
        if (codes[i] > most[at]) most[at] = codes[i];
      }
    }
    return this.paint(most, wide, high);
  }

  paint(codes, wide, high) {
    const canvas = document.createElement("canvas");
    canvas.width = wide;
    canvas.height = high;
    const context = canvas.getContext("2d");
    const image = context.createImageData(wide, high);
    const equal = nondet.rgb(nondet.css("--equal"));
    const unknown = nondet.rgb(nondet.css("--unknown"));
    const { top } = this.unit;
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i];
      const colour = code === 0 ? equal : code === top ? unknown : nondet.colour((code - 1) / (top - 2));
      image.data.set([...colour, 255], i * 4);
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  grid(context) {
    const { left, top, width, height, cell } = this.box;
    context.fillStyle = nondet.css("--bg");
    if (cell[0] >= 9) for (let c = 1; c < this.chart.columns; c++) context.fillRect(left + c * cell[0] - 0.5, top, 1, height);
    if (cell[1] >= 9) for (let r = 1; r < this.chart.rows; r++) context.fillRect(left, top + r * cell[1] - 0.5, width, 1);
  }

  axes(context) {
    const { left, top, height, cell } = this.box;
    context.font = this.font;
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = nondet.css("--text");
    for (const row of this.labels()) {
      context.fillText(nondet.fit(context, this.chart.tensors[row], left - 10), left - 8, top + (row + 0.5) * cell[1]);
    }
    context.fillStyle = nondet.css("--muted");
    context.textAlign = "center";
    for (const { column, text } of this.ticks(context)) {
      context.fillText(text, left + (column + 0.5) * cell[0], top + height + 14);
    }
    if (this.chart.parting !== null) this.mark(context);
  }

  // Labels below: as many as fit side by side, the first always among them.
  ticks(context) {
    const { checkpoints, columns } = this.chart;
    const words = checkpoints.map((label) => label.replace(/^(epoch|step) /, ""));
    const widest = Math.max(...words.slice(-50).map((word) => context.measureText(word).width), 14) + 12;
    const rough = widest / this.box.cell[0];
    const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000].find((n) => n >= rough) || Math.ceil(rough);
    const first = /^init/.test(checkpoints[0]) || columns === 1 ? 0 : step - 1;
    const ticks = [];
    for (let column = first; column < columns; column += step) ticks.push({ column, text: words[column] });
    return ticks;
  }

  // The moment of parting, marked above its column.
  mark(context) {
    const { left, top, cell, total } = this.box;
    const x = left + (this.chart.parting + 0.5) * cell[0];
    context.fillStyle = nondet.css("--bad");
    context.beginPath();
    context.moveTo(x - 5, top - 9);
    context.lineTo(x + 5, top - 9);
    context.lineTo(x, top - 2);
    context.fill();
    const text = "runs part";
    const right = x + 10 + context.measureText(text).width < total;
    context.textAlign = right ? "left" : "right";
    context.fillText(text, right ? x + 9 : x - 9, top - 11);
  }

  point(event) {
    const { left, top, cell } = this.box;
    const at = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - at.left - left) / cell[0]);
    const row = Math.floor((event.clientY - at.top - top) / cell[1]);
    const inside = row >= 0 && row < this.chart.rows && column >= 0 && column < this.chart.columns;
    this.select(inside ? [row, column] : null);
  }

  key(event) {
    const { rows, columns } = this.chart;
    const page = Math.max(1, Math.round(rows / 10));
    const moves = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      PageUp: [-page, 0], PageDown: [page, 0], Home: [0, -columns], End: [0, columns],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const [row, column] = this.cell || [0, 0];
    const within = (value, count) => Math.min(Math.max(value, 0), count - 1);
    this.select([within(row + move[0], rows), within(column + move[1], columns)]);
  }

  select(cell) {
    this.cell = cell;
    const context = this.canvas.getContext("2d");
    if (!this.picture) return;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.picture, 0, 0, this.box.total, this.box.height + this.box.top + 24);
    this.readout.textContent = cell
      ? nondet.describe(this.chart, this.unitKey, ...cell)
      : "Point at a cell, or move with the arrow keys, to read it.";
    this.readout.classList.toggle("muted", !cell);
    if (!cell) return;
    const { left, top, cell: size } = this.box;
    context.strokeStyle = nondet.css("--text");
    context.lineWidth = 2;
    const width = Math.max(size[0], 5);
    const height = Math.max(size[1], 5);
    context.strokeRect(left + (cell[1] + 0.5) * size[0] - width / 2, top + (cell[0] + 0.5) * size[1] - height / 2, width, height);
  }

  legend() {
    const place = this.figure.querySelector(".legend");
    place.replaceChildren();
    const codes = this.unit.codes;
    if (codes.includes(0)) place.append(this.swatch("--equal", "bits equal"));
    if (this.unit.measured) place.append(this.scale());
    if (codes.includes(this.unit.top)) place.append(this.swatch("--unknown", "differs, not measured"));
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

  scale() {
    const key = document.createElement("span");
    key.className = "scale";
    const canvas = document.createElement("canvas");
    const context = nondet.sized(canvas, 144, 12);
    for (let x = 0; x < 144; x++) {
      context.fillStyle = `rgb(${nondet.colour(x / 143)})`;
      context.fillRect(x, 0, 1, 12);
    }
    const { low, high } = this.unit;
    key.append(nondet.say(low, this.unitKey), canvas, `${nondet.say(high, this.unitKey)} ${nondet.unitNames[this.unitKey]}`);
    return key;
  }
};
