// Colours of classes on pixels: of all answers of an image, and of one unit in full detail.

import {OPEN, eachPiece} from './codec.js';

/** Largest number of pixels of a layer. */
const LARGEST = 4e6;
/** Opacity of a label's colour on the image, from 0 to 255. */
const OPACITY = 115;
/** The same of a prediction, which must not hide what there is. */
const FAINT = 64;
/** Whether a pattern draws its line at a pixel, by number; see build.py. */
const PATTERNS = [
  () => false,
  (x, y) => (x + y) % 6 < 2,
  (x, y) => (x - y + 6e6) % 6 < 2,
  (x, y) => y % 6 < 2,
  (x, y) => x % 6 < 2,
  (x, y) => x % 6 < 3 && y % 6 < 3,
];

/** A colour as the four bytes of a pixel, in the order of nearly every processor. */
function pixel([red, green, blue], alpha) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Colours and patterns of the classes. */
export class Palette {
  /** @param {{colour: string, pattern: number}[]} classes */
  constructor(classes) {
    this.styles = [OPACITY, FAINT].map((opacity) => {
      const strong = Math.min(255, Math.round(opacity * 1.6));
      const styles = classes.map(({colour, pattern}) => {
        const rgb = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
        const dark = rgb.map((value) => value >> 1);
        return {plain: pixel(rgb, opacity), line: pixel(dark, strong), lined: PATTERNS[pattern]};
      });
      // what cannot be said: white dots on black
      const line = pixel([255, 255, 255], strong);
      return {styles, unknown: {plain: pixel([0, 0, 0], opacity), line, lined: PATTERNS[5]}};
    });
  }

  /**
   * How to draw a value.
   * @param {number} value Class id, or that of pixels whose class cannot be said.
   * @param {boolean} predicted Whether it is a prediction.
   * @returns {{plain: number, line: number, lined: function(number, number): boolean}}
   */
  style(value, predicted) {
    const {styles, unknown} = this.styles[Number(predicted)];
    return styles[value] ?? unknown;
  }
}

/** A canvas with the labels of some units, drawn over an image. */
export class Layer {
  /**
   * @param {{left: number, top: number, right: number, bottom: number}} box Part of the image.
   * @param {Palette} palette
   */
  constructor(box, palette) {
    this.box = box;
    this.palette = palette;
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    this.scale = Math.min(1, Math.sqrt(LARGEST / (width * height)));
    this.canvas = document.createElement('canvas');
    this.canvas.width = Math.max(1, Math.round(width * this.scale));
    this.canvas.height = Math.max(1, Math.round(height * this.scale));
    this.context = this.canvas.getContext('2d', {willReadFrequently: true});
  }

  /**
   * Draws labels of a unit in place of what stood there.
   * @param {import('./codec.js').Unit} unit
   * @param {number[]} runs Labels as runs over its pixels.
   * @param {boolean} [predicted] Whether they are predictions.
   */
  paint(unit, runs, predicted = false) {
    const {left, top, right, bottom} = this.#inLayer(unit.box);
    if (right <= left || bottom <= top) return;
    const image = this.context.getImageData(left, top, right - left, bottom - top);
    const pixels = new Uint32Array(image.data.buffer);
    eachPiece(unit, runs, (row, column, length, value) => {
      const [y, last] = this.#covered(row - this.box.top, 1);
      const [start, behind] = this.#covered(column - this.box.left, length);
      if (y === last || y >= bottom) return; // a row between two of the layer
      const end = Math.min(behind, right);
      const begin = (y - top) * image.width - left;
      if (value === OPEN) {
        pixels.fill(0, begin + start, begin + end);
        return;
      }
      const {plain, line, lined} = this.palette.style(value, predicted);
      for (let x = start; x < end; x++) pixels[begin + x] = lined(x, y) ? line : plain;
    });
    this.context.putImageData(image, left, top);
  }

  /** Draws the layer in image coordinates. */
  draw(context) {
    const {left, top, right, bottom} = this.box;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.canvas, left, top, right - left, bottom - top);
  }

  #inLayer(box) {
    const [left, right] = this.#covered(box.left - this.box.left, box.right - box.left);
    const [top, bottom] = this.#covered(box.top - this.box.top, box.bottom - box.top);
    return {
      left,
      top,
      right: Math.min(right, this.canvas.width),
      bottom: Math.min(bottom, this.canvas.height),
    };
  }

  /** First pixel of the layer whose middle lies in a range of the image, and the one behind. */
  #covered(start, length) {
    return [Math.ceil(start * this.scale - 0.5), Math.ceil((start + length) * this.scale - 0.5)];
  }
}
