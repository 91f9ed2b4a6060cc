(() => {
  'use strict';
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const press = (button, on) => button.setAttribute('aria-pressed', String(on));

  const palette = document.getElementById('palette');
  const recolour = (root) => {
    const name = document.documentElement.dataset.palette;
    for (const image of all('img[data-own]', root)) image.src = image.dataset[name];
  };
  if (palette) palette.addEventListener('click', () => {
    const root = document.documentElement;
    root.dataset.palette = root.dataset.palette === 'safe' ? 'own' : 'safe';
    press(palette, root.dataset.palette === 'safe');
    recolour(document);
  });

  const gallery = document.getElementById('gallery');
  if (!gallery) return;
  const shown = new Set(gallery.dataset.show.split(' '));
  const layers = all('.tools [data-layer]', gallery);
  const showLayers = () => {
    gallery.dataset.show = [...shown].join(' ');
    for (const button of layers) press(button, shown.has(button.dataset.layer));
  };
  const toggle = (name) => {
    if (!shown.delete(name)) shown.add(name);
    showLayers();
  };
  for (const button of layers) button.addEventListener('click', () => toggle(button.dataset.layer));

  const choices = all('.tools [data-round]', gallery);
  const showRound = (number) => {
    for (const part of all('.round', gallery)) part.hidden = part.dataset.round !== number;
    for (const button of choices) {
      const chosen = button.dataset.round === number;
      press(button, chosen);
      if (chosen) button.parentNode.scrollLeft = button.offsetLeft - button.parentNode.offsetLeft - 60;
    }
  };
  for (const button of choices) {
    button.addEventListener('click', () => showRound(button.dataset.round));
  }

  const veil = document.getElementById('veil');
  const showVeil = () => gallery.style.setProperty('--veil', veil.value / 100);
  veil.addEventListener('input', showVeil);

  const zoom = document.getElementById('zoom');
  const titles = new Map(layers.map((button) => [button.dataset.layer, button.lastChild.data]));
  let current = null;
  const sheet = (title, images, ratio) => {
    const figure = document.createElement('figure');
    const frame = document.createElement('div');
    const caption = document.createElement('figcaption');
    frame.className = 'sheet';
    frame.style.aspectRatio = ratio;
    frame.append(...images.map((image) => {
      const copy = image.cloneNode();
      copy.loading = 'eager';
      return copy;
    }));
    caption.textContent = title;
    figure.append(frame, caption);
    return figure;
  };
  const enlarge = (frame) => {
    const photo = all('.photo', frame);
    const ratio = frame.style.aspectRatio;
    const sheets = photo.length ? [sheet('Image', photo, ratio)] : [];
    for (const [name, title] of titles) {
      const layer = all(`.layer.${name}`, frame);
      if (layer.length) sheets.push(sheet(title, [...photo, ...layer], ratio));
    }
    current = frame;
    document.getElementById('zoom-title').textContent = frame.dataset.id;
    zoom.querySelector('.sheets').replaceChildren(...sheets);
    if (!zoom.open) zoom.showModal();
  };
  const step = (by) => {
    const frames = all('.frame', current.closest('.round'));
    enlarge(frames[(frames.indexOf(current) + by + frames.length) % frames.length]);
  };
  for (const frame of all('.frame', gallery)) frame.addEventListener('click', () => enlarge(frame));
  for (const button of all('[data-step]', zoom)) {
    button.addEventListener('click', () => step(Number(button.dataset.step)));
  }
  zoom.querySelector('[data-close]').addEventListener('click', () => zoom.close());
  zoom.addEventListener('close', () => current && current.focus());

  gallery.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (zoom.open) {
      if (event.key === 'ArrowLeft') step(-1);
      if (event.key === 'ArrowRight') step(1);
      return;
    }
    const button = layers[Number(event.key) - 1];
    if (button) toggle(button.dataset.layer);
  });

  showLayers();
  showRound(choices[choices.length - 1].dataset.round);
})();
