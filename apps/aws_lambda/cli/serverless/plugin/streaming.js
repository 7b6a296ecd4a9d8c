"use strict";

// Streamed responses of the web function, by the parameter `streaming`: what its event source
// needs for them, which serverless.yml of a site does not have to say.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html

// The longest integration timeout of a REST API that streams, which is Lambda's own.
const STREAM_SECONDS = 900;

const VARIABLE = "LAMBDA_STREAMING";

// "ANY /" or {method: any, path: /}.
function streamed({ http, ...others }) {
  const [method, path] = typeof http === "string" ? http.split(" ") : [];
  return {
    ...others,
    http: {
      timeoutInMillis: STREAM_SECONDS * 1000,
      ...(path ? { method, path } : http),
      response: { ...http.response, transferMode: "STREAM" },
    },
  };
}

// Other functions, and the HTTP API of this one, stay as they are. serverless-offline cannot
// stream, so with it all of them do.
function useStreaming({ processedInput, service }) {
  const { custom, functions } = service;
  if (String(custom.deployment.streaming) !== "true" || processedInput.commands[0] === "offline") return;
  const { http } = functions;
  http.events = (http.events ?? []).map((event) => (event.http ? streamed(event) : event));
  if (http.url) http.url = { ...(http.url === true ? {} : http.url), invokeMode: "RESPONSE_STREAM" };
  // The function has to know: events do not differ.
  http.environment = { [VARIABLE]: "true", ...http.environment };
}

module.exports = { STREAM_SECONDS, useStreaming };
