// The words and buttons around the image.

import {shares} from './codec.js';
import {TOOLS} from './splitting.js';

/** Number of classes that have a key of their own. */
const KEYS = 9;

/** @returns {HTMLElement} The element with an id. */
export const byId = (id) => document.getElementById(id);

/** A new element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A patch with the colour and pattern of a class; of another value, that of "cannot be said". */
export function chip(classes, value) {
  const style = classes[value];
  const element = make('i', {className: `chip pattern${style ? style.pattern : 'unknown'}`});
  if (style) element.style.setProperty('--colour', style.colour);
  return element;
}

/** Seconds as words: "45 s", "12 min", "2 h 5 min". */
export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The panel beside the image. */
export class Panel {
  /**
   * @param {Object} request Content of the page.
   * @param {Object} act What the buttons do, see app.js.
   */
  constructor(request, act) {
    this.classes = request.classes;
    this.unknown = request.cannot_be_said;
    this.act = act;
    this.#makeClasses();
    this.tools = new Map();
    for (const [name, {title, key}] of Object.entries(TOOLS)) {
      const button = make(
        'button',
        {type: 'button', title: TOOLS[name].hint || 'One class for the whole region'},
        title,
        make('kbd', {textContent: key === 'Escape' ? '' : key.toUpperCase()}),
      );
      button.addEventListener('click', () => act.take(name));
      byId('tools').append(button);
      this.tools.set(name, button);
    }
    for (const name of ['accept', 'unknown', 'back', 'next', 'undo', 'redo', 'fit', 'smaller', 'larger']) {
      byId(name).addEventListener('click', () => act[name]());
    }
    byId('zoomin').addEventListener('click', () => act.zoom(1.3));
    byId('zoomout').addEventListener('click', () => act.zoom(1 / 1.3));
    byId('rest').addEventListener('click', () => act.rest());
    // a clicked button must not take the next Enter or Space for itself
    document.addEventListener('click', (event) => {
      const button = event.target.closest('button');
      if (event.detail && button && !button.closest('dialog')) byId('canvas').focus();
    });
  }

  #makeClasses() {
    this.rows = this.classes.map(({name}, value) => {
      const key = make('kbd', {textContent: value < KEYS ? value + 1 : ''});
      const button = make(
        'button',
        {type: 'button', title: name},
        chip(this.classes, value),
        make('span', {textContent: name}),
        key,
      );
      button.addEventListener('click', (event) => this.#choose(value, event.shiftKey));
      byId('classes').append(button);
      return button;
    });
    const search = byId('search');
    search.hidden = this.classes.length <= KEYS;
    search.addEventListener('input', () => this.#filter());
    search.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && this.found.length) this.#choose(this.found[this.at], false);
      else if (event.key === 'Escape') this.#endSearch();
      else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        this.#highlight(this.at + (event.key === 'ArrowDown' ? 1 : -1));
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.#filter();
  }

  /** Lets the annotator type the name of a class. */
  search() {
    if (!byId('search').hidden) byId('search').focus();
  }

  #filter() {
    const words = byId('search').value.trim().toLowerCase();
    const rank = (value) => {
      const name = this.classes[value].name.toLowerCase();
      return name.startsWith(words) ? 0 : name.includes(words) ? 1 : 2;
    };
    const all = this.classes.map((_, value) => value);
    this.found = all.filter((value) => rank(value) < 2).sort((a, b) => rank(a) - rank(b));
    this.rows.forEach((row, value) => (row.hidden = !this.found.includes(value)));
    this.#highlight(words ? 0 : -1);
  }

  #highlight(at) {
    this.at = this.found.length ? Math.min(this.found.length - 1, Math.max(0, at)) : 0;
    this.rows.forEach((row, value) => {
      row.classList.toggle('found', at >= 0 && value === this.found[this.at]);
    });
  }

  #endSearch() {
    byId('search').value = '';
    this.#filter();
    byId('canvas').focus();
  }

  #choose(value, rest) {
    if (byId('search').value || document.activeElement === byId('search')) this.#endSearch();
    this.act.choose(value, rest);
  }

  /**
   * Shows what is asked now.
   * @param {Object} state
   * @param {string} state.title
   * @param {number[]|null} state.belief What the network predicts, as runs; null for nothing.
   * @param {number[]|null} state.runs The answer so far, as runs.
   * @param {import('./splitting.js').Tool} state.tool
   */
  show({title, belief, runs, tool}) {
    byId('title').textContent = title;
    byId('accept').replaceChildren(...this.#describe(belief), make('kbd', {textContent: 'Enter'}));
    byId('accept').disabled = belief === null;
    const said = runs ? new Set(runs.filter((_, i) => i % 2 === 0)) : new Set();
    const isChosen = (value) => (tool.paints ? tool.value === value : said.has(value));
    this.rows.forEach((row, value) => row.setAttribute('aria-pressed', isChosen(value)));
    byId('unknown').setAttribute('aria-pressed', isChosen(this.unknown));
    for (const [name, button] of this.tools) {
      button.setAttribute('aria-pressed', tool.name === name);
    }
    byId('hint').textContent = TOOLS[tool.name].hint;
    byId('by-keyboard').textContent = TOOLS[tool.name].keyboard ?? '';
    const rest = this.classes[tool.value]?.name ?? 'cannot be said';
    byId('rest').replaceChildren(`Rest: ${rest}`, make('kbd', {textContent: 'R'}));
    byId('splitting').hidden = !tool.paints;
    byId('size').textContent = `${Math.round(tool.size)} px`;
    byId('sizes').hidden = tool.name !== 'brush';
  }

  #describe(belief) {
    if (belief === null) return [make('span', {textContent: 'The network says nothing here'})];
    const [first, second] = shares(belief);
    const words = ({value, share}) =>
      second ? `${this.classes[value].name} ${Math.round(100 * share)} %` : this.classes[value].name;
    const network = make('span', {className: 'network', textContent: 'Network:'});
    const parts = [network, chip(this.classes, first.value), make('span', {textContent: words(first)})];
    if (second) {
      parts.push(chip(this.classes, second.value), make('span', {textContent: words(second)}));
    }
    return parts;
  }

  /**
   * Shows how far the work is.
   * @param {import('./work.js').Work} work
   */
  progress(work) {
    const {finished, total, pace} = work;
    byId('bar').max = total;
    byId('bar').value = finished;
    const percent = Math.floor((100 * finished) / total);
    byId('count').textContent = `${finished} of ${total} (${percent} %)`;
    byId('pace').textContent = pace === null
      ? ''
      : `${pace.toFixed(1)} s each, ${duration(pace * (total - finished))} left`;
  }
}
