// What buttons, keys and pointers do.

import {OPEN, packValues, unpackValues} from './codec.js';
import {connectKeys} from './keys.js';
import {openOverview} from './overview.js';
import {byId} from './panel.js';
import {connectPointer} from './pointer.js';
import {makeFile, readFile} from './saved.js';
import {unitAt} from './shapes.js';
import {Viewer} from './viewer.js';

/** Distance on the screen at which a click finds a single pixel. */
const REACH = 24;
/** Distance on the screen by which arrows move the cursor. */
const STEP = 10;

/** A session with everything that the annotator can do. */
export class Annotator extends Viewer {
  constructor(request) {
    super(request);
    connectPointer(this.view, this.tool, {
      click: (point) => this.click(point),
      shape: () => this.shape(),
      draw: () => this.draw(),
    });
    connectKeys(this.tool, this);
    for (const name of ['overview', 'save', 'help']) {
      byId(`open-${name}`).addEventListener('click', () => this[name]());
    }
    byId('load').addEventListener('change', (event) => this.load(event.target));
  }

  /** Whether something can be answered now; says why not. */
  get ready() {
    if (this.locked) this.say('Another tab works on this request.');
    return !this.locked && Boolean(this.unit);
  }

  /** Answers what is asked with a class; while painting, takes its colour, or labels the rest. */
  choose(value, rest = false) {
    if (!this.ready || (value >= this.request.classes.length && value !== this.cannotBeSaid)) return;
    if (!this.tool.paints) {
      this.#answer((unit) => [value, unit.size]);
    } else if (rest) {
      this.#fillRest([value, this.unit.size]);
    } else {
      this.tool.value = value;
      this.refresh();
    }
  }

  unknown() {
    this.choose(this.cannotBeSaid);
  }

  /** Accepts what the network predicts, while painting for the rest of the unit. */
  accept() {
    if (!this.ready) return;
    if (this.tool.paints && this.work.isDone(this.position)) {
      this.nextOpen();
      return;
    }
    const beliefs = this.asked.map((unit) => this.believed(unit));
    if (beliefs.includes(null)) {
      this.say('The network says nothing here: choose a class, or press R for the rest of a region.');
    } else if (this.tool.paints) {
      this.#fillRest(beliefs[0]);
    } else {
      this.#answer((unit) => this.believed(unit));
    }
  }

  /** Gives the class in hand to the pixels of the unit that have none. */
  rest() {
    if (this.ready && this.tool.paints) this.#fillRest([this.tool.value, this.unit.size]);
  }

