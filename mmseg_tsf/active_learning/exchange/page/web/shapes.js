// Which pixels of a unit lie under a stroke or in a polygon, and where its outline runs.
// Coordinates are image pixels; the middle of the pixel in column 0 and row 0 is (0.5, 0.5).

/** @typedef {{x: number, y: number}} Point */

/**
 * Positions, among the pixels of a unit, of those whose middle lies under a stroke.
 * @param {import('./codec.js').Unit} unit
 * @param {Point[]} points Corners of the stroke.
 * @param {number} radius Half of its width; a stroke always covers the pixels that hold its corners.
 * @returns {number[]} Ascending.
 */
export function underStroke(unit, points, radius) {
  const found = new Set();
  for (let i = 0; i < points.length; i++) {
    const [from, to] = [points[Math.max(0, i - 1)], points[i]];
    const top = Math.min(from.y, to.y) - radius;
    const bottom = Math.max(from.y, to.y) + radius;
    eachPixel(unit, top, bottom, (row, column, at) => {
      const holds = row === Math.floor(to.y) && column === Math.floor(to.x);
      const middle = {x: column + 0.5, y: row + 0.5};
      if (holds || distance(middle, from, to) <= radius) found.add(at);
    });
  }
  return [...found].sort((a, b) => a - b);
}

/**
 * Positions, among the pixels of a unit, of those whose middle lies in a polygon (even-odd rule).
 * @param {import('./codec.js').Unit} unit
 * @param {Point[]} corners
 * @returns {number[]} Ascending.
 */
export function inPolygon(unit, corners) {
  const found = [];
  const heights = corners.map((corner) => corner.y);
  let known = -1;
  let crossings = [];
  eachPixel(unit, Math.min(...heights), Math.max(...heights), (row, column, at) => {
    if (row !== known) {
      known = row;
      crossings = crossingsAt(row + 0.5, corners);
    }
    if (crossings.filter((x) => x <= column + 0.5).length % 2) found.push(at);
  });
  return found;
}

function crossingsAt(y, corners) {
  const found = [];
  corners.forEach((to, i) => {
    const from = corners[(i || corners.length) - 1];
    if (from.y <= y !== to.y <= y) {
      found.push(from.x + ((y - from.y) * (to.x - from.x)) / (to.y - from.y));
    }
  });
  return found;
}

function eachPixel(unit, top, bottom, visit) {
  let at = 0;
  for (let i = 0; i < unit.rows.length; i++) {
    const row = unit.rows[i];
    if (row >= Math.floor(top) && row <= bottom) {
      for (let k = 0; k < unit.lengths[i]; k++) visit(row, unit.columns[i] + k, at + k);
    }
    at += unit.lengths[i];
  }
}

function distance(point, from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const along = length ? ((point.x - from.x) * dx + (point.y - from.y) * dy) / length : 0;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(point.x - from.x - t * dx, point.y - from.y - t * dy);
}

/**
 * The unit that holds a point, or the nearest unit of single pixels within reach.
 * @param {import('./codec.js').Unit[]} units
 * @param {Point} point
 * @param {number} reach Largest distance to a single pixel.
 * @returns {import('./codec.js').Unit|null}
 */
export function unitAt(units, point, reach) {
  const [row, column] = [Math.floor(point.y), Math.floor(point.x)];
  let best = null;
  let nearest = reach;
  for (const unit of units) {
    const {left, top, right, bottom} = unit.box;
    const margin = unit.single ? reach : 0;
    if (row < top - margin || row >= bottom + margin) continue;
    if (column < left - margin || column >= right + margin) continue;
    for (let i = 0; i < unit.rows.length; i++) {
      const [y, x] = [unit.rows[i], unit.columns[i]];
      if (y === row && column >= x && column < x + unit.lengths[i]) return unit;
      const gap = unit.single ? Math.hypot(point.x - x - 0.5, point.y - y - 0.5) : Infinity;
      if (gap < nearest) [nearest, best] = [gap, unit];
    }
  }
  return best;
}

/**
 * Sides of pixels along the border of a unit.
 * @param {import('./codec.js').Unit} unit
 * @returns {Path2D}
 */
export function outline(unit) {
  const path = new Path2D();
  const line = (x0, y0, x1, y1) => {
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  };
  const {rows, columns, lengths} = unit;
  let above = [];
  for (let i = 0; i <= rows.length; ) {
    const row = rows[i];
    const here = [];
    for (; i < rows.length && rows[i] === row; i++) {
      const end = columns[i] + lengths[i];
      here.push([columns[i], end]);
      line(columns[i], row, columns[i], row + 1);
      line(end, row, end, row + 1);
    }
    for (const [start, end] of difference(above, here)) line(start, row, end, row);
    above = here;
    if (i === rows.length || rows[i] !== row + 1) {
      for (const [start, end] of above) line(start, row + 1, end, row + 1);
      above = [];
    }
    if (i === rows.length) break;
  }
  return path;
}

/** Parts of a row that exactly one of two lists of ranges covers. */
function difference(first, second) {
  const ends = [...first.flat(), ...second.flat()].sort((a, b) => a - b);
  const found = [];
  for (let i = 0; i + 1 < ends.length; i += 2) {
    if (ends[i] < ends[i + 1]) found.push([ends[i], ends[i + 1]]);
  }
  return found;
}

/**
 * The area of some units as rectangles.
 * @param {Path2D} path Path to which they are added.
 * @param {import('./codec.js').Unit} unit
 */
export function addArea(path, unit) {
  for (let i = 0; i < unit.rows.length; i++) {
    path.rect(unit.columns[i], unit.rows[i], unit.lengths[i], 1);
  }
}
