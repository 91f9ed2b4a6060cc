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

/** Colours and patterns of the classes. */
export class Palette {
  /**
   * @param {{colour: string, pattern: number}[]} classes
   * @param {number} unknown Value of pixels whose class cannot be said: white dots on black.
   */
  constructor(classes, unknown) {
    this.unknown = unknown;
    this.classes = classes.map(({colour, pattern}) => ({
      rgb: [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)),
      lined: PATTERNS[pattern],
    }));
  }

  /** Writes the colour of a value into the data of an image. */
  write(data, at, value, x, y, opacity) {
    if (value === OPEN) {
      data.fill(0, at, at + 4);
      return;
    }
    const style = this.classes[value];
    const lined = style ? style.lined(x, y) : PATTERNS[5](x, y);
    const rgb = style ? style.rgb : lined ? [255, 255, 255] : [0, 0, 0];
    for (let k = 0; k < 3; k++) data[at + k] = style && lined ? rgb[k] >> 1 : rgb[k];
    data[at + 3] = lined ? Math.min(255, opacity * 1.6) : opacity;
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
    eachPiece(unit, runs, (row, column, length, value) => {
      const [y, last] = this.#covered(row - this.box.top, 1);
      const [start, end] = this.#covered(column - this.box.left, length);
      if (y === last) return; // a row between two of the layer
      for (let x = start; x < end; x++) {
        const at = 4 * ((y - top) * image.width + x - left);
        this.palette.write(image.data, at, value, x, y, predicted ? FAINT : OPACITY);
      }
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
