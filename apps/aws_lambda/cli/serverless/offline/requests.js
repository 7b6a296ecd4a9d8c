"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");

// The HTTP request for which a function is called, if any.
const current = new AsyncLocalStorage();

/** Make the HTTP server behave as API Gateway. */
function fixRequests(HttpServer) {
  const { createServer } = HttpServer.prototype;
  HttpServer.prototype.createServer = async function () {
    await createServer.call(this);
    fixServer(this.getServer());
  };
}

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

/**
 * Return the response of an API to a request whose function failed.
 *
 * serverless-offline responded with 200 and the error as body for an HTTP API. `reason`
 * is that of a failed init phase: a browser shows it, until it has passed.
 */
function errorResponse(request, isHttpApi, reason) {
  const page = reason && request.headers.accept?.includes("text/html");
  return {
    statusCode: isHttpApi ? 500 : 502,
    headers: { "Content-Type": page ? "text/html; charset=utf-8" : "application/json" },
    body: page ? errorPage(reason) : JSON.stringify({
      message: isHttpApi ? "Internal Server Error" : "Internal server error",
    }),
  };
}

const escape = (text) =>
  text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt()};`);

const errorPage = (reason) => `<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>The site does not start</title>
<h1>The site does not start</h1>
<pre>${escape(reason)}</pre>
<p>This page is loaded again every two seconds. Clients that do not ask for HTML get the response of API Gateway.</p>
`;

module.exports = {
  currentRequest: () => current.getStore(),
  errorResponse,
  fixRequests,
};
