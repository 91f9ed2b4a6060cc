// Mouse, pen and fingers on the image.

/** Movement in screen pixels below which a press is a click. */
const STILL = 6;

/**
 * Connects a canvas with what pointers do on it: one finger or the left button uses the tool, two
 * fingers or another button move the view, the wheel enlarges it.
 * @param {import('./view.js').View} view
 * @param {import('./splitting.js').Tool} tool
 * @param {Object} act
 * @param {function(import('./shapes.js').Point): void} act.click Receives a clicked point of the image.
 * @param {function(): void} act.shape Called when a shape of the tool is complete.
 * @param {function(): void} act.draw
 */
export function connectPointer(view, tool, act) {
  const canvas = view.canvas;
  const down = new Map();
  let moved = 0;
  let pans = false;

  const local = (event) => {
    const {left, top} = canvas.getBoundingClientRect();
    return {x: event.clientX - left, y: event.clientY - top};
  };
  const inImage = ({x, y}) => view.toImage(x, y);

  canvas.addEventListener('pointerdown', (event) => {
    if (!view.image) return;
    canvas.setPointerCapture(event.pointerId);
    const at = local(event);
    down.set(event.pointerId, at);
    if (down.size === 2) {
      if (tool.name !== 'polygon') tool.cancel();
      pans = true;
      moved = Infinity;
    }
    if (down.size > 1) return;
    moved = 0;
    pans = event.button !== 0 || tool.name === 'whole';
    if (!pans && tool.name !== 'polygon') tool.press(inImage(at), view.scale);
    act.draw();
  });

  canvas.addEventListener('pointermove', (event) => {
    if (!view.image) return;
    const at = local(event);
    const before = down.get(event.pointerId);
    if (before) {
      if (pans) panAndZoom(event.pointerId, before, at);
      moved += Math.hypot(at.x - before.x, at.y - before.y);
      down.set(event.pointerId, at);
    }
    if (tool.name !== 'whole' && !pans) {
      const passed = before ? event.getCoalescedEvents?.() ?? [] : [];
      for (const one of passed.length ? passed : [event]) tool.drag(inImage(local(one)));
      act.draw();
    } else if (before) {
      act.draw();
    }
  });

  const panAndZoom = (id, before, at) => {
    const other = [...down].find(([key]) => key !== id)?.[1];
    const share = 1 / down.size;
    view.pan((at.x - before.x) * share, (at.y - before.y) * share);
    if (!other) return;
    const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    view.zoom(distance(at) / Math.max(1, distance(before)), (at.x + other.x) / 2, (at.y + other.y) / 2);
  };

  canvas.addEventListener('pointerup', (event) => {
    if (!down.delete(event.pointerId)) return;
    if (down.size || event.button !== 0) return;
    const point = inImage(local(event));
    if (tool.name === 'polygon' && moved < STILL) {
      if (tool.press(point, view.scale)) act.shape();
    } else if (moved < STILL && ['whole', 'several'].includes(tool.name)) {
      tool.cancel();
      act.click(point);
    } else if (!pans && tool.drawing && tool.name !== 'polygon') {
      act.shape();
    }
    pans = false;
    act.draw();
  });

  canvas.addEventListener('pointercancel', (event) => {
    down.delete(event.pointerId);
    tool.cancel();
    act.draw();
  });
  canvas.addEventListener('pointerleave', (event) => {
    if (down.size || event.pointerType !== 'mouse' || tool.name === 'polygon') return;
    tool.cursor = null;
    if (view.image) act.draw();
  });
  // a stroke is no scrolling, after which the browser would swallow the next tap
  canvas.addEventListener('touchstart', (event) => event.preventDefault(), {passive: false});
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      if (!view.image) return;
      const {x, y} = local(event);
      view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), x, y);
      act.draw();
    },
    {passive: false},
  );
}
