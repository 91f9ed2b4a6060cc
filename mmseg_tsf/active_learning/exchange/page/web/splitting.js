// Tools: answer whole units, paint parts of one, or choose several units at once.

import {inPolygon, underStroke} from './shapes.js';

/** Tools by name. `paints`: it labels parts of a unit. */
export const TOOLS = {
  whole: {title: 'Whole', key: 'Escape', hint: ''},
  brush: {
    title: 'Brush',
    key: 'b',
    paints: true,
    hint: 'Choose a class and drag over its part.',
    keyboard: 'Keys: [ and ] change the size, arrows move, hold Space to paint.',
  },
  polygon: {
    title: 'Polygon',
    key: 'p',
    paints: true,
    hint: 'Choose a class and click the corners of its part, at the end the first one again.',
    keyboard: 'Keys: arrows move, Space sets a corner, C closes.',
  },
  lasso: {
    title: 'Lasso',
    key: 'l',
    paints: true,
    hint: 'Choose a class and draw around its part.',
    keyboard: 'Keys: arrows move, hold Space to draw.',
  },
  several: {
    title: 'Several',
    key: 'g',
    hint: 'Click or encircle more regions. One class labels them all.',
    keyboard: 'Keys: A adds the next one; arrows move, Space chooses.',
  },
};

/** Distance on the screen at which a click on the first corner closes a polygon. */
const CLOSE = 12;
const SIZES = {least: 1, most: 400, factor: 1.35};

/** The tool in the hand of the annotator: what it is, and the shape that is being drawn. */
export class Tool {
  constructor() {
    this.name = 'whole';
    this.value = 0;
    this.size = 15;
    this.points = [];
    this.cursor = null;
    this.drawing = false;
  }

  /** Whether it labels parts of a unit. */
  get paints() {
    return Boolean(TOOLS[this.name].paints);
  }

  /** Takes another tool. */
  take(name) {
    this.name = name;
    this.cancel();
    if (name === 'whole') this.cursor = null;
  }

  /** Forgets the shape that is being drawn. */
  cancel() {
    this.points = [];
    this.drawing = false;
  }

  /** Makes the brush larger (1) or smaller (-1). */
  resize(direction) {
    const size = this.size * SIZES.factor ** direction;
    this.size = Math.min(SIZES.most, Math.max(SIZES.least, size));
  }

  /**
   * Begins a shape, or adds a corner to a polygon.
   * @param {import('./shapes.js').Point} point
   * @param {number} scale Screen pixels per image pixel.
   * @returns {boolean} Whether the polygon is closed now.
   */
  press(point, scale) {
    this.drawing = true;
    if (this.name !== 'polygon') {
      this.points = [point];
      return false;
    }
    const [first] = this.points;
    const near = first && Math.hypot(point.x - first.x, point.y - first.y) * scale < CLOSE;
    if (near && this.points.length > 2) return true;
    this.points.push(point);
    return false;
  }

  /** Continues a shape to a point. */
  drag(point) {
    this.cursor = point;
    if (this.drawing && this.name !== 'polygon') this.points.push(point);
  }

  /**
   * Pixels of a unit that the finished shape covers; the shape is forgotten.
   * @param {import('./codec.js').Unit} unit
   * @returns {number[]}
   */
  finish(unit) {
    const points = this.points;
    this.cancel();
    if (this.name === 'brush') return points.length ? underStroke(unit, points, this.size / 2) : [];
    return points.length > 2 ? inPolygon(unit, points) : [];
  }

  /**
   * Units whose middle lies in the finished shape; the shape is forgotten.
   * @param {import('./codec.js').Unit[]} units
   * @returns {import('./codec.js').Unit[]}
   */
  encircled(units) {
    const points = this.points;
    this.cancel();
    return units.filter(({box: {left, top, right, bottom}}) => {
      const middle = {
        rows: [Math.floor((top + bottom) / 2)],
        columns: [Math.floor((left + right) / 2)],
        lengths: [1],
      };
      return inPolygon(middle, points).length > 0;
    });
  }

  /**
   * Draws the shape and the place of the cursor, in image coordinates.
   * @param {CanvasRenderingContext2D} context
   * @param {number} scale Screen pixels per image pixel.
   * @param {string} colour Colour of the class that is painted.
   */
  draw(context, scale, colour) {
    const path = new Path2D();
    this.points.forEach(({x, y}, i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
    context.lineJoin = context.lineCap = 'round';
    if (this.name === 'brush' && this.points.length) {
      if (this.points.length === 1) path.lineTo(this.points[0].x + 1e-3, this.points[0].y);
      context.globalAlpha = 0.6;
      context.strokeStyle = colour;
      context.lineWidth = this.size;
      context.stroke(path);
      context.globalAlpha = 1;
    } else if (this.points.length) {
      if (this.name === 'polygon' && this.cursor) path.lineTo(this.cursor.x, this.cursor.y);
      for (const {x, y} of this.name === 'polygon' ? this.points : []) {
        path.rect(x - 3 / scale, y - 3 / scale, 6 / scale, 6 / scale);
      }
      strokeTwice(context, path, scale);
    }
    if (this.cursor) strokeTwice(context, this.#cursorShape(scale), scale);
  }

  #cursorShape(scale) {
    const {x, y} = this.cursor;
    const path = new Path2D();
    if (this.name === 'brush') path.arc(x, y, this.size / 2, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      path.moveTo(x + (dx * 3) / scale, y + (dy * 3) / scale);
      path.lineTo(x + (dx * 10) / scale, y + (dy * 10) / scale);
    }
    return path;
  }
}

function strokeTwice(context, path, scale) {
  for (const [colour, width] of [['black', 4], ['white', 1.6]]) {
    context.strokeStyle = colour;
    context.lineWidth = width / scale;
    context.stroke(path);
  }
}
