"use strict";
// What the charts share: the decoded matrices, the colours, and numbers as text.
const nondet = {};

nondet.decode = async function (chart) {
  const units = {};
  for (const [key, unit] of Object.entries(chart.units)) {
    const packed = Uint8Array.from(atob(unit.data), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = await new Response(stream).arrayBuffer();
    // 16-bit codes are little-endian, as is every machine that runs a browser today.
    const codes = chart.bits === 16 ? new Uint16Array(bytes) : new Uint8Array(bytes);
    units[key] = { ...unit, codes, top: 2 ** chart.bits - 1 };
  }
  return { ...chart, units, rows: chart.tensors.length, columns: chart.checkpoints.length };
};

// The same chart cut to some rows, and to the columns from one up to before another.
nondet.part = function (chart, rows, from, to) {
  const columns = to - from;
  const units = {};
  for (const [key, unit] of Object.entries(chart.units)) {
    const codes = new unit.codes.constructor(rows.length * columns);
    rows.forEach((row, i) => {
      const start = row * chart.columns;
      codes.set(unit.codes.subarray(start + from, start + to), i * columns);
    });
    units[key] = { ...unit, codes };
  }
  const parting = chart.parting !== null && chart.parting >= from && chart.parting < to ? chart.parting - from : null;
  const tensors = rows.map((row) => chart.tensors[row]);
  return { ...chart, tensors, checkpoints: chart.checkpoints.slice(from, to), units, rows: rows.length, columns, parting };
};

nondet.unitNames = { rel: "relative", ulp: "ULP", abs: "absolute", share: "of the elements" };

// 0 where bits are equal, NaN where they differ by an unknown amount, else the distance.
nondet.value = function (unit, code) {
  if (code === 0) return 0;
  if (code === unit.top) return NaN;
  const part = (code - 1) / (unit.top - 2);
  return unit.low * Math.pow(unit.high / unit.low, part);
};

nondet.say = function (value, key) {
  if (key === "ulp" && value >= 1) {
    return value < 1000 ? String(Math.round(value)) : Number(value.toPrecision(3)).toLocaleString("en");
  }
  if (key === "share") return `${Number((100 * value).toPrecision(3))} %`;
  if (value >= 0.01 && value < 1000) return String(Number(value.toPrecision(3)));
  return value.toExponential(1).replace("e+", "e").replace(".0e", "e");
};

nondet.describe = function (chart, key, row, column) {
  const unit = chart.units[key];
  const value = nondet.value(unit, unit.codes[row * chart.columns + column]);
  const where = `${chart.tensors[row]} at ${chart.checkpoints[column]}: `;
  if (value === 0) return where + "all bits equal";
  if (key === "bits") return where + "bits differ";
  if (Number.isNaN(value)) return where + "differs, by how much is not known";
  return `${where}about ${nondet.say(value, key)} ${nondet.unitNames[key]}`;
};

// Viridis (van der Walt and Smith, 2015) at equal distances: lightness alone orders it, so it reads
// the same with every form of colour blindness. Its darkest end is left out, to part from dark pages.
nondet.stops = [
  [70, 36, 116], [64, 66, 134], [54, 92, 141], [44, 114, 142], [35, 138, 141], [34, 158, 135],
  [53, 183, 121], [94, 201, 98], [146, 215, 65], [202, 225, 31], [253, 231, 37],
];

nondet.colour = function (part) {
  const place = Math.min(Math.max(part, 0), 1) * (nondet.stops.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, nondet.stops.length - 1);
  return nondet.stops[low].map((from, i) => Math.round(from + (nondet.stops[high][i] - from) * (place - low)));
};

// How many characters of leading folders all of these paths share.
nondet.shared = function (paths) {
  if (paths.length < 2) return 0;
  let length = 0;
  while (paths.every((path) => length < path.length && path[length] === paths[0][length])) length += 1;
  return paths[0].slice(0, length).lastIndexOf("/") + 1;
};

nondet.css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

nondet.rgb = function (hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
};

// A canvas of `width` x `height` CSS pixels, sharp on this screen.
nondet.sized = function (canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
};

// `text` cut in its middle to at most `width` pixels, for the end tells kernel from bias.
nondet.fit = function (context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let kept = text.length - 1;
  const cut = () => text.slice(0, Math.ceil(kept / 2)) + "\u2026" + text.slice(text.length - Math.floor(kept / 2));
  while (kept > 2 && context.measureText(cut()).width > width) kept -= 1;
  return cut();
};
