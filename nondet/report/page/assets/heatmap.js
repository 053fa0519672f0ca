// The heat map: tensors down, checkpoints across, the logarithm of the distance as colour.
nondet.HeatMap = class extends nondet.Board {
  constructor(figure, chart) {
    super(figure, chart);
    this.whole = chart;
    this.shared = nondet.shared(chart.tensors);
    const controls = figure.querySelector(".window");
    if (controls) this.window = new nondet.Window(controls, this);
  }

  show(key) {
    this.unitKey = key;
    this.unit = this.chart.units[key];
    this.draw();
    this.legend();
    this.select(this.spot);
  }

  // Show only these rows, and the columns from one up to before another.
  look(rows, from, to) {
    this.chart = nondet.part(this.whole, rows, from, to);
    this.unit = this.chart.units[this.unitKey];
    this.spot = null;
    this.draw();
    this.select(null);
  }

  layout() {
    const { rows, columns } = this.chart;
    const width = this.figure.clientWidth;
    const context = this.canvas.getContext("2d");
    context.font = this.font = `12px ${nondet.css("--mono")}`;
    const longest = Math.max(...this.labels().map((row) => context.measureText(this.label(row)).width));
    const left = Math.min(longest + 12, width * 0.36, 240);
    const height = rows <= 24 ? rows * 26 : rows <= 48 ? rows * 15 : Math.min(620, rows * Math.max(1, Math.round(520 / rows)));
    this.box = { left, top: 22, width: width - left - 1, height, total: width };
    this.box.cell = [this.box.width / columns, height / rows];
  }

  // A row's name without the folders that all of them are in.
  label(row) {
    return this.chart.tensors[row].slice(this.shared);
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
    const context = this.begin(total, height + top + 24);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.pixels(), left, top, width, height);
    this.grid(context);
    this.axes(context);
    this.keep();
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
    const pixels = new Uint32Array(image.data.buffer);
    const { top } = this.unit;
    // By code, one word a colour: alpha, blue, green, red.
    const inks = [];
    const word = ([red, green, blue]) => (255 << 24) | (blue << 16) | (green << 8) | red;
    inks[0] = word(nondet.rgb(nondet.css("--equal")));
    inks[top] = word(nondet.rgb(nondet.css(this.ink())));
    for (let i = 0; i < codes.length; i++) {
      pixels[i] = inks[codes[i]] ??= word(nondet.colour((codes[i] - 1) / (top - 2)));
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
    const { left, top, height, cell, total } = this.box;
    context.font = this.font;
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = nondet.css("--text");
    for (const row of this.labels()) {
      context.fillText(nondet.fit(context, this.label(row), left - 10), left - 8, top + (row + 0.5) * cell[1]);
    }
    context.fillStyle = nondet.css("--muted");
    context.textAlign = "center";
    for (const { column, text } of this.ticks(context)) {
      const edge = total - context.measureText(text).width / 2;
      context.fillText(text, Math.min(left + (column + 0.5) * cell[0], edge), top + height + 14);
    }
    const { parting, checkpoints } = this.chart;
    if (parting !== null) this.flag(context, `runs part at ${checkpoints[parting]}`, left + (parting + 0.5) * cell[0], top - 2);
  }

  // Labels below: as many as fit side by side, at round numbers, the initial weights among them.
  ticks(context) {
    const { checkpoints, columns } = this.chart;
    const words = checkpoints.map((label) => label.replace(/^(epoch|step) /, ""));
    const widest = Math.max(...words.slice(-50).map((word) => context.measureText(word).width), 14) + 12;
    const rough = widest / this.box.cell[0];
    const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000].find((n) => n >= rough) || Math.ceil(rough);
    const number = parseInt(words[0], 10) || 0;
    const first = Math.min((step - (number % step)) % step, columns - 1);
    const ticks = [];
    for (let column = first; column < columns; column += step) ticks.push({ column, text: words[column] });
    return ticks;
  }

  under(x, y) {
    const { left, top, cell } = this.box;
    const column = Math.floor((x - left) / cell[0]);
    const row = Math.floor((y - top) / cell[1]);
    const inside = row >= 0 && row < this.chart.rows && column >= 0 && column < this.chart.columns;
    return inside ? [row, column] : null;
  }

  start() {
    return [0, this.chart.parting || 0];
  }

  moved(key) {
    const { rows, columns } = this.chart;
    const page = Math.max(1, Math.round(rows / 10));
    const moves = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      PageUp: [-page, 0], PageDown: [page, 0], Home: [0, -columns], End: [0, columns],
    };
    const move = moves[key];
    if (!move) return undefined;
    const [row, column] = this.spot || [0, 0];
    const within = (value, count) => Math.min(Math.max(value, 0), count - 1);
    return [within(row + move[0], rows), within(column + move[1], columns)];
  }

  tell(spot) {
    return nondet.describe(this.chart, this.unitKey, ...spot);
  }

  frame([row, column]) {
    const { left, top, cell } = this.box;
    const [width, height] = [Math.max(cell[0], 5), Math.max(cell[1], 5)];
    return [left + (column + 0.5) * cell[0] - width / 2, top + (row + 0.5) * cell[1] - height / 2, width, height];
  }

  // The colour of what differs by nobody knows how much, or by what is not asked for.
  ink() {
    return this.unitKey === "bits" ? "--differs" : "--unknown";
  }

  legend() {
    const place = this.figure.querySelector(".legend");
    place.replaceChildren();
    const { codes } = this.whole.units[this.unitKey];
    if (codes.includes(0)) place.append(this.swatch("--equal", "bits equal"));
    if (this.unit.measured) place.append(this.scale());
    if (codes.includes(this.unit.top)) place.append(this.swatch(this.ink(), this.unitKey === "bits" ? "bits differ" : "differs, not measured"));
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
