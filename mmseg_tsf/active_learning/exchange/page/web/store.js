// Work that the browser keeps between visits (IndexedDB), and which tab may change it.

const DATABASE = 'mmseg_tsf annotate';
const OWNERS = 'owners';
const ANSWERS = 'answers';

/** The stored answers of one request; only one tab at a time may change them. */
export class Store {
  /**
   * @param {string} work Name of the work: the request and how it is cut into units.
   * @param {function('full'|'failed'|'kept'|'taken', string=): void} report Receives what became of
   *     the writes: the quota is used up, they failed for another reason, all is kept again, or
   *     another tab has taken the work over.
   */
  constructor(work, report) {
    this.work = work;
    this.report = report;
    this.tab = crypto.getRandomValues(new Uint32Array(2)).join('-');
    this.waiting = new Map();
    this.writing = false;
    this.state = 'kept';
  }

  /**
   * Opens the database.
   * @throws {Error} The browser has none for this page.
   */
  async open() {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(OWNERS);
      request.result.createObjectStore(ANSWERS);
    };
    this.database = await result(request);
  }

  /**
   * Makes this tab the one that works.
   * @param {boolean} force Whether to take the work over from another tab.
   * @returns {Promise<boolean>} Whether it is; false if another tab works, and `force` is not set.
   */
  async claim(force) {
    if (!(await this.#hold(force))) return false;
    const transaction = this.database.transaction(OWNERS, 'readwrite');
    transaction.objectStore(OWNERS).put(this.tab, this.work);
    await finished(transaction);
    return true;
  }

  /** Holds a lock for as long as the tab lives, where the browser offers locks to files. */
  #hold(force) {
    return new Promise((settle) => {
      const mode = force ? {steal: true} : {ifAvailable: true};
      const name = `${DATABASE} ${this.work}`;
      let held = false;
      const keep = (lock) => {
        held = lock !== null;
        settle(held);
        return held ? new Promise(() => {}) : null;
      };
      const lost = () => {
        if (held) this.#change('taken');
        settle(true); // no locks here: the owner in the database still protects every write
      };
      if (!navigator.locks) lost();
      else navigator.locks.request(name, mode, keep).catch(lost);
    });
  }

  /** @returns {Promise<{image: number, unit: number, answer: Object}[]>} All stored answers. */
  async load() {
    const range = IDBKeyRange.bound([this.work], [this.work, []]);
    const answers = this.database.transaction(ANSWERS).objectStore(ANSWERS);
    const [keys, values] = await Promise.all([
      result(answers.getAllKeys(range)),
      result(answers.getAll(range)),
    ]);
    return keys.map(([, image, unit], i) => ({image, unit, answer: values[i]}));
  }

  /**
   * Stores answers; what fails is tried again with the next.
   * @param {{image: number, unit: number, answer: Object}[]} items
   */
  save(items) {
    for (const item of items) this.waiting.set(`${item.image} ${item.unit}`, item);
    if (this.database && !this.writing) this.#write();
  }

  /** Whether something is not stored yet. */
  get pending() {
    return this.waiting.size > 0;
  }

  async #write() {
    this.writing = true;
    while (this.waiting.size && this.state !== 'taken') {
      const batch = this.waiting;
      this.waiting = new Map();
      try {
        await this.#put(batch.values());
        if (this.state !== 'taken') this.#change('kept');
      } catch (error) {
        this.waiting = new Map([...batch, ...this.waiting]);
        if (this.state !== 'taken') {
          this.#change(error.name === 'QuotaExceededError' ? 'full' : 'failed', error.message);
        }
        break;
      }
    }
    this.writing = false;
  }

  async #put(items) {
    const transaction = this.database.transaction([OWNERS, ANSWERS], 'readwrite');
    const end = finished(transaction);
    end.catch(() => {}); // reported below; another error may come first
    const owner = await result(transaction.objectStore(OWNERS).get(this.work));
    if (owner !== this.tab) {
      transaction.abort();
      this.#change('taken');
      throw new Error('another tab works');
    }
    const answers = transaction.objectStore(ANSWERS);
    for (const {image, unit, answer} of items) answers.put(answer, [this.work, image, unit]);
    transaction.commit?.();
    await end;
  }

  #change(state, message = '') {
    if (this.state === state) return;
    this.state = state;
    this.report(state, message);
  }
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('the write was aborted'));
  });
}
