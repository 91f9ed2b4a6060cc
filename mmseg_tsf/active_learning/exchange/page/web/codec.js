// Encoded units, and values of pixels as run lengths.

/** Value of a pixel that has no label yet. */
export const OPEN = -1;

/**
 * A unit: a region, or a few single pixels, that one answer can serve.
 * @typedef {Object} Unit
 * @property {number} index Position among the units of its image.
 * @property {Int32Array} rows Row of each run of its pixels.
 * @property {Int32Array} columns First column of each run.
 * @property {Int32Array} lengths Number of pixels of each run.
 * @property {number} size Number of pixels.
 * @property {boolean} single Whether it consists of single pixels.
 * @property {{left: number, top: number, right: number, bottom: number}} box Its bounds; right and
 *     bottom are exclusive.
 * @property {number[]} belief Class ids that the network predicts, as runs over its pixels; 255
 *     where there is no prediction.
 */

/**
 * Restores the units of an image, see units.py.
 * @param {string} text Base64 of zlib of int32, the lowest bytes of all first.
 * @returns {Promise<Unit[]>}
 */
export async function decodeUnits(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const numbers = new Int32Array(planes.length / 4);
  planes.forEach((byte, i) => {
    const plane = Math.floor(i / numbers.length);
    numbers[i - plane * numbers.length] |= byte << (8 * plane);
  });
  const [units, runs, beliefs] = numbers;
  let at = 3;
  const take = (count) => numbers.subarray(at, (at += count));
  const runCounts = take(units);
  const [rows, columns, lengths] = [0, 0, 0].map(() => addUp(take(runs)));
  const beliefCounts = take(units);
  const values = take(beliefs);
  const beliefLengths = take(beliefs);
  const found = [];
  let run = 0;
  let piece = 0;
  for (let index = 0; index < units; index++) {
    const end = run + runCounts[index];
    const belief = [];
    for (const last = piece + beliefCounts[index]; piece < last; piece++) {
      belief.push(values[piece], beliefLengths[piece]);
    }
    const parts = [rows, columns, lengths].map((part) => part.subarray(run, end));
    found.push(makeUnit(index, ...parts, belief));
    run = end;
  }
  return found;
}

function addUp(differences) {
  for (let i = 1; i < differences.length; i++) differences[i] += differences[i - 1];
  return differences;
}

function makeUnit(index, rows, columns, lengths, belief) {
  const box = {left: Infinity, top: rows[0], right: 0, bottom: rows[rows.length - 1] + 1};
  let size = 0;
  for (let i = 0; i < rows.length; i++) {
    box.left = Math.min(box.left, columns[i]);
    box.right = Math.max(box.right, columns[i] + lengths[i]);
    size += lengths[i];
  }
  const single = size === rows.length && size < (box.bottom - box.top) * (box.right - box.left) + 1
    && isScattered(rows, columns);
  return {index, rows, columns, lengths, belief, box, size, single};
}

/** Whether no two runs of one pixel touch. */
function isScattered(rows, columns) {
  const taken = new Set();
  for (let i = 0; i < rows.length; i++) taken.add(`${rows[i]} ${columns[i]}`);
  return rows.every((row, i) => !taken.has(`${row + 1} ${columns[i]}`));
}

/**
 * Runs of a list of values: value, length, value, length and so on.
 * @param {Int16Array} values
 * @returns {number[]}
 */
export function packValues(values) {
  const runs = [];
  for (let start = 0; start < values.length; ) {
    let end = start + 1;
    while (end < values.length && values[end] === values[start]) end++;
    runs.push(values[start], end - start);
    start = end;
  }
  return runs;
}

/**
 * Values of runs; the inverse of packValues.
 * @param {number[]} runs
 * @param {number} size Number of values.
 * @returns {Int16Array}
 */
export function unpackValues(runs, size) {
  const values = new Int16Array(size);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) values.fill(runs[i], at, (at += runs[i + 1]));
  return values;
}

/**
 * The most frequent values of runs, each with its share of the pixels.
 * @param {number[]} runs
 * @returns {{value: number, share: number}[]} The most frequent first.
 */
export function shares(runs) {
  const counts = new Map();
  let total = 0;
  for (let i = 0; i < runs.length; i += 2) {
    counts.set(runs[i], (counts.get(runs[i]) ?? 0) + runs[i + 1]);
    total += runs[i + 1];
  }
  return [...counts]
    .map(([value, count]) => ({value, share: count / total}))
    .sort((a, b) => b.share - a.share);
}

/**
 * Calls a function for each piece of a unit that lies in one row and has one value.
 * @param {Unit} unit
 * @param {number[]} runs Values of its pixels.
 * @param {function(number, number, number, number): void} visit Receives row, first column, length
 *     and value.
 */
export function eachPiece(unit, runs, visit) {
  let piece = 0;
  let left = runs[1];
  for (let i = 0; i < unit.rows.length; i++) {
    let column = unit.columns[i];
    for (let open = unit.lengths[i]; open > 0; ) {
      if (left === 0) {
        piece += 2;
        left = runs[piece + 1];
      }
      const length = Math.min(open, left);
      visit(unit.rows[i], column, length, runs[piece]);
      column += length;
      open -= length;
      left -= length;
    }
  }
}
