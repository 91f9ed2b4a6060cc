// What buttons and keys do with the view.

import {byId} from './panel.js';
import {Session} from './session.js';

/** Distance on the screen by which arrows move the view. */
const PAN = 80;

/** A session whose view can be moved. */
export class Viewer extends Session {
  smaller() {
    this.#resize(-1);
  }

  larger() {
    this.#resize(1);
  }

  #resize(direction) {
    if (!this.unit) return;
    this.tool.resize(direction);
    this.refresh();
  }

  zoom(factor) {
    if (!this.unit) return;
    this.view.zoom(factor);
    this.draw();
  }

  /** Shows the whole image, or the unit again. */
  fit() {
    if (!this.unit) return;
    if (this.view.isWhole) {
      this.view.scale = 0; // the unit is not seen, so the view moves to it
      this.view.show(this.unit.box, this.unit.single);
    } else {
      this.view.fit();
    }
    this.draw();
  }

  /** Moves the view by steps. */
  move(dx, dy) {
    if (!this.unit) return;
    this.view.pan(dx * PAN, dy * PAN);
    this.draw();
  }

  /** Hides the labels, or shows them again. */
  bare() {
    this.isBare = !this.isBare;
    this.draw();
  }

  search() {
    this.panel.search();
  }

  help() {
    byId('start').showModal();
  }
}
