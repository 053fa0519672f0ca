// What part of a heat map is shown: some tensors by name, some columns by preset, by range or by
// dragging across the map.
nondet.Window = class {
  constructor(controls, map) {
    this.controls = controls;
    this.map = map;
    const { columns } = map.whole;
    this.ends = [...controls.querySelectorAll(".ends input")];
    this.filter = controls.querySelector(".filter input");
    this.from = 0;
    this.to = columns;
    controls.hidden = false;
    controls.querySelectorAll(".span input").forEach((choice) => choice.addEventListener("change", () => this.preset(choice.value)));
    this.ends.forEach((end, i) => end.addEventListener("input", () => this.slide(i)));
    this.filter.addEventListener("input", () => this.later());
    map.hint += " Drag across to look closer.";
    this.label();
    this.brush(map.canvas);
  }

  preset(name) {
    const { columns, parting } = this.map.whole;
    const near = Math.max(0, Math.min((parting || 0) - 15, columns - 50));
    const spans = { first: [0, 50], parting: [near, near + 50], all: [0, columns] };
    this.set(...spans[name], name);
  }

  // The ends keep apart: whichever is moved pushes the other.
  slide(which) {
    const [from, last] = this.ends.map((end) => Number(end.value));
    this.set(which ? Math.min(from, last) : from, (which ? last : Math.max(from, last)) + 1);
  }

  set(from, to, name) {
    this.from = Math.max(0, from);
    this.to = Math.min(to, this.map.whole.columns);
    const whole = this.from === 0 && this.to === this.map.whole.columns;
    this.controls.querySelectorAll(".span input").forEach((choice) => {
      choice.checked = choice.value === (name || (whole ? "all" : ""));
    });
    this.later();
  }

  // Once a frame, however fast a slider sends.
  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.apply(); });
  }

  // Say by labels where the ends are.
  label() {
    const { checkpoints } = this.map.whole;
    [this.from, this.to - 1].forEach((column, i) => {
      this.ends[i].value = column;
      this.ends[i].setAttribute("aria-valuetext", checkpoints[column]);
      this.ends[i].parentElement.querySelector("output").textContent = checkpoints[column];
    });
  }

  apply() {
    const { whole } = this.map;
    this.label();
    const wanted = this.filter.value.trim().toLowerCase();
    const rows = [...whole.tensors.keys()].filter((row) => whole.tensors[row].toLowerCase().includes(wanted));
    this.filter.setAttribute("aria-invalid", String(!rows.length));
    this.controls.querySelector(".found").textContent = !wanted ? "" : `${rows.length} of ${whole.rows}`;
    if (rows.length) this.map.look(rows, this.from, this.to);
  }

  brush(canvas) {
    let start = null;
    const drop = () => { start = null; };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && this.map.under(...this.map.at(event))) start = event.clientX;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (start === null || Math.abs(event.clientX - start) < 6) return;
      canvas.setPointerCapture(event.pointerId);
      this.shade(...this.span(start, event.clientX));
    });
    canvas.addEventListener("pointerup", (event) => {
      if (start !== null && Math.abs(event.clientX - start) >= 6) {
        const [low, high] = this.span(start, event.clientX);
        this.set(this.from + low, this.from + high);
      }
      drop();
    });
    canvas.addEventListener("pointercancel", drop);
    canvas.addEventListener("dblclick", () => this.preset("all"));
  }

  // Columns of the map between two places on the screen, from one up to before another.
  span(one, other) {
    const { box, chart, canvas } = this.map;
    const start = canvas.getBoundingClientRect().left + box.left;
    const column = (x) => Math.min(Math.max(Math.floor((x - start) / box.cell[0]), 0), chart.columns - 1);
    return [column(Math.min(one, other)), column(Math.max(one, other)) + 1];
  }

  shade(low, high) {
    const { box, chart, readout } = this.map;
    const context = this.map.restore();
    context.fillStyle = nondet.css("--bg");
    context.globalAlpha = 0.6;
    context.fillRect(box.left, box.top, low * box.cell[0], box.height);
    context.fillRect(box.left + high * box.cell[0], box.top, (chart.columns - high) * box.cell[0], box.height);
    context.globalAlpha = 1;
    readout.textContent = `${chart.checkpoints[low]} to ${chart.checkpoints[high - 1]}`;
  }
};
