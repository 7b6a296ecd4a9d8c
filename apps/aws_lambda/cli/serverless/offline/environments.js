"use strict";

const QUIET_MS = 150;
const MATCH_EVERY_MS = 50;
const IDLE_MS = 60_000;
// What failed for another reason than the files may work again: a database.
const FAILURE_MS = 5_000;

/**
 * The execution environments of a function.
 *
 * An environment has the version that the files had before it started, and a request
 * that at which it came: it gets an environment of this version or a newer one. When
 * the files change, idle environments end, and busy ones end after their request. A new
 * one starts before a request needs it.
 */
module.exports = class Environments {
  /**
   * `create` starts an environment of a version. A request waits `waitMs` for a busy
   * environment before another one starts, so that a single process serves a page with
   * its static files. One starts at a time.
   */
  constructor({ files, create, waitMs }) {
    Object.assign(this, { files, create, waitMs });
    this.all = new Set();
    this.waiting = [];
    this.readyAt = 0;
    files.on("change", (paths) => this.replace(paths));
  }

  /** Return an environment for a request. Throws why none can start. */
  async take() {
    const version = await this.files.current();
    return new Promise((resolve, reject) => {
      this.waiting.push({ version, resolve, reject, since: performance.now() });
      this.match();
    });
  }

  /** Take an environment back after a request. */
  give(environment) {
    if (this.all.has(environment)) {
      environment.state = "idle";
      environment.timer = setTimeout(() => {
        if (this.in("idle").length > 1) this.end(environment);
      }, IDLE_MS);
    }
    this.match();
  }

  endAll() {
    for (const environment of this.all) this.end(environment);
  }

  in(state) {
    return [...this.all].filter((environment) => environment.state === state);
  }

  match() {
    const requests = this.waiting.splice(0);
    for (const request of requests) {
      const found = this.in("idle").find(({ version }) => version >= request.version);
      if (found) {
        clearTimeout(found.timer);
        found.state = "busy";
        request.resolve(found);
      } else if (this.failure?.version >= request.version) {
        request.reject(this.failure);
      } else {
        this.waiting.push(request);
      }
    }
    for (const environment of this.in("idle"))
      if (environment.version < this.files.version) this.end(environment);
    for (const request of this.waiting) if (this.lacksOne(request)) this.start();
    clearTimeout(this.next);
    if (this.waiting.length > 0)
      this.next = setTimeout(() => this.match(), MATCH_EVERY_MS);
  }

  /** Return whether a waiting request needs another environment than there are. */
  lacksOne(request) {
    const starting = this.in("starting");
    const usable = [...starting, ...this.in("busy")].some(
      ({ version }) => version >= request.version,
    );
    if (!usable) return true;
    const waited = performance.now() - Math.max(request.since, this.readyAt);
    return starting.length === 0 && waited >= this.waitMs;
  }

  replace(paths) {
    // One that is starting may have loaded one module before the change, and another
    // one after it. With other files it serves the requests that came before.
    if (paths.some((path) => path.endsWith(".py")))
      for (const environment of this.in("starting")) this.end(environment);
    this.match();
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => {
      const { version } = this.files;
      const tried = [...this.all, this.failure].map((one) => one?.version);
      if (!tried.includes(version)) this.start();
    }, QUIET_MS);
  }

  async start() {
    const environment = this.create(this.files.version);
    environment.state = "starting";
    this.all.add(environment);
    environment.ended.then(() => this.all.delete(environment));
    const { ready, failed, error } = await environment.started;
    // It may have loaded modules that were saved after the last look.
    this.files.look();
    if (environment.state === "ending") return;
    this.readyAt = performance.now();
    if (ready) {
      this.failure = undefined;
      this.give(environment);
    } else {
      this.fail(environment, failed ?? error.errorMessage);
    }
  }

  fail({ version }, reason) {
    const failure = Object.assign(new Error(reason), { version });
    this.failure = failure;
    console.error(`The init phase failed:\n${reason}`);
    setTimeout(() => {
      if (this.failure === failure) this.failure = undefined;
    }, FAILURE_MS);
    this.match();
  }

  end(environment) {
    environment.state = "ending";
    this.all.delete(environment);
    environment.end();
  }
};
