// The timeline of one step: a cell for every tensor that came into being in it, in the order of
// execution, line after line as text is read. A stretch of one phase has a label; cells of one layer
// stand close together.
nondet.Timeline = class extends nondet.Board {
  show() {
    if (!this.figure.clientWidth) return;
    this.layout();
    this.draw();
    this.legend();
    this.select(this.spot);
  }

  layout() {
    const context = this.canvas.getContext("2d");
    const notes = this.chart.stretches.flatMap(({ label, note }) => [[label, 12], [note, 11]]);
    const widths = notes.map(([text, size]) => {
      context.font = `${size}px ${nondet.css("--sans")}`;
      return context.measureText(text).width;
    });
    this.left = Math.ceil(Math.max(...widths)) + 18;
    for (const side of [20, 16, 13, 10, 8, 6]) {
      this.place(side);
      if (this.height <= 400) break;
    }
  }

  // Places of all cells when they are `side` pixels wide.
  place(side) {
    const { layer, stretches } = this.chart;
    const width = this.figure.clientWidth;
    const between = side >= 10 ? 2 : 1;
    const gap = side >= 10 ? Math.round(side * 0.4) : 2;
    this.side = side;
    this.cells = [];
    this.labels = [];
    let y = 0;
    let i = 0;
    for (const { label, note, count } of stretches) {
      let x = this.left;
      const start = y;
      for (const end = i + count; i < end; i++) {
        x += x > this.left && layer[i] !== layer[i - 1] ? gap : 0;
        if (x + side > width && x > this.left) {
          y += side + between;
          x = this.left;
        }
        this.cells.push([x, y]);
        x += side + between;
      }
      this.labels.push({ label, note, y: start });
      y = Math.max(y + side, start + 30) + 14;
    }
    this.height = y - 14;
    this.lift();
  }

  // Room above the line of the first cell that differs, for its flag.
  lift() {
    const { first } = this.chart;
    if (first === null) return;
    const [, top] = this.cells[first];
    const room = 17;
    for (const cell of this.cells) if (cell[1] >= top) cell[1] += room;
    for (const label of this.labels) if (label.y >= top) label.y += room;
    this.height += room;
  }

  draw() {
    const context = this.begin(this.figure.clientWidth, this.height + 3);
    const { differs, first } = this.chart;
    const inks = ["--line", "--differs"].map(nondet.css);
    this.cells.forEach(([x, y], i) => {
      context.fillStyle = inks[differs[i]];
      context.fillRect(x, y, this.side, this.side);
    });
    this.writing(context);
    if (first !== null) this.mark(context, first);
    this.keep();
  }

  writing(context) {
    context.textAlign = "left";
    context.textBaseline = "top";
    for (const { label, note, y } of this.labels) {
      context.font = `12px ${nondet.css("--sans")}`;
      context.fillStyle = nondet.css("--text");
      context.fillText(label, 0, y + 1);
      context.font = `11px ${nondet.css("--sans")}`;
      context.fillStyle = nondet.css(/differ/.test(note) ? "--bad" : "--muted");
      context.fillText(note, 0, y + 17);
    }
  }

  mark(context, first) {
    const [x, y] = this.cells[first];
    context.fillStyle = nondet.css("--bad");
    context.fillRect(x, y, this.side, this.side);
    context.font = `12px ${nondet.css("--sans")}`;
    this.flag(context, this.chart.names[first], x + this.side / 2, y - 2);
  }

  legend() {
    const place = this.figure.querySelector(".legend");
    const { differs } = this.chart;
    place.replaceChildren(this.swatch("--line", "bits equal"));
    if (differs.includes(1)) place.append(this.swatch("--bad", "first to differ"));
    if (differs.filter(Boolean).length > 1) place.append(this.swatch("--differs", "differs"));
  }

  under(x, y) {
    const near = 2;
    const at = this.cells.findIndex(([left, top]) => x >= left - near && x < left + this.side + near && y >= top - near && y < top + this.side + near);
    return at < 0 ? null : at;
  }

  start() {
    return this.chart.first ?? 0;
  }

  moved(key) {
    const last = this.cells.length - 1;
    const spot = this.spot ?? 0;
    const moves = {
      ArrowLeft: () => Math.max(spot - 1, 0), ArrowRight: () => Math.min(spot + 1, last), Home: () => 0, End: () => last,
      ArrowUp: () => this.across(spot, -1), ArrowDown: () => this.across(spot, 1),
      PageUp: () => this.stretch(spot, -1), PageDown: () => this.stretch(spot, 1),
    };
    return moves[key]?.();
  }

  // The cell of the next line up or down that lies nearest.
  across(spot, way) {
    const [x, y] = this.cells[spot];
    let best = spot;
    let line = way * Infinity;
    this.cells.forEach(([left, top], i) => {
      if ((top - y) * way <= 0 || (top - line) * way > 0) return;
      if (top !== line || Math.abs(left - x) < Math.abs(this.cells[best][0] - x)) best = i;
      line = top;
    });
    return best;
  }

  // The first cell of the stretch before or after.
  stretch(spot, way) {
    let at = 0;
    const starts = this.chart.stretches.map(({ count }) => (at += count) - count);
    const here = starts.filter((start) => start <= spot).length - 1;
    return starts[Math.min(Math.max(here + way, 0), starts.length - 1)];
  }

  tell(spot) {
    const { names, facts, fact, differs, first } = this.chart;
    const known = facts[fact[spot]];
    const said = differs[spot] ? (spot === first ? "the first to differ" : "differs") : "all bits equal";
    return `${names[spot]}${known && ` (${known})`}: ${said}`;
  }

  frame(spot) {
    const [x, y] = this.cells[spot];
    return [x - 1, y - 1, this.side + 2, this.side + 2];
  }
};
