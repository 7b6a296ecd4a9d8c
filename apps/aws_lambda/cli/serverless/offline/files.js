"use strict";

const { EventEmitter } = require("node:events");
const { readdirSync, realpathSync, statSync } = require("node:fs");
const { basename, join, resolve } = require("node:path");

// What an editor, Python, a database or a log writes, and hidden files.
const IGNORED =
  /^[.#]|^(__pycache__|node_modules|site-packages|4913)$|(~|___)$|\.(pyc|log|sqlite3?|db)$/;
// Beside a database of SQLite.
const JOURNAL = /-(journal|shm|wal)$/;
const LOOK_EVERY_MS = 250;
// Of the time, spent on looking at the files of a large site.
const SHARE = 0.05;

// What was removed meanwhile, or may not be read, is not there.
function attempt(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * The files of the site, and the number of their version.
 *
 * A version is found by looking at all files, not by events: each editor saves in its
 * own way, and events arrive late, or not at all in containers and network folders.
 * Emits "change" with the paths of the files that were written, added or removed.
 */
module.exports = class Files extends EventEmitter {
  /** `written` are the files and folders that the site itself writes. */
  constructor(root, written = []) {
    super();
    this.root = realpathSync(root);
    this.written = new Set(written.map((path) => resolve(this.root, path)));
    this.version = 1;
    this.states = this.read();
  }

  /** Look at the files now and then. */
  watch() {
    const start = performance.now();
    this.look();
    const wait = Math.max(LOOK_EVERY_MS, (performance.now() - start) / SHARE);
    setTimeout(() => this.watch(), wait).unref();
  }

  /** Return the version of the files at the time of this call, or later. */
  current() {
    // One look for all requests that have arrived.
    this.next ??= new Promise((done) => {
      setImmediate(() => {
        this.next = undefined;
        this.look();
        done(this.version);
      });
    });
    return this.next;
  }

  look() {
    const states = this.read();
    const changed = [...states.keys()].filter(
      (path) => states.get(path) !== this.states.get(path),
    );
    changed.push(...[...this.states.keys()].filter((path) => !states.has(path)));
    if (changed.length === 0) return;
    this.states = states;
    this.version += 1;
    this.emit("change", changed);
  }

  read() {
    const states = new Map();
    const folders = new Set();
    const walk = (folder) => {
      const names = attempt(() => readdirSync(folder)) ?? [];
      // A virtual environment.
      if (names.includes("pyvenv.cfg")) return;
      for (const name of names) {
        const path = join(folder, name);
        const owner = path.replace(JOURNAL, "");
        if (IGNORED.test(basename(owner)) || this.written.has(owner)) continue;
        const stat = attempt(() => statSync(path));
        if (stat?.isFile()) {
          states.set(path, `${stat.mtimeMs} ${stat.size} ${stat.ino}`);
        } else if (stat?.isDirectory() && !folders.has(`${stat.dev} ${stat.ino}`)) {
          // A link can name a folder above it.
          folders.add(`${stat.dev} ${stat.ino}`);
          walk(path);
        }
      }
    };
    walk(this.root);
    return states;
  }
};
