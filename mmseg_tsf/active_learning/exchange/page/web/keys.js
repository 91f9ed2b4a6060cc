// The keyboard: everything can be done without a mouse.

import {byId} from './panel.js';
import {TOOLS} from './splitting.js';

/** Directions of the arrows. */
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/** Keys that go on as long as they are held. */
const REPEATED = new Set([...Object.keys(ARROWS), '+', '=', '-', '[', ']']);

/** The digit that a key stands for, whatever else the layout or Shift makes of it. */
function digitOf({code, key}) {
  const digit = /^(Digit|Numpad)([0-9])$/.exec(code);
  // without Num Lock, a keypad has no digits
  return digit && (digit[1] === 'Digit' || key === digit[2]) ? Number(digit[2]) : null;
}

/**
 * Connects the keyboard.
 * @param {import('./splitting.js').Tool} tool
 * @param {Object} act What the keys do, see app.js.
 */
export function connectKeys(tool, act) {
  const plain = {
    Enter: () => act.accept(),
    x: () => act.unknown(),
    r: () => act.rest(),
    n: () => act.nextOpen(),
    Backspace: () => act.back(),
    u: () => act.undo(),
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
    s: () => act.save(),
  };
  const withShift = {u: () => act.redo(), z: () => act.redo()};

  const find = (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key; // Caps Lock
    const shifted = event.shiftKey && key in withShift;
    if (event.ctrlKey || event.metaKey) return (shifted ? withShift : withControl)[key];
    if (event.altKey) return null;
    const digit = digitOf(event);
    if (digit === 0) return () => act.unknown();
    if (digit) return () => act.choose(digit - 1, event.shiftKey);
    if (key in ARROWS) return () => arrow(event);
    if (key === ' ' && tool.name !== 'whole') return act.spaceDown;
    return (shifted ? withShift : plain)[key];
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
    // a key that is held too long must not answer regions that nobody has looked at
    if (event.repeat && !REPEATED.has(event.key)) return;
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
