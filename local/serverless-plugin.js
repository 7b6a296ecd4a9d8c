"use strict";

// Makes serverless-offline 14.8 run Python functions as API Gateway and Lambda
// do. Each mend names its fault. All of it hangs on the `offline` command's own
// hook: deploying and packaging never come here.

const childProcess = require("node:child_process");
const { existsSync } = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");
const { dirname, join } = require("node:path");
const { pathToFileURL } = require("node:url");

const mendRequests = require("./serverless-plugin/requests");
const watchPython = require("./serverless-plugin/python");

module.exports = class PythonOffline {
  constructor(serverless) {
    this.serverless = serverless;
    this.hooks = {
      "before:offline:start": () => this.mend(),
      "before:offline:start:init": () => this.mend(),
    };
  }

  async mend() {
    this.mendConfiguration(this.serverless.service);
    this.mendInterpreter(this.serverless.serviceDir);
    // Its files are no public entry points, so they are imported by their path.
    const root = dirname(require.resolve("serverless-offline"));
    const load = async (file) =>
      (await import(pathToFileURL(join(root, file)).href)).default;
    mendRequests(
      {
        HttpServer: await load("events/http/HttpServer.js"),
        LambdaContext: await load("lambda/LambdaContext.js"),
        LambdaFunction: await load("lambda/LambdaFunction.js"),
      },
      this.serverless.service,
    );
    if (process.env.STOP_WITH_STDIN) this.stopWithStdin();
  }

  mendConfiguration(service) {
    const { custom, functions, provider } = service;
    const configured = [provider, ...Object.values(functions)];
    for (const { environment = {} } of configured) {
      for (const [name, value] of Object.entries(environment)) {
        // !Ref, !Sub and !GetAtt have no value here: they would arrive as
        // "[object Object]". A reference to a parameter or a secret has no
        // service to ask. An empty placeholder would hide Django's default, and
        // a value in the developer's own environment is meant to be used.
        const unknown =
          typeof value === "object" || /^$|^(ssm|secretsmanager):/.test(value);
        if (unknown || name in process.env) delete environment[name];
      }
      if (environment.STAGE) environment.STAGE = "local";
    }
    // The deployment's values. Here the event source is http://localhost.
    Object.assign((provider.environment ??= {}), {
      STAGE: "local",
      LAMBDA_URL_SCHEME: "http",
    });

    // It refuses runtimes newer than itself; it starts `python3` for each.
    for (const item of configured) {
      if (/^python3\.1[4-9]$/.test(item.runtime)) item.runtime = "python3.13";
    }

    // Cookies that look like JSON were answered with 400.
    service.custom = {
      ...custom,
      "serverless-offline": {
        disableCookieValidation: true,
        ...custom?.["serverless-offline"],
      },
    };
  }

  mendInterpreter(serviceDir) {
    // It finds a virtual environment only by this variable. The project's own
    // comes before one that the shell has active.
    const own = join(serviceDir, ".venv");
    if (existsSync(own)) process.env.VIRTUAL_ENV = own;

    const { spawn } = childProcess;
    childProcess.spawn = (command, args, options) =>
      Array.isArray(args) && String(args[1]).endsWith("invoke.py")
        ? // A shell in between breaks on a space in the path, and takes the
          // signals that are meant for Python.
          watchPython(spawn(command, args, { ...options, shell: false }))
        : spawn(command, args, options);
    syncBuiltinESMExports();
  }

  stopWithStdin() {
    // Whoever started us holds the other end, and may be killed.
    process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
    process.stdin.resume();
  }
};
