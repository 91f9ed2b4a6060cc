// Starts the page.

import {Annotator} from './actions.js';
import {byId} from './panel.js';

const NAME = 'mmseg_tsf annotator';

/** Keeps the name of the annotator for all requests, where the browser allows it. */
function keepName() {
  const input = byId('name');
  try {
    input.value = localStorage.getItem(NAME) ?? '';
    input.addEventListener('input', () => localStorage.setItem(NAME, input.value));
  } catch {
    input.value = '';
  }
}

function main() {
  const request = JSON.parse(byId('request').textContent);
  document.title = `Round ${request.round}`;
  byId('round').textContent = document.title;
  keepName();
  const annotator = new Annotator(request);
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.addEventListener('close', () => byId('canvas').focus());
    for (const button of dialog.querySelectorAll('[data-close]')) {
      button.addEventListener('click', () => dialog.close());
    }
  }
  byId('end-save').addEventListener('click', () => annotator.save());
  annotator.start().then(() => {
    if (annotator.work?.finished === 0) annotator.help();
  });
}

main();
