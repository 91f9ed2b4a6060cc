// The page as it stands: which unit is shown, and what became of the stored work.

import {OPEN, shares} from './codec.js';
import {Clock} from './clock.js';
import {Layer, Palette} from './paint.js';
import {Panel, byId, make} from './panel.js';
import {Pictures} from './pictures.js';
import {Tool} from './splitting.js';
import {Store} from './store.js';
import {View} from './view.js';
import {Work} from './work.js';

/** One visit of an annotator; what buttons and keys do is added in actions.js. */
export class Session {
  /** @param {Object} request Content of the page, see build.py. */
  constructor(request) {
    this.request = request;
    this.cannotBeSaid = request.cannot_be_said;
    this.pictures = new Pictures(request);
    this.palette = new Palette(request.classes);
    this.store = new Store(request.work, (state, message) => this.reportStore(state, message));
    this.clock = new Clock();
    this.tool = new Tool();
    this.view = new View(byId('canvas'));
    this.panel = new Panel(request, this);
    this.broken = new Map();
    this.locked = true;
    this.isBare = false;
    addEventListener('resize', () => {
      this.view.resize();
      if (this.unit) this.draw();
    });
    addEventListener('beforeunload', (event) => {
      if (this.store.pending && !this.locked) event.preventDefault();
    });
    this.view.resize();
  }

  /** Opens the stored work, unless another tab has it, and shows the first open unit. */
  async start(force = false) {
    try {
      if (!this.store.database) await this.store.open();
      if (!(await this.store.claim(force))) {
        this.warn('This request is open in another tab. Only one tab can work on it.', [
          'Work in this tab',
          () => this.start(true),
        ]);
        return;
      }
      this.store.state = 'kept';
      await this.restore();
    } catch (error) {
      this.work ??= this.newWork();
      this.warn(
        'This browser keeps no work for this page: save the file before you close it. ' +
          `(${error.message})`,
      );
    }
    this.locked = false;
    this.panel.progress(this.work);
    await this.go(this.work.nextOpen({image: 0, unit: -1}) ?? {image: 0, unit: 0});
    this.clock.lap();
  }

  newWork() {
    return new Work(this.request, (positions) => {
      this.store.save(positions.map((at) => ({...at, answer: this.work.answer(at)})));
      this.panel.progress(this.work);
    });
  }

  async restore() {
    byId('warning').hidden = true;
    this.unit = null;
    this.work = this.newWork();
    const kept = [...(await this.store.load()), ...this.store.waiting.values()];
    for (const {image, unit, answer} of kept) this.work.restore({image, unit}, answer);
    this.store.save([]);
  }

  /** Tells what became of the work that the browser should keep. */
  reportStore(state, message) {
    const again = ['Try again', () => this.store.save([])];
    if (state === 'kept') {
      byId('warning').hidden = true;
    } else if (state === 'taken') {
      this.locked = true;
      this.warn('This request was opened in another tab, which works on it now.', [
        'Work in this tab',
        () => this.start(true),
      ]);
    } else if (state === 'full') {
      this.warn(
        'The storage of this browser is full: it does not keep your last answers. Save the file ' +
          'now; nothing is lost as long as this page stays open. Then make room on the disk.',
        again,
      );
    } else {
      this.warn(`The browser does not keep your last answers: save the file now. (${message})`, again);
    }
  }

  /** Shows a warning with a button. */
  warn(text, [title, action] = []) {
    const parts = [make('span', {textContent: text})];
    if (action) {
      const button = make('button', {type: 'button', textContent: title});
      button.addEventListener('click', action);
      parts.push(button);
    }
    byId('warning').replaceChildren(...parts);
    byId('warning').hidden = false;
  }

  /** Shows a message for a few seconds. */
  say(text) {
    byId('message').textContent = text;
    clearTimeout(this.forget);
    this.forget = setTimeout(() => (byId('message').textContent = ''), 4000);
  }

