"use strict";

const { randomUUID } = require("node:crypto");

/**
 * Return the event that API Gateway makes from this request.
 *
 * serverless-offline makes it from the parsed and decoded request, which differs from
 * the original. This uses the request as it was sent.
 */
module.exports = function toApiGatewayEvent(event, request) {
  const { payload, rawHeaders, url } = request.raw.req;
  const [, path, query = ""] = url.match(/^(?:\w+:\/\/[^/?]*)?([^?]*)\??(.*)$/s);
  const headers = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    headers.push([rawHeaders[i], rawHeaders[i + 1]]);
  }
  const host = request.info.hostname;
  Object.assign(event.requestContext, {
    domainName: host,
    domainPrefix: host.split(".")[0],
    // It was the same for each request of an HTTP API.
    requestId: randomUUID(),
  });
  return event.version === "2.0"
    ? httpApi(event, { path, query, headers, payload })
    : restApi(event, { path, headers, payload });
};

function restApi(event, { path, headers, payload }) {
  const { stage } = event.requestContext;
  // The path was normalized, and that of the context had no stage.
  event.path = path.slice(`/${stage}`.length) || "/";
  event.requestContext.path = path;
  if (event.path === "/") {
    // "/dev/" matched {proxy+} with an empty value.
    event.resource = "/";
    event.pathParameters = null;
  } else if (event.pathParameters?.proxy) {
    // API Gateway omits the trailing slash.
    event.pathParameters.proxy = event.pathParameters.proxy.replace(/\/$/, "");
  }
  event.requestContext.resourcePath = event.resource;
  // A Content-Type was added to a body without one.
  event.headers = Object.fromEntries(headers);
  // With `binaryMediaTypes: */*` every body is base64. Only two types were, and
  // decoding images as text damaged them.
  event.isBase64Encoded = Boolean(payload?.length);
  event.body = event.isBase64Encoded ? payload.toString("base64") : null;
  return event;
}

const split = (cookies) => cookies.split(/;\s*/).filter(Boolean);

// An HTTP API sends these types as text, and others as base64.
const TEXT = /^(text\/|application\/(json|javascript|xml)\b)/i;

function httpApi(event, { path, query, headers, payload }) {
  const decoded = path.replace(/(%[0-9a-f]{2})+/gi, (bytes) => {
    try {
      return decodeURIComponent(bytes);
    } catch {
      return bytes; // not UTF-8
    }
  });
  // An HTTP API decodes the path. It was not decoded.
  event.rawPath = event.requestContext.http.path = decoded;
  // It was parsed and serialized: "?a=%20&b" became "?a=+&b=".
  event.rawQueryString = query;

  // The catch-all route has no parameters.
  if (event.routeKey === "$default") delete event.pathParameters;

  // Repeated headers are joined; only the last was kept. Cookies are in a list of
  // their own, as they were sent; they were parsed.
  event.headers = {};
  event.cookies = [];
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === "cookie") event.cookies.push(...split(value));
    else if (key in event.headers) event.headers[key] += `,${value}`;
    else event.headers[key] = value;
  }
  if (event.cookies.length === 0) delete event.cookies;

  const type = event.headers["content-type"] ?? "";
  event.isBase64Encoded = Boolean(payload?.length) && !TEXT.test(type);
  event.body = payload?.length
    ? payload.toString(event.isBase64Encoded ? "base64" : "utf8")
    : undefined;
  return event;
}
