"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");

const toApiGatewayEvent = require("./event");

// The HTTP request for which a function is called, if any.
const current = new AsyncLocalStorage();

/** Make the HTTP server and the functions behave as behind API Gateway. */
module.exports = function fixRequests(classes, { functions, provider }) {
  const { HttpServer, LambdaContext, LambdaFunction } = classes;

  const { createServer } = HttpServer.prototype;
  HttpServer.prototype.createServer = async function () {
    await createServer.call(this);
    fixServer(this.getServer());
  };

  const { create } = LambdaContext.prototype;
  LambdaContext.prototype.create = function () {
    const context = create.call(this);
    const name = context.functionName;
    const own = Object.values(functions).find((one) => one.name === name);
    // Every function had the name "Fake" and a timeout of six seconds.
    return { ...context, name, timeout: own?.timeout ?? provider.timeout ?? 6 };
  };

  const { runHandler, setEvent } = LambdaFunction.prototype;
  LambdaFunction.prototype.setEvent = function (event) {
    const request = current.getStore();
    setEvent.call(this, request ? toApiGatewayEvent(event, request) : event);
    this.isHttpApi = event?.version === "2.0";
  };
  LambdaFunction.prototype.runHandler = async function () {
    const answer = await outcome(runHandler.bind(this));
    if (!("errorType" in answer)) return answer.result;
    // It kept using a process that had ended. The next request gets a new one.
    if (answer.errorType !== "Runtime.NoResult") await this.cleanup();
    console.error(`${answer.errorType}: ${answer.errorMessage}`);
    return current.getStore()
      ? gatewayError(this.isHttpApi)
      : invocationResult(answer);
  };
};

function fixServer(server) {
  // It removed the trailing slash of the path, so Django, which appends it, redirected
  // forever.
  server.settings.router.stripTrailingSlash = false;
  // Neither API compresses responses by default.
  server.settings.compression = false;

  server.ext("onRequest", (request, h) => {
    // With this header it allowed any origin, with credentials, and responded to
    // OPTIONS itself. The event is made from `rawHeaders`, which keep the header.
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
        // It added `Cache-Control: no-cache` to responses without that header, and cut
        // responses of the function to the requested Range.
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

// It responded with 200 and the error as body if an HTTP API's function failed.
const gatewayError = (isHttpApi) => ({
  statusCode: isHttpApi ? 500 : 502,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({
    message: isHttpApi ? "Internal Server Error" : "Internal server error",
  }),
});

const invocationResult = ({ errorType, errorMessage }) =>
  errorType === "Runtime.NoResult" ? null : { errorType, errorMessage };
