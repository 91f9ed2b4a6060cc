// All images with their progress.

import {byId, make} from './panel.js';

/**
 * Opens the overview.
 * @param {Object} request Content of the page.
 * @param {import('./work.js').Work} work
 * @param {number} current Image that is shown now.
 * @param {function(number): void} choose Receives the image that is chosen.
 */
export function openOverview(request, work, current, choose) {
  const dialog = byId('overview');
  const cards = request.images.map((image, index) => {
    const done = work.done[index];
    const picture = make('img', {alt: '', loading: 'lazy', decoding: 'async', src: image.file});
    const button = make(
      'button',
      {type: 'button', className: 'card'},
      picture,
      make('span', {className: 'name', textContent: image.id, title: image.id}),
      make('progress', {max: image.units, value: done}),
      make('span', {textContent: `${done} of ${image.units}${secondsOf(work, index)}`}),
    );
    button.classList.toggle('complete', done === image.units);
    if (index === current) button.setAttribute('aria-current', 'true');
    button.disabled = image.units === 0;
    button.addEventListener('click', () => {
      dialog.close();
      choose(index);
    });
    return button;
  });
  byId('cards').replaceChildren(...cards);
  const finished = work.images.filter((image, i) => work.done[i] === image.units).length;
  byId('images').textContent = `${finished} of ${request.images.length} images are complete`;
  dialog.showModal();
  const here = cards[current];
  here?.focus();
  here?.scrollIntoView({block: 'center'});
  // arrows go from card to card
  byId('cards').onkeydown = (event) => {
    const columns = cards.filter((card) => card.offsetTop === cards[0].offsetTop).length;
    const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns};
    const at = cards.indexOf(document.activeElement) + steps[event.key];
    if (!cards[at]) return;
    event.preventDefault();
    cards[at].focus();
  };
}

function secondsOf(work, image) {
  const answers = [...work.answers[image].values()];
  const seconds = answers.reduce((sum, answer) => sum + answer.seconds, 0);
  return work.done[image] ? `, ${(seconds / work.done[image]).toFixed(1)} s each` : '';
}
