// Image files and units of images, read ahead of time so that the next region appears at once.

import {decodeUnits} from './codec.js';

/** Longest side of the small copy of an image that is drawn from afar, in pixels. */
const SMALL = 1400;
/** Number of images that are kept decoded. */
const KEPT = 3;

/**
 * An image that can be drawn.
 * @typedef {Object} Picture
 * @property {CanvasImageSource} full
 * @property {CanvasImageSource} small A small copy, or the same.
 * @property {number} smallScale Pixels of the copy per pixel of the image.
 */

/** Loads images and their units, and keeps those in use. */
export class Pictures {
  /** @param {Object} request Content of the page, see build.py. */
  constructor(request) {
    this.images = request.images;
    this.decoded = new Map();
    this.loaded = new Map();
  }

  /**
   * Units of an image.
   * @param {number} image
   * @returns {Promise<import('./codec.js').Unit[]>}
   */
  units(image) {
    return this.#cached(this.decoded, image, () => decodeUnits(this.images[image].data));
  }

  /**
   * The picture of an image.
   * @param {number} image
   * @returns {Promise<Picture>}
   * @throws {Error} The file is missing, or is not the image of the request.
   */
  picture(image) {
    return this.#cached(this.loaded, image, () => this.#load(this.images[image]));
  }

  /** Starts to load an image that will be needed. */
  prepare(image) {
    if (image < 0 || image >= this.images.length) return;
    this.units(image);
    this.picture(image).catch(() => {}); // reported when it is shown
  }

  #cached(kept, image, load) {
    const found = kept.get(image) ?? load();
    kept.delete(image); // the last used one stands last
    kept.set(image, found);
    found.catch(() => kept.delete(image));
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT) break;
      kept.get(oldest).then((one) => one.close?.(), () => {});
      kept.delete(oldest);
    }
    return found;
  }

  async #load({id, file, width, height}) {
    const element = new Image();
    element.src = file;
    try {
      await element.decode();
    } catch {
      throw new Error(
        `The image ${id} cannot be opened (${decodeURI(file)}). Keep this page beside the folder ` +
          'it came with, then load it again.',
      );
    }
    if (element.naturalWidth !== width || element.naturalHeight !== height) {
      const found = `${element.naturalWidth}x${element.naturalHeight}`;
      throw new Error(
        `The image ${id} is not the one of the request: it has ${found} pixels instead of ` +
          `${width}x${height}. Put the right file beside this page, then load it again.`,
      );
    }
    // a bitmap stays decoded, which the browser does not promise for an element
    const full = await createImageBitmap(element);
    const smallScale = Math.min(1, SMALL / Math.max(width, height));
    if (smallScale === 1) return {full, small: full, smallScale, close: () => full.close()};
    const small = await createImageBitmap(element, {
      resizeWidth: Math.round(width * smallScale),
      resizeHeight: Math.round(height * smallScale),
      resizeQuality: 'medium',
    });
    const close = () => [full, small].forEach((bitmap) => bitmap.close());
    return {full, small, smallScale, close};
  }
}