  #answer(runsOf) {
    const given = this.asked.map((unit) => {
      return {position: {...this.position, unit: unit.index}, runs: runsOf(unit)};
    });
    this.work.say(given, this.clock.lap());
    for (const {position, runs} of given) this.answers.paint(this.units[position.unit], runs);
    this.nextOpen();
  }

  #fillRest(runs) {
    const {size} = this.unit;
    const rest = unpackValues(runs, size);
    const values = unpackValues(this.work.answer(this.position).runs ?? [OPEN, size], size);
    const whole = values.map((value, i) => (value === OPEN ? rest[i] : value));
    this.work.say([{position: this.position, runs: packValues(whole)}], this.clock.lap());
    this.nextOpen();
  }

  /** Moves on to the next unit without an answer. */
  nextOpen() {
    const next = this.work.nextOpen(this.position, this.broken);
    if (next) {
      this.#moveTo(next);
    } else {
      this.#moveTo(this.position);
      this.end();
    }
  }

  next() {
    this.#step(1);
  }

  back() {
    this.#step(-1);
  }

  #step(step) {
    if (!this.unit) return;
    const there = this.work.neighbour(this.position, step);
    if (there) this.#moveTo(there);
    else this.say(step > 0 ? 'This is the last region.' : 'This is the first region.');
  }

  #moveTo(position) {
    this.go(position);
    const start = this.pressed;
    if (start === undefined) return;
    // after the frame that shows the unit
    requestAnimationFrame(() => setTimeout(() => performance.measure('next unit', {start})));
  }

  /** Notes when a key was pressed, to measure how soon the next unit is drawn. */
  started(time) {
    this.pressed = time;
  }

  undo() {
    if (this.ready) this.#revisit(this.work.undo());
  }

  redo() {
    if (this.ready) this.#revisit(this.work.redo());
  }

  async #revisit(positions) {
    if (!positions.length) return;
    for (const at of positions) {
      if (at.image !== this.position.image) continue;
      const unit = this.units[at.unit];
      this.answers.paint(unit, this.work.answer(at).runs ?? [OPEN, unit.size]);
    }
    const [{image, unit}] = positions;
    const {name, paints} = this.tool;
    const stays = image === this.position.image && unit === this.position.unit;
    await this.go({image, unit});
    if (stays && paints) this.take(name); // a stroke is taken back, the brush stays in the hand
  }

  /** Takes a tool into the hand. */
  take(name) {
    if (!this.unit) return;
    this.tool.take(name);
    if (name !== 'several') this.asked = [this.unit];
    this.refresh();
  }

  /** A click on the image: goes to the unit there, or chooses it beside the others. */
  click(point) {
    if (!this.unit) return;
    const unit = unitAt(this.units, point, REACH / this.view.scale);
    if (!unit) return;
    if (this.tool.name === 'several') this.#toggle([unit]);
    else if (unit !== this.unit) this.#moveTo({image: this.position.image, unit: unit.index});
  }

  /** A finished shape: paints under it, or chooses the units in it. */
  shape() {
    if (!this.ready) return;
    if (this.tool.name === 'several') {
      const found = this.tool.encircled(this.units);
      this.#toggle(found.filter((unit) => !this.asked.includes(unit)));
      return;
    }
    const {value} = this.tool;
    const pixels = this.tool.finish(this.unit);
    if (pixels.length) {
      this.work.paint(this.position, this.unit.size, pixels, value, this.clock.lap());
    } else {
      this.say('No pixel of the region lies there.');
    }
    this.refresh();
  }

  #toggle(units) {
    for (const unit of units) {
      if (!this.asked.includes(unit)) this.asked.push(unit);
      else if (this.asked.length > 1) this.asked.splice(this.asked.indexOf(unit), 1);
    }
    this.refresh();
  }

  /** Chooses the next open unit of the image beside the others. */
  addNext() {
    if (!this.unit) return;
    const next = this.openUnits().find((unit) => {
      return unit.index > this.position.unit && !this.asked.includes(unit);
    });
    if (!next) return;
    if (this.tool.name !== 'several') this.take('several');
    this.#toggle([next]);
  }

  /** Moves the cursor of the tool by keys. */
  moveCursor(dx, dy, fine) {
    if (!this.unit) return;
    const {left, top, right, bottom} = this.unit.box;
    const step = fine ? 1 : Math.max(1, STEP / this.view.scale);
    const from = this.tool.cursor ?? {x: (left + right) / 2, y: (top + bottom) / 2};
    this.tool.drag({x: from.x + dx * step, y: from.y + dy * step});
    this.draw();
  }

  /** Begins a shape at the cursor, or adds a corner. */
  spaceDown = () => {
    if (!this.unit) return;
    if (!this.tool.cursor) this.moveCursor(0, 0, true);
    if (this.tool.press(this.tool.cursor, this.view.scale)) this.shape();
    this.draw();
  };

  /** Ends the shape that was begun. */
  spaceUp() {
    if (this.tool.name === 'polygon' || !this.tool.drawing) return;
    const isClick = this.tool.name === 'several' && this.tool.points.length < 3;
    if (isClick) {
      const {cursor} = this.tool;
      this.tool.cancel();
      this.click(cursor);
    } else {
      this.shape();
    }
  }

  closePolygon() {
    if (this.tool.name === 'polygon' && this.tool.points.length > 2) this.shape();
  }

  overview() {
    if (!this.work) return;
    openOverview(this.request, this.work, this.position?.image ?? 0, (image) => {
      const all = this.request.images[image].units === this.work.done[image];
      const open = all ? {image, unit: 0} : this.work.nextOpen({image, unit: -1});
      this.#moveTo(open);
    });
  }

  /** Saves the work as a file. */
  async save() {
    if (!this.work) return;
    const annotator = byId('name').value.trim();
    const text = await makeFile(this.request, this.work, this.pictures, annotator);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
    const who = annotator.replace(/[^\p{L}\p{N}-]+/gu, '_').slice(0, 40);
    link.download = ['round', this.request.round, who].filter((part) => part !== '').join('_') + '.json';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    const {finished, total} = this.work;
    this.say(`${link.download} is saved: ${finished} of ${total} answers. Send it back.`);
  }

  /** Goes on with the work of a saved file. */
  async load(input) {
    const [file] = input.files;
    input.value = '';
    if (!file || !this.ready) return;
    try {
      const found = await readFile(await file.text(), this.request, this.pictures);
      this.work.merge(found);
      this.say(`${found.length} answers are taken from ${file.name}; U takes this back.`);
    } catch (error) {
      this.say(error.message);
      return;
    }
    this.view.image = null; // draws all answers anew
    byId('start').close();
    await this.go(this.work.nextOpen({image: 0, unit: -1}) ?? {image: 0, unit: 0});
  }
}
