// Seconds that a person works on a unit.

/** Longest pause, in seconds, that still counts as work. */
const LONGEST_PAUSE = 30;

/** Adds up the time between actions of the annotator; longer pauses count in part. */
export class Clock {
  constructor() {
    this.seconds = 0;
    this.last = performance.now();
    for (const kind of ['pointerdown', 'pointermove', 'keydown', 'wheel']) {
      addEventListener(kind, () => this.tick(), {passive: true, capture: true});
    }
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.tick();
      else this.last = performance.now();
    });
  }

  /** Notes that the annotator is at work. */
  tick() {
    const now = performance.now();
    this.seconds += Math.min(LONGEST_PAUSE, (now - this.last) / 1000);
    this.last = now;
  }

  /**
   * Ends the measurement of a unit and starts the next.
   * @returns {number} Seconds since the last call.
   */
  lap() {
    this.tick();
    const seconds = this.seconds;
    this.seconds = 0;
    return seconds;
  }
}
