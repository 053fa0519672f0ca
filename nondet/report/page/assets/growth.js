// Growth curves: the distance of each tensor over the checkpoints, on a logarithmic axis.
nondet.Growth = class {
  constructor(figure, chart) {
    this.figure = figure;
    this.chart = chart;
    this.plot = figure.querySelector(".plot");
    this.shown = new Map();
  }

  show(key) {
    this.key = key;
    this.unit = this.chart.units[key];
    this.rows = this.chosen();
    this.draw();
    this.note();
  }

  // The tensors with a curve: all that differ, or the ten that end furthest apart.
  chosen() {
    const { rows, columns } = this.chart;
    const ends = [];
    for (let row = 0; row < rows; row++) {
      let largest = 0;
      for (let column = 0; column < columns; column++) {
        const code = this.unit.codes[row * columns + column];
        if (code !== this.unit.top && code > largest) largest = code;
      }
      if (largest) ends.push({ row, last: this.unit.codes[(row + 1) * columns - 1] % this.unit.top });
    }
    this.differing = ends.length;
    ends.sort((a, b) => b.last - a.last || a.row - b.row);
    return ends.slice(0, 10).map((end) => end.row).sort((a, b) => a - b);
  }

  values(row) {
    const { columns } = this.chart;
    return Array.from({ length: columns }, (_, column) => {
      const value = nondet.value(this.unit, this.unit.codes[row * columns + column]);
      return value > 0 ? value : null;
    });
  }

  draw() {
    const width = this.figure.clientWidth;
    if (!width) return;
    if (this.uplot) this.uplot.destroy();
    const data = [this.chart.checkpoints.map((_, column) => column), ...this.rows.map((row) => this.values(row))];
    this.uplot = new uPlot(this.options(width), data, this.plot);
    this.buttons();
  }

  options(width) {
    const ink = nondet.css("--muted");
    const axis = { stroke: ink, font: `12px ${nondet.css("--sans")}`, grid: { stroke: nondet.css("--line"), width: 1 }, ticks: { show: false } };
    const { checkpoints } = this.chart;
    const short = (column) => (checkpoints[column] || "").replace(/^(epoch|step) /, "");
    return {
      width, height: Math.min(320, Math.max(220, width * 0.42)), legend: { show: false },
      padding: [22, 14, 0, 0],
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
      scales: { x: { time: false, range: (_, min, max) => [min - 0.15, max + 0.15] }, y: { distr: 3, range: (_, min, max) => this.decades(min, max) } },
      axes: [
        { ...axis, grid: { show: false }, size: 30, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000], space: 42, values: (_, at) => at.map(short) },
        { ...axis, size: 62, filter: (_, at) => at, splits: (_, __, min, max) => this.powers(min, max), values: (_, at) => at.map((value) => nondet.say(value, this.key === "share" ? "share" : "")) },
      ],
      series: [{}, ...this.rows.map((row, place) => this.line(row, place))],
      hooks: { draw: [(plot) => this.mark(plot)], setCursor: [(plot) => this.read(plot.cursor.idx)] },
    };
  }

  decades(min, max) {
    if (!(min > 0)) return [0.1, 1];
    return [10 ** Math.floor(Math.log10(min)), 10 ** Math.max(Math.ceil(Math.log10(max)), Math.floor(Math.log10(min)) + 1)];
  }

  // Grid lines: powers of ten, at most about eight of them; within two decades also 2 and 5.
  powers(min, max) {
    const [low, high] = [Math.round(Math.log10(min)), Math.round(Math.log10(max))];
    const step = Math.ceil((high - low) / 8);
    const lines = [];
    for (let power = low; power <= high; power += step) {
      lines.push(10 ** power);
      if (high - low <= 2 && power < high) lines.push(2 * 10 ** power, 5 * 10 ** power);
    }
    return lines;
  }

  line(row, place) {
    const stroke = this.stroke(place);
    return {
      label: this.chart.tensors[row], stroke, width: 1.75, dash: this.dash(place), spanGaps: false,
      points: { show: this.chart.columns <= 40, size: 5, fill: stroke }, show: this.shown.get(row) !== false,
    };
  }

  stroke(place) {
    return nondet.css(`--line-${(place % 5) + 1}`);
  }

  dash(place) {
    return place < 5 ? undefined : [5, 4];
  }

  // The moment of parting, as in the heat map.
  mark(plot) {
    const { parting } = this.chart;
    if (parting === null) return;
    const { ctx: context, bbox } = plot;
    const ratio = window.devicePixelRatio || 1;
    const x = plot.valToPos(parting, "x", true);
    context.save();
    context.strokeStyle = context.fillStyle = nondet.css("--bad");
    context.lineWidth = ratio;
    context.setLineDash([3 * ratio, 3 * ratio]);
    context.beginPath();
    context.moveTo(x, bbox.top - 4 * ratio);
    context.lineTo(x, bbox.top + bbox.height);
    context.stroke();
    context.font = `${12 * ratio}px ${nondet.css("--sans")}`;
    const text = `runs part at ${this.chart.checkpoints[parting]}`;
    const right = x + context.measureText(text).width < bbox.left + bbox.width;
    context.textAlign = right ? "left" : "right";
    context.textBaseline = "alphabetic";
    context.fillText(text, x + (right ? -2 : 2) * ratio, bbox.top - 9 * ratio);
    context.restore();
  }

  // The legend: a button a curve, which hides and shows it and carries the value at the cursor.
  buttons() {
    const place = this.figure.querySelector(".series");
    place.replaceChildren(...this.rows.map((row, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(this.shown.get(row) !== false));
      const value = document.createElement("span");
      value.className = "value";
      button.append(this.sample(index), this.chart.tensors[row], value);
      button.addEventListener("click", () => this.toggle(row, index, button));
      return button;
    }));
  }

  sample(index) {
    const canvas = document.createElement("canvas");
    const context = nondet.sized(canvas, 24, 12);
    context.strokeStyle = this.stroke(index);
    context.lineWidth = 2.5;
    context.setLineDash(this.dash(index) || []);
    context.beginPath();
    context.moveTo(0, 6);
    context.lineTo(24, 6);
    context.stroke();
    return canvas;
  }

  toggle(row, index, button) {
    const on = this.shown.get(row) === false;
    this.shown.set(row, on);
    button.setAttribute("aria-pressed", String(on));
    this.uplot.setSeries(index + 1, { show: on });
  }

  read(column) {
    this.figure.querySelectorAll(".series .value").forEach((place, index) => {
      const value = column === null || column === undefined ? null : this.uplot.data[index + 1][column];
      place.textContent = value ? nondet.say(value, this.key) : "";
    });
  }

  note() {
    const left = this.differing - this.rows.length;
    this.figure.querySelector(".growth-note").textContent =
      left > 0 ? `The ${this.rows.length} tensors that end furthest apart, of ${this.differing} that differ.` : "";
  }
};
