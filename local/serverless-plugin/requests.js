"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");

const likeApiGateway = require("./event");

// The HTTP request on whose behalf a function is being called, if any.
const current = new AsyncLocalStorage();

/** Make the HTTP server and the functions behind it act as API Gateway does. */
module.exports = function mendRequests(classes, { functions, provider }) {
  const { HttpServer, LambdaContext, LambdaFunction } = classes;

  const { createServer } = HttpServer.prototype;
  HttpServer.prototype.createServer = async function () {
    await createServer.call(this);
    mendServer(this.getServer());
  };

  const { create } = LambdaContext.prototype;
  LambdaContext.prototype.create = function () {
    const context = create.call(this);
    const name = context.functionName;
    const own = Object.values(functions).find((one) => one.name === name);
    // Every function was called "Fake" and had six seconds.
    return { ...context, name, timeout: own?.timeout ?? provider.timeout ?? 6 };
  };

  const { runHandler, setEvent } = LambdaFunction.prototype;
  LambdaFunction.prototype.setEvent = function (event) {
    const request = current.getStore();
    setEvent.call(this, request ? likeApiGateway(event, request) : event);
    this.isHttpApi = event?.version === "2.0";
  };
  LambdaFunction.prototype.runHandler = async function () {
    const answer = await outcome(runHandler.bind(this));
    if (!("errorType" in answer)) return answer.result;
    // The next request gets a new process: one that died stayed in use.
    if (answer.errorType !== "Runtime.NoResult") await this.cleanup();
    console.error(`${answer.errorType}: ${answer.errorMessage}`);
    return current.getStore()
      ? gatewayError(this.isHttpApi)
      : invocationResult(answer);
  };
};

function mendServer(server) {
  // Every event source lost the last slash of the path, so that Django, which adds it,
  // redirected for ever.
  server.settings.router.stripTrailingSlash = false;
  // Neither API compresses; Django's answer is to be seen as it is.
  server.settings.compression = false;

  server.ext("onRequest", (request, h) => {
    // Seeing this header it allowed any origin, with credentials, and answered
    // OPTIONS with 200. The event is made of `rawHeaders` and keeps it.
    delete request.headers.origin;
    return h.continue;
  });

  const { route } = server;
  server.route = ({ handler, options, ...rest }) =>
    route.call(server, {
      ...rest,
      handler: async (request, h) => {
        const response = await current.run(request, () => handler(request, h));
        // It appended a charset to the Content-Type.
        return response.charset("");
      },
      options: {
        ...options,
        // It added `Cache-Control: no-cache` to what had none, and answered
        // Range requests that the function had answered in full.
        cache: false,
        response: { ...options.response, ranges: false },
      },
    });
}

async function outcome(run) {
  try {
    const result = await run();
    return /^Runtime\.(ExitError|NoResult)$/.test(result?.errorType)
      ? result
      : { result };
  } catch (error) {
    return { errorType: error.constructor.name, errorMessage: error.message };
  }
}

// A function that failed. An HTTP API answered 200 with the error as its body.
const gatewayError = (isHttpApi) => ({
  statusCode: isHttpApi ? 500 : 502,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({
    message: isHttpApi ? "Internal Server Error" : "Internal server error",
  }),
});

const invocationResult = ({ errorType, errorMessage }) =>
  errorType === "Runtime.NoResult" ? null : { errorType, errorMessage };