  /** Moves to a unit; at once if its image is shown already. */
  async go(position) {
    this.leave();
    this.tool.take('whole');
    if (this.view.image !== this.request.images[position.image] || !this.units) {
      if (!(await this.open(position))) return;
    }
    this.position = position;
    this.unit = this.units[position.unit];
    this.asked = [this.unit];
    this.answers.paint(this.unit, [OPEN, this.unit.size]);
    this.detail = new Layer(this.unit.box, this.palette);
    this.view.show(this.unit.box, this.unit.single);
    this.refresh();
  }

  /** Opens the image of a position; false if another move overtook it, or it cannot be shown. */
  async open(position) {
    this.goal = position;
    this.unit = null;
    let found;
    try {
      found = await Promise.all([
        this.pictures.units(position.image),
        this.pictures.picture(position.image),
      ]);
    } catch (error) {
      this.broken.set(position.image, error.message);
      this.warn([...this.broken.values()].join(' '));
      const next = this.work.nextOpen({image: position.image, unit: Infinity}, this.broken);
      if (this.goal !== position) return false;
      if (next ?? this.position) await this.go(next ?? this.position);
      if (!next) this.end();
      return false;
    }
    if (this.goal !== position) return false;
    const image = this.request.images[position.image];
    [this.units, this.picture] = found;
    this.view.image = image;
    this.view.scale = this.view.whole;
    this.answers = new Layer({left: 0, top: 0, right: image.width, bottom: image.height}, this.palette);
    for (const [index, {runs}] of this.work.answers[position.image]) {
      if (runs) this.answers.paint(this.units[index], runs);
    }
    this.pictures.prepare(position.image + 1);
    return true;
  }

  /** Says that nothing is left to answer. */
  end() {
    const left = this.work.total - this.work.finished;
    byId('end-title').textContent = left
      ? `${left} regions are left, whose images cannot be opened`
      : 'All regions are answered';
    byId('end').showModal();
  }

  /** Draws the answer of the unit that is left among the others. */
  leave() {
    if (!this.unit) return;
    this.answers.paint(this.unit, this.work.answer(this.position).runs ?? [OPEN, this.unit.size]);
  }

  /** What the network predicts for the pixels of a unit, as runs; null if nothing. */
  believed(unit) {
    const known = shares(unit.belief).filter(({value}) => value !== this.cannotBeSaid);
    if (!known.length) return null;
    // the most frequent class stands in for pixels between the asked ones
    return unit.belief.map((value, i) => (i % 2 || value !== this.cannotBeSaid ? value : known[0].value));
  }

  /** Draws the image and writes the panel anew. */
  refresh() {
    const {runs} = this.work.answer(this.position);
    const belief = this.believed(this.unit);
    const several = belief && shares(belief).length > 1;
    const predicted = !runs && several;
    const shown = predicted ? belief : runs ?? [OPEN, this.unit.size];
    if (this.detail.shown !== runs) this.detail.paint(this.unit, shown, predicted);
    this.detail.shown = runs; // a large unit takes time to paint
    const {image, unit} = this.position;
    const {single, size} = this.unit;
    const place = `${unit + 1} of ${this.units.length}`;
    const more = this.asked.length > 1 ? ` and ${this.asked.length - 1} more` : '';
    const one = `${single ? 'Pixel' : 'Region'} ${place}`;
    const title = (single && size > 1 ? `${size} pixels (${place})` : one) + more;
    byId('image').textContent =
      `${this.request.images[image].id} (${image + 1} of ${this.request.images.length})`;
    this.panel.show({title, belief, runs, tool: this.tool});
    this.draw();
  }

  /** Units of the image without an answer. */
  openUnits() {
    const {image} = this.position;
    return this.units.filter((unit) => !this.work.isDone({image, unit: unit.index}));
  }

  draw() {
    if (!this.unit) return;
    const style = this.request.classes[this.tool.value];
    this.view.draw({
      picture: this.picture,
      answers: this.isBare ? null : this.answers,
      detail: this.isBare ? null : this.detail,
      asked: this.asked,
      others: this.tool.name === 'several' ? this.openUnits() : [],
      above: (context) => this.tool.draw(context, this.view.scale, style?.colour ?? 'white'),
    });
  }
}
