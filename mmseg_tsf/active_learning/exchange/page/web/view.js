// What the annotator sees: the image, its labels, and the unit in question.

import {addArea, outline} from './shapes.js';

/** Share of the shorter side of the view that a unit fills when the view moves to it. */
const WANTED = 0.3;
/** Shares between which a unit is left in the view as it is, so that the eye can rest. */
const LEAST = 0.05;
/** The same of a single pixel with its surroundings, which must be told from its neighbours. */
const WANTED_AROUND = 0.2;
const LEAST_AROUND = 0.18;
const MOST = 0.6;
/** Share of the view, at each side, into which no unit may reach without moving the view. */
const EDGE = 0.12;
/** Largest number of screen pixels per image pixel when the view moves by itself. */
const NEAREST = 12;
/** Width of the empty margin around an image, in screen pixels. */
const MARGIN = 28;
/** Side of a single pixel with its surroundings, in image pixels, when the view moves to it. */
const AROUND = 24;

/** The view of one image on a canvas. */
export class View {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d', {alpha: false});
    [this.scale, this.x, this.y] = [1, 0, 0];
    this.image = null;
  }

  /** Takes over the size of the canvas on the screen. */
  resize() {
    this.density = window.devicePixelRatio || 1;
    const {width, height} = this.canvas.getBoundingClientRect();
    [this.width, this.height] = [width, height];
    this.canvas.width = Math.max(1, Math.round(width * this.density));
    this.canvas.height = Math.max(1, Math.round(height * this.density));
  }

  /** Point of the image under a point of the canvas. */
  toImage(x, y) {
    return {x: (x - this.x) / this.scale, y: (y - this.y) / this.scale};
  }

  /** Scale at which the whole image is seen. */
  get whole() {
    return Math.min(this.width / this.image.width, this.height / this.image.height);
  }

  /** Whether exactly the whole image is seen. */
  get isWhole() {
    return Math.abs(this.scale / this.whole - 1) < 1e-6;
  }

  /** Shows the whole image. */
  fit() {
    this.scale = this.whole;
    this.centre(this.image.width / 2, this.image.height / 2);
  }

  /** Moves a point of the image to the middle. */
  centre(x, y) {
    this.x = this.width / 2 - x * this.scale;
    this.y = this.height / 2 - y * this.scale;
    this.#stay();
  }

  /** Moves the view by screen pixels. */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#stay();
  }

  /** Enlarges the view around a point of the canvas, the middle by default. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.min(64, Math.max(Math.min(1, this.whole) / 2, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#stay();
  }

  /** Keeps the view on the image, with a narrow margin, and centres an image that fits in it. */
  #stay() {
    this.x = clamp(this.x, this.width, this.image.width * this.scale);
    this.y = clamp(this.y, this.height, this.image.height * this.scale);
  }

  /** Moves the view to a part of the image, unless it is seen well already. */
  show({left, top, right, bottom}, single) {
    const grown = single ? AROUND : 0;
    const side = Math.max(right - left, bottom - top) + grown;
    const room = Math.min(this.width, this.height);
    const share = (side * this.scale) / room;
    const least = single ? LEAST_AROUND : LEAST;
    if (share < least || this.scale < this.whole || (share > MOST && !this.isWhole)) {
      this.scale = Math.max(this.whole, Math.min(((single ? WANTED_AROUND : WANTED) * room) / side, NEAREST));
    } else if (this.#holds(left, top) && this.#holds(right, bottom)) {
      return;
    }
    this.centre((left + right) / 2, (top + bottom) / 2);
  }

  #holds(x, y) {
    const [atX, atY] = [this.x + x * this.scale, this.y + y * this.scale];
    const edge = EDGE * Math.min(this.width, this.height);
    return (
      atX >= edge && atX <= this.width - edge && atY >= edge && atY <= this.height - edge
    );
  }

  /**
   * Draws everything.
   * @param {Object} scene
   * @param {import('./pictures.js').Picture} scene.picture
   * @param {import('./paint.js').Layer|null} scene.answers Labels of the whole image.
   * @param {import('./paint.js').Layer|null} scene.detail Labels of the unit in question.
   * @param {import('./codec.js').Unit[]} scene.asked Units in question.
   * @param {import('./codec.js').Unit[]} scene.others Units that can be chosen beside them.
   * @param {function(CanvasRenderingContext2D): void} scene.above Draws what lies above.
   */
  draw({picture, answers, detail, asked, others, above}) {
    const context = this.context;
    const scale = this.scale * this.density;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = '#22262b';
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(scale, 0, 0, scale, this.x * this.density, this.y * this.density);
    const far = scale < picture.smallScale * 1.5;
    this.#drawPart(far ? picture.small : picture.full, far ? picture.smallScale : 1);
    answers?.draw(context);
    this.#veil(asked);
    detail?.draw(context);
    for (const unit of others) {
      if (this.#isSeen(unit.box) && !asked.includes(unit)) this.#mark(unit, 0.5);
    }
    for (const unit of asked) this.#mark(unit, 1);
    above(context);
  }

  #isSeen({left, top, right, bottom}) {
    const from = this.toImage(0, 0);
    const to = this.toImage(this.width, this.height);
    return right > from.x && left < to.x && bottom > from.y && top < to.y;
  }

  /** Draws the part of the image that is seen. */
  #drawPart(source, shrunk) {
    const {width, height} = this.image;
    const from = this.toImage(0, 0);
    const to = this.toImage(this.width, this.height);
    const [left, top] = [Math.max(0, Math.floor(from.x)), Math.max(0, Math.floor(from.y))];
    const right = Math.min(width, Math.ceil(to.x));
    const bottom = Math.min(height, Math.ceil(to.y));
    if (right <= left || bottom <= top) return;
    const place = [left, top, right - left, bottom - top];
    this.context.imageSmoothingEnabled = this.scale < 4;
    this.context.drawImage(source, ...place.map((side) => side * shrunk), ...place);
  }

  /** Darkens what is not in question a little; circles around single pixels are enough. */
  #veil(asked) {
    if (asked.every((unit) => unit.single)) return;
    const path = new Path2D();
    path.rect(0, 0, this.image.width, this.image.height);
    for (const unit of asked) addArea(path, unit);
    this.context.fillStyle = 'rgba(15, 18, 22, 0.28)';
    this.context.fill(path, 'evenodd');
  }

  /** Draws the outline of a unit, or circles around single pixels: white with black edges. */
  #mark(unit, strength) {
    const path = unit.single ? new Path2D() : outline(unit);
    if (unit.single) {
      this.#eachCentre(unit, (x, y, radius) => addDisc(path, x, y, radius));
      if (this.scale >= 4) path.addPath(outline(unit));
    }
    this.#stroke(path, 'black', 5 * strength);
    this.#stroke(path, 'white', 2.4 * strength);
  }

  #stroke(path, colour, width) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = width / this.scale;
    this.context.lineCap = 'square';
    this.context.stroke(path);
  }

  #eachCentre(unit, visit) {
    const radius = Math.max(11 / this.scale, 1.5);
    unit.rows.forEach((row, i) => {
      for (let k = 0; k < unit.lengths[i]; k++) {
        visit(unit.columns[i] + k + 0.5, row + 0.5, radius);
      }
    });
  }
}

/** Place of an image along one side of the view, so that little of the view stays empty. */
function clamp(place, view, image) {
  if (image + 2 * MARGIN <= view) return (view - image) / 2;
  return Math.min(MARGIN, Math.max(view - image - MARGIN, place));
}

function addDisc(path, x, y, radius) {
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 2 * Math.PI);
}
