"use strict";

const { execFile } = require("node:child_process");
const { randomUUID } = require("node:crypto");
const { relative, resolve, sep } = require("node:path");

const Environment = require("./environment");
const Environments = require("./environments");
const Files = require("./files");
const toApiGatewayEvent = require("./event");
const { currentRequest, errorResponse } = require("./requests");

const MIGRATION = /[/\\]migrations[/\\]\w+\.py$/;
// A request that comes with the save has been served by then.
const CHECK_MIGRATIONS_MS = 1_000;
// In the ARNs of functions.
const ACCOUNT = "123456789012";
const STREAM = "2026/01/01/[$LATEST]00000000000000000000000000000000";

/**
 * The functions of serverless.yml, which run the code that was saved last.
 *
 * `site` is what `run` knows: `settings`, the name of the settings module, `static`, the
 * folders of static files, and `written`, the paths to which the site itself writes.
 */
module.exports = class Functions {
  constructor(serverless, { python, site, noTimeout, waitMs }) {
    const { service, serviceDir } = serverless;
    Object.assign(this, { service, python, site, noTimeout, waitMs, root: serviceDir });
    this.environments = new Map();
    this.files = new Files(serviceDir, site.written);
    this.static = site.static.map((folder) => resolve(folder) + sep);
    // The versions at which static files changed, and were collected.
    this.changed = this.collected = this.files.version;
    this.files.on("change", (paths) => this.note(paths));
  }

  /** Return what serverless-offline calls a function with. */
  get(key, definition) {
    const { provider } = this.service;
    if (!this.environments.has(key)) {
      const { files, waitMs } = this;
      const create = (version) => this.start(definition, version);
      this.environments.set(key, new Environments({ files, create, waitMs }));
    }
    const timeout = definition.timeout ?? provider.timeout ?? 6;
    const arn = `arn:aws:lambda:${provider.region}:${ACCOUNT}:function`;
    const context = {
      function_name: definition.name,
      function_version: "$LATEST",
      invoked_function_arn: `${arn}:${definition.name}`,
      memory_limit_in_mb: String(memory(definition, provider)),
      log_group_name: `/aws/lambda/${definition.name}`,
      log_stream_name: STREAM,
      timeout_seconds: timeout,
    };
    return new Invocation(
      this.environments.get(key),
      context,
      this.noTimeout ? undefined : timeout,
    );
  }

  endAll() {
    for (const environments of this.environments.values()) environments.endAll();
  }

  start(definition, version) {
    const events = definition.events ?? [];
    const web = definition.url || events.some((e) => e.http || e.httpApi || e.alb);
    const collects = web && this.changed > this.collected;
    const environment = new Environment({
      python: this.python,
      handler: definition.handler,
      steps: [...(collects ? ["collectstatic"] : []), ...(web ? ["urls"] : [])],
      cwd: this.root,
      variables: this.variables(definition),
      version,
    });
    environment.started.then(({ ready }) => {
      if (ready && collects) this.collected = version;
    });
    return environment;
  }

  variables(definition) {
    const { provider } = this.service;
    return {
      ...process.env,
      ...(this.site.settings && { DJANGO_SETTINGS_MODULE: this.site.settings }),
      _HANDLER: definition.handler,
      AWS_DEFAULT_REGION: provider.region,
      AWS_REGION: provider.region,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memory(definition, provider),
      AWS_LAMBDA_FUNCTION_NAME: definition.name,
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${definition.name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: STREAM,
      LANG: "en_US.UTF-8",
      // As serverless-offline sets it.
      IS_OFFLINE: "true",
      ...provider.environment,
      ...definition.environment,
    };
  }

  /** Print which files changed, and do what Python does not do for them. */
  note(paths) {
    const [first, ...more] = paths.map((path) => relative(this.files.root, path));
    console.log(`Changed: ${first}${more.length ? ` and ${more.length} more` : ""}`);
    if (paths.some((path) => this.static.some((folder) => path.startsWith(folder))))
      this.changed = this.files.version;
    if (this.site.settings && paths.some((path) => MIGRATION.test(path))) {
      clearTimeout(this.check);
      this.check = setTimeout(() => this.checkMigrations(), CHECK_MIGRATIONS_MS);
    }
  }

  checkMigrations() {
    execFile(
      this.python,
      ["-m", "django", "migrate", "--check"],
      { cwd: this.root, env: this.variables({ handler: "" }) },
      (error, output, errors) => {
        // It has the same status after an error, which the functions report.
        if (error && !errors)
          console.log(
            "A migration is not applied. Start `run` again, which applies it, or run: " +
              `python manage.py migrate --settings=${this.site.settings}`,
          );
      },
    );
  }
};

const memory = (definition, provider) =>
  definition.memorySize ?? provider.memorySize ?? 1024;

/** A call of a function, in place of serverless-offline's LambdaFunction. */
class Invocation {
  constructor(environments, context, timeout) {
    Object.assign(this, { environments, context, timeout });
    this.request = currentRequest();
  }

  setClientContext(value) {
    this.context.client_context = value;
  }

  setEvent(event) {
    this.isHttpApi = event?.version === "2.0";
    this.event = this.request ? toApiGatewayEvent(event, this.request) : event;
  }

  async runHandler() {
    const { result, error, failed } = await this.invoke();
    if (this.request ? result : !error && !failed) return result;
    const { errorType, errorMessage } = error ?? {
      errorType: failed ? "Runtime.InitError" : "Runtime.NoResult",
      errorMessage: failed ?? "The handler returned no result",
    };
    if (!failed) console.error(`${errorType}: ${errorMessage}`);
    return this.request
      ? errorResponse(this.request, this.isHttpApi, failed)
      : { errorType, errorMessage };
  }

  async invoke() {
    let environment;
    try {
      environment = await this.environments.take();
    } catch ({ message }) {
      return { failed: message };
    }
    const context = { ...this.context, aws_request_id: randomUUID() };
    const answer = await environment.invoke(this.event, context, this.timeout);
    this.environments.give(environment);
    return answer;
  }
}
