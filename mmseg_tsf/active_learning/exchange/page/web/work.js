// Answers of the annotator: who said what, undo and redo, progress, and what comes next.

import {OPEN, packValues, unpackValues} from './codec.js';

/**
 * Answer to one unit.
 * @typedef {Object} Answer
 * @property {number[]|null} runs Labels as runs over the pixels of the unit, -1 where a pixel has
 *     none yet; null if nothing is said.
 * @property {number} seconds Seconds of work on it.
 */

/** @typedef {{image: number, unit: number}} Position */

/** All answers to the request. */
export class Work {
  /**
   * @param {Object} request Content of the page, see build.py.
   * @param {function(Position[]): void} changed Receives the positions whose answers changed.
   */
  constructor(request, changed) {
    this.images = request.images;
    this.changed = changed;
    this.answers = this.images.map(() => new Map());
    this.done = this.images.map(() => 0);
    this.total = this.images.reduce((sum, image) => sum + image.units, 0);
    this.past = [];
    this.future = [];
  }

  /** @returns {Answer} */
  answer({image, unit}) {
    return this.answers[image].get(unit) ?? {runs: null, seconds: 0};
  }

  /** Whether every pixel of a unit has its answer. */
  isDone(position) {
    return isComplete(this.answer(position));
  }

  /** Stores an answer without a trace in the history: what was loaded. */
  restore({image, unit}, answer) {
    const before = this.isDone({image, unit});
    this.answers[image].set(unit, answer);
    this.done[image] += isComplete(answer) - before;
  }

  /**
   * Answers some units at once.
   * @param {{position: Position, runs: number[]|null}[]} given
   * @param {number} seconds Seconds that it took, shared among them.
   */
  say(given, seconds) {
    const step = given.map(({position, runs}) => {
      const before = this.answer(position);
      const after = {runs, seconds: before.seconds + seconds / given.length};
      return {position, before, after};
    });
    this.past.push(step);
    this.future = [];
    this.#apply(step, 'after');
  }

  /**
   * Takes answers over from elsewhere, in one step.
   * @param {{position: Position, answer: Answer}[]} found
   */
  merge(found) {
    const step = found.map(({position, answer}) => {
      return {position, before: this.answer(position), after: answer};
    });
    if (!step.length) return;
    this.past.push(step);
    this.future = [];
    this.#apply(step, 'after');
  }

  /**
   * Gives a label to some pixels of a unit.
   * @param {Position} position
   * @param {number} size Number of pixels of the unit.
   * @param {number[]} pixels Positions among its pixels.
   * @param {number} value
   * @param {number} seconds
   */
  paint(position, size, pixels, value, seconds) {
    const values = unpackValues(this.answer(position).runs ?? [OPEN, size], size);
    for (const pixel of pixels) values[pixel] = value;
    this.say([{position, runs: packValues(values)}], seconds);
  }

  /**
   * Takes the last step back.
   * @returns {Position[]} The units that it changed, the one in question first; none without a step.
   */
  undo() {
    return this.#move(this.past, this.future, 'before');
  }

  /**
   * Takes a step that was taken back again.
   * @returns {Position[]} See undo.
   */
  redo() {
    return this.#move(this.future, this.past, 'after');
  }

  #move(from, to, side) {
    const step = from.pop();
    if (!step) return [];
    to.push(step);
    this.#apply(step, side);
    return step.map((one) => one.position);
  }

  #apply(step, side) {
    for (const one of step) {
      // time that was spent stays spent
      const seconds = Math.max(this.answer(one.position).seconds, one[side].seconds);
      this.restore(one.position, {runs: one[side].runs, seconds});
    }
    this.changed(step.map((one) => one.position));
  }

  /** Number of units that are answered. */
  get finished() {
    return this.done.reduce((sum, count) => sum + count, 0);
  }

  /** Mean seconds per answered unit; null if none is. */
  get pace() {
    let seconds = 0;
    for (const answers of this.answers) {
      for (const answer of answers.values()) seconds += answer.seconds;
    }
    return this.finished ? seconds / this.finished : null;
  }

  /**
   * The next unit without a complete answer, in the order of the request; the first one after the
   * last.
   * @param {Position} position
   * @param {Map<number, string>} [passed] Images that cannot be shown.
   * @returns {Position|null} null if all are answered.
   */
  nextOpen(position, passed = new Map()) {
    for (let k = 0; k <= this.images.length; k++) {
      const image = (position.image + k) % this.images.length;
      const all = this.images[image].units;
      if (passed.has(image) || this.done[image] === all) continue;
      const start = k === 0 ? position.unit + 1 : 0;
      const end = k === this.images.length ? position.unit : all;
      for (let unit = start; unit < end; unit++) {
        if (!this.isDone({image, unit})) return {image, unit};
      }
    }
    return null;
  }

  /**
   * The unit some steps before or after another, answered or not.
   * @returns {Position|null} null beyond the first and the last.
   */
  neighbour({image, unit}, step) {
    let there = {image, unit: unit + step};
    while (there.unit < 0 || there.unit >= this.images[there.image].units) {
      const next = there.image + step;
      if (next < 0 || next >= this.images.length) return null;
      there = {image: next, unit: step > 0 ? 0 : this.images[next].units - 1};
    }
    return there;
  }
}

function isComplete({runs}) {
  return runs !== null && runs.every((value, i) => i % 2 || value !== OPEN);
}
