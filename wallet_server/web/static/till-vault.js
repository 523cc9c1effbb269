// What a paired device keeps for times without a network, in IndexedDB: its key (which no script can take out of it), what
// the service handed it, the cards that it saw, and the queue of what it did.
const STORES = { facts: undefined, events: "sequence", cards: "stem" };

const settled = (request) =>
  new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });

export class Vault {
  static async open(name) {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const [store, keyPath] of Object.entries(STORES)) request.result.createObjectStore(store, keyPath ? { keyPath } : undefined);
    };
    const base = await settled(request);
    base.onversionchange = () => base.close();
    return new Vault(base);
  }

  constructor(base) {
    this.base = base;
  }

  store(name, mode) {
    return this.base.transaction(name, mode, { durability: "strict" }).objectStore(name);
  }

  get(store, key) {
    return settled(this.store(store, "readonly").get(key));
  }

  all(store) {
    return settled(this.store(store, "readonly").getAll());
  }

  // Resolves once it is on the disk: what is said to be kept is kept.
  change(stores, act) {
    const transaction = this.base.transaction(stores, "readwrite", { durability: "strict" });
    act(...stores.map((name) => transaction.objectStore(name)));
    return new Promise((done, failed) => {
      transaction.oncomplete = () => done();
      transaction.onabort = transaction.onerror = () => failed(transaction.error);
    });
  }

  keep(store, value, key) {
    return this.change([store], (place) => place.put(value, key));
  }
}
