// The file that the annotator sends back, see saved.py.

import {OPEN, eachPiece} from './codec.js';

/**
 * Content of the file: for each image with labels its runs (pixels since the run before, number of
 * pixels, class id) and its units (position of the first pixel, number of pixels, seconds).
 * @param {Object} request Content of the page.
 * @param {import('./work.js').Work} work
 * @param {import('./pictures.js').Pictures} pictures
 * @param {string} annotator
 * @returns {Promise<string>}
 */
export async function makeFile(request, work, pictures, annotator) {
  const images = {};
  for (let i = 0; i < request.images.length; i++) {
    const image = request.images[i];
    const answers = [...work.answers[i]].filter(([, answer]) => answer.runs !== null);
    if (!answers.length) continue;
    const units = await pictures.units(i);
    const pieces = [];
    const times = [];
    for (const [index, {runs, seconds}] of answers) {
      const unit = units[index];
      times.push([firstPixel(unit, image.width), unit.size, Math.round(seconds * 1000) / 1000]);
      eachPiece(unit, runs, (row, column, length, value) => {
        if (value !== OPEN) pieces.push([row * image.width + column, length, value]);
      });
    }
    const size = [image.height, image.width];
    images[image.id] = {size, runs: joinRuns(pieces), units: times.sort((a, b) => a[0] - b[0])};
  }
  return JSON.stringify({
    format: request.format,
    version: request.version,
    request: request.request,
    round: request.round,
    annotator,
    saved: new Date().toISOString(),
    classes: request.classes.map((one) => one.name),
    images,
  });
}

function firstPixel(unit, width) {
  return unit.rows[0] * width + unit.columns[0];
}

function joinRuns(pieces) {
  pieces.sort((a, b) => a[0] - b[0]);
  const runs = [];
  let end = 0;
  for (const [start, length, value] of pieces) {
    if (start === end && runs.length && runs[runs.length - 1] === value) {
      runs[runs.length - 2] += length;
    } else {
      runs.push(start - end, length, value);
    }
    end = start + length;
  }
  return runs;
}

/**
 * Reads a saved file back, to go on with it in another browser.
 * @param {string} text
 * @param {Object} request Content of the page.
 * @param {import('./pictures.js').Pictures} pictures
 * @returns {Promise<{position: import('./work.js').Position, answer: Object}[]>}
 * @throws {Error} The file is not from this page.
 */
export async function readFile(text, request, pictures) {
  let saved;
  try {
    saved = JSON.parse(text);
  } catch {
    saved = {};
  }
  if (saved.format !== request.format) throw new Error('This file was not saved by this page.');
  if (saved.request !== request.request) throw new Error('This file answers another request.');
  const known = new Set([request.cannot_be_said, ...request.classes.keys()]);
  const found = [];
  for (let i = 0; i < request.images.length; i++) {
    const image = saved.images[request.images[i].id];
    if (!image) continue;
    const runs = placeRuns(image.runs);
    if (!runs.every(({value}) => known.has(value))) throw new Error('This file is damaged.');
    const seconds = new Map(image.units.map(([first, , spent]) => [first, spent]));
    for (const unit of await pictures.units(i)) {
      const values = valuesOf(unit, runs, request.images[i].width);
      if (values.every((value, k) => k % 2 || value === OPEN)) continue;
      const spent = seconds.get(firstPixel(unit, request.images[i].width)) ?? 0;
      found.push({
        position: {image: i, unit: unit.index},
        answer: {runs: values, seconds: spent},
      });
    }
  }
  return found;
}

function placeRuns(runs) {
  const placed = [];
  let at = 0;
  for (let i = 0; i < runs.length; i += 3) {
    at += runs[i];
    placed.push({start: at, end: at + runs[i + 1], value: runs[i + 2]});
    at += runs[i + 1];
  }
  return placed;
}

/** Values of the pixels of a unit, as runs over them. */
function valuesOf(unit, placed, width) {
  const runs = [];
  const add = (value, length) => {
    if (length <= 0) return;
    if (runs.length && runs[runs.length - 2] === value) runs[runs.length - 1] += length;
    else runs.push(value, length);
  };
  for (let i = 0; i < unit.rows.length; i++) {
    let at = unit.rows[i] * width + unit.columns[i];
    const end = at + unit.lengths[i];
    for (let k = firstAfter(placed, at); at < end; k++) {
      const next = placed[k];
      if (!next || next.start >= end) {
        add(OPEN, end - at);
        break;
      }
      add(OPEN, next.start - at);
      at = Math.max(at, next.start);
      add(next.value, Math.min(end, next.end) - at);
      at = Math.min(end, next.end);
    }
  }
  return runs;
}

/** Number of the first run that ends after a pixel. */
function firstAfter(placed, pixel) {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placed[middle].end <= pixel) low = middle + 1;
    else high = middle;
  }
  return low;
}
