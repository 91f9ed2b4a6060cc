// The keyboard: everything can be done without a mouse.

import {byId} from './panel.js';
import {TOOLS} from './splitting.js';

/** Keys that only the tools know, by name: movement of the cursor. */
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/**
 * Connects the keyboard.
 * @param {import('./splitting.js').Tool} tool
 * @param {Object} act What the keys do, see app.js.
 */
export function connectKeys(tool, act) {
  const plain = {
    Enter: () => act.accept(),
    0: () => act.unknown(),
    x: () => act.unknown(),
    r: () => act.rest(),
    n: () => act.nextOpen(),
    Backspace: () => act.back(),
    u: () => act.undo(),
    U: () => act.redo(),
    '/': () => act.search(),
    '[': () => act.smaller(),
    ']': () => act.larger(),
    '+': () => act.zoom(1.3),
    '=': () => act.zoom(1.3),
    '-': () => act.zoom(1 / 1.3),
    f: () => act.fit(),
    v: () => act.bare(),
    a: () => act.addNext(),
    c: () => act.closePolygon(),
    o: () => act.overview(),
    '?': () => act.help(),
  };
  for (const [name, {key}] of Object.entries(TOOLS)) plain[key] = () => act.take(name);
  const withControl = {
    z: () => act.undo(),
    y: () => act.redo(),
    Z: () => act.redo(),
    s: () => act.save(),
  };

  const find = (event) => {
    if (event.ctrlKey || event.metaKey) return withControl[event.key];
    if (event.altKey) return null;
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    // Shift changes the character of a digit, but not its place; a keypad has no Shift
    if (digit && (event.shiftKey || event.key === digit[1])) {
      return () => act.choose(Number(digit[1]) - 1, event.shiftKey);
    }
    if (event.key in ARROWS) return () => arrow(event);
    if (event.key === ' ' && tool.name !== 'whole') return event.repeat ? () => {} : act.spaceDown;
    return plain[event.key];
  };
  const arrow = (event) => {
    const [dx, dy] = ARROWS[event.key];
    if (tool.name !== 'whole') act.moveCursor(dx, dy, event.shiftKey);
    else if (event.shiftKey || dy) act.move(-dx, -dy);
    else if (dx < 0) act.back();
    else act.next();
  };

  addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open]') || event.target.matches('input')) return;
    const presses = ['Enter', ' '].includes(event.key) && event.target.matches('button, a');
    const action = presses ? null : find(event);
    if (!action) return;
    event.preventDefault();
    act.started(event.timeStamp);
    action();
  });
  addEventListener('keyup', (event) => {
    if (event.key === ' ' && tool.name !== 'whole') act.spaceUp();
  });
  byId('name').addEventListener('keydown', (event) => {
    if (['Enter', 'Escape'].includes(event.key)) byId('canvas').focus();
  });
}
