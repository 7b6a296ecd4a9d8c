"use strict";

// Checks the parameters of a stage. The CLI takes any name and any value, and CloudFormation
// rejects a wrong one late or not at all.

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const { closest } = require("fastest-levenshtein");

const DEFAULTS = readFileSync(join(__dirname, "..", "parameters.yml"), "utf8");
const KNOWN = new Set(Array.from(DEFAULTS.matchAll(/^(\w+):/gm), ([, name]) => name));

// Parameters of the command line, which have no default in serverless.yml.
const COMMAND_LINE = ["artifact", "live", "parametersVersion"];
// Connections of commands: two may run, and each holds a second one for its lock.
const COMMAND_CONNECTIONS = 2 * 2;
// Of max_connections; the rest is for migrations and people: docs/capacity.md#connections.
const MAX_SHARE = 0.8;

const oneOf = (...words) => [new RegExp(`^(${words.join("|")})$`), `one of ${words.join(", ")}`];
const between = (low, high, unit) => [
  { test: (value) => NUMBER[0].test(value) && value >= low && value <= high },
  `a whole number of ${unit} from ${low} to ${high}`,
];
const ARN = [/^arn:/, "an ARN"];
const NUMBER = [/^\d+$/, "a whole number"];
const SWITCH = oneOf("true", "false");

// What a value must be. "" is also valid where it is the default.
const VALUES = {
  accessLogs: oneOf("auto", "true", "false"),
  alarms: SWITCH,
  architecture: oneOf("arm64", "x86_64"),
  bootstrap: SWITCH,
  certificate: ARN,
  // 0 would throttle every version, including the live one.
  concurrency: [/^[1-9]\d*$/, 'a whole number above 0, or "" for no limit of its own'],
  databaseMaxConnections: NUMBER,
  databaseProfile: oneOf("direct", "proxy"),
  databaseUser: ARN,
  eventSource: oneOf("http-api", "rest-api", "function-url", "both"),
  kmsKey: [/^arn:.*:key\//, "the ARN of a key, not of an alias"],
  logLevel: oneOf("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"),
  // Those that CloudWatch has.
  logRetention: oneOf(
    ...[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731],
    ...[1096, 1827, 2192, 2557, 2922, 3288, 3653],
  ),
  // SES accepts ASCII only.
  mailFrom: [/^[\w.+-]+@[\w-]+(\.[\w-]+)+$/, "an address such as noreply@example.com, without a name"],
  memory: between(128, 10240, "MB"),
  originSecret: [/^(ssm|secretsmanager):/, "a reference to the secret: docs/secrets.md"],
  provisionedConcurrency: NUMBER,
  publicUrl: [/^https:\/\/[^/]/, "a URL such as https://example.com/shop"],
  secret: ARN,
  runtime: oneOf("aws", "own"),
  // 0 would refuse every request.
  throttleBurst: [/^([1-9]\d*)?$/, 'a whole number above 0, or "" for the account\'s limit'],
  throttleRate: [/^([1-9]\d*)?$/, 'a whole number above 0, or "" for the account\'s limit'],
  snapStart: oneOf("None", "PublishedVersions"),
  tracing: SWITCH,
  trustedProxies: [/^[1-9]\d*$/, "a whole number above 0"],
  trafficShift: oneOf(
    "AllAtOnce",
    // Those that AWS has defined: docs/deploy-reference.md#canary.
    ...["5Minutes", "10Minutes", "15Minutes", "30Minutes"].map((time) => `LambdaCanary10Percent${time}`),
    ...["1Minute", "2Minutes", "3Minutes", "10Minutes"].map((time) => `LambdaLinear10PercentEvery${time}`),
  ),
  vpc: oneOf("none", "private"),
};

// It is a part of the names of stacks and functions. The CLI itself rejects other characters.
const STAGE = /^[A-Za-z][A-Za-z0-9-]*$/;

// Combinations that cannot work, and the fix.
const CONTRADICTIONS = [
  [
    (p) => p.snapStart === "PublishedVersions" && p.provisionedConcurrency > 0,
    "snapStart and provisionedConcurrency exclude each other: use one of them.",
  ],
  [
    (p) => p.trafficShift !== "AllAtOnce" && p.alarms !== "true",
    "trafficShift requires alarms: set alarms to true, or trafficShift to AllAtOnce.",
  ],
  [
    (p) => p.alarms === "true" && ["WARN", "ERROR", "FATAL"].includes(p.logLevel),
    "logLevel above INFO logs no metrics, which alarms requires: set logLevel to INFO.",
  ],
  [(p) => p.alarmEmail && p.alarms !== "true", "alarmEmail requires alarms: set alarms to true."],
  [
    (p) => p.domain && p.eventSource === "function-url",
    "domain requires a gateway, but eventSource is function-url: set only publicUrl, and put CloudFront in front.",
  ],
  [
    (p) => p.accessLogs === "true" && p.eventSource === "function-url",
    "accessLogs requires a gateway, but eventSource is function-url, which writes none: set accessLogs to auto.",
  ],
  [
    (p) => p.domain && !p.certificate,
    "domain requires certificate: set it to the ARN of the domain's certificate.",
  ],
  [
    (p) => p.originSecret && !p.publicUrl,
    "originSecret requires publicUrl: requests to the URL of the gateway or function are refused.",
  ],
  [
    (p) => p.trustedProxies > 1 && !p.originSecret,
    "trustedProxies above 1 requires originSecret: a client that bypasses the proxy could write its own address.",
  ],
  [
    (p) => p.trustedProxies > 1 && p.eventSource === "function-url",
    "trustedProxies must be 1 with function-url, which cuts X-Forwarded-For: originSecret is enough.",
  ],
  [
    (p) => p.concurrency && Number(p.provisionedConcurrency) > Number(p.concurrency),
    "provisionedConcurrency exceeds concurrency, which includes it: raise concurrency.",
  ],
  [
    (p) => p.basePath && !p.domain,
    "basePath requires domain: without a domain, the path in publicUrl is enough.",
  ],
  [
    (p) => p.vpc === "private" && !(p.subnets && p.securityGroup),
    "vpc: private requires subnets and securityGroup.",
  ],
  [
    (p) => p.vpc === "none" && (p.subnets || p.securityGroup),
    "subnets and securityGroup require a VPC, but vpc is none: set vpc to private.",
  ],
  [
    (p) => p.endpointsVpc && p.vpc !== "private",
    "endpointsVpc requires functions in a VPC: set vpc to private.",
  ],
  [
    (p) => Boolean(p.endpointsVpc) !== Boolean(p.endpointsRouteTables),
    "endpointsVpc and endpointsRouteTables require each other: set both or neither.",
  ],
];

// The values of a stage as text. `blocks` is `params` of serverless.yml, and `given` what the
// command line adds.
function valuesOf({ blocks, stage, given }) {
  const values = Object.entries({ ...blocks.default, ...blocks[stage], ...given });
  return Object.fromEntries(values.map(([name, value]) => [name, String(value)]));
}

// `ofEveryStage` is `custom.parameters`, which is a part of `params.default`.
function unknownNames({ blocks, ofEveryStage, given }) {
  const { default: defaults, ...stages } = blocks;
  const names = Object.keys(defaults).filter((name) => KNOWN.has(name) || !(name in ofEveryStage));
  const places = Object.entries(stages).map(([stage, block]) => [`params.${stage}.`, block]);
  places.unshift(["--param ", given], ["custom.parameters.", ofEveryStage]);
  return places.flatMap(([place, block]) =>
    Object.keys(block ?? {})
      .filter((name) => ![...names, ...COMMAND_LINE].includes(name))
      .map((name) => `${place}${name} is not a parameter. Did you mean ${closest(name, names)}?`),
  );
}

// How many connections the functions may open, or NaN if that is unknown.
function connections({ functions }, { concurrency, databaseMaxConnections }) {
  if (!concurrency || !databaseMaxConnections) return NaN;
  const queue = functions.tasks?.events?.find(({ sqs }) => sqs)?.sqs;
  return Number(concurrency) + (Number(queue?.maximumConcurrency) || 0) + COMMAND_CONNECTIONS;
}

function connectionSentence(parameters, values) {
  const limit = values.databaseMaxConnections;
  return (
    `The functions may open ${connections(parameters, values)} connections: concurrency (${values.concurrency}), ` +
    `maximumConcurrency of the tasks function, and ${COMMAND_CONNECTIONS} of commands. databaseMaxConnections is ${limit}`
  );
}

const CONNECTION_ADVICE =
  "Lower concurrency, or put RDS Proxy or pgbouncer in between and give its limit: docs/capacity.md#connections";

function limits(parameters, values) {
  const { functions, eventSources, gatewayTimeout } = parameters;
  const found = [];
  if (connections(parameters, values) > Number(values.databaseMaxConnections))
    found.push(`${connectionSentence(parameters, values)}: under load it refuses the rest. ${CONNECTION_ADVICE}`);
  const timeout = functions.http?.timeout;
  const gateway = gatewayTimeout ?? eventSources[values.eventSource]?.timeout;
  if (timeout > gateway)
    found.push(
      `functions.http.timeout is ${timeout} s, but the gateway (${values.eventSource}) answers with an error after ${gateway} s, ` +
        `while the request continues and is billed: set it to at most ${gateway}.`,
    );
  return found;
}

// The functions of a list, as the CLI merges it later.
const merged = (functions) =>
  [functions].flat().reduce((all, some) => {
    for (const [name, own] of Object.entries(some)) all[name] = { ...all[name], ...own };
    return all;
  }, {});

// Returns a sentence for each problem. `functions` and `eventSources` are those of
// serverless.yml.
function problems(parameters) {
  const values = valuesOf(parameters);
  const accepted = (name) =>
    (values[name] === "" && parameters.blocks.default[name] === "") ||
    // "${ssm:...}" is resolved later.
    values[name].includes("${");
  return [
    ...unknownNames(parameters),
    ...Object.entries(VALUES)
      // A project may remove a parameter.
      .filter(([name]) => name in values)
      .filter(([name, [form]]) => !form.test(values[name]) && !accepted(name))
      .map(([name, [, words]]) => `${name} is ${values[name] || "empty"}, but must be ${words}.`),
    ...CONTRADICTIONS.filter(([holds]) => holds(values)).map(([, sentence]) => sentence),
    ...limits(parameters, values),
  ];
}

// Returns a sentence for each risk that does not prevent a deployment.
function warnings(parameters) {
  const values = valuesOf(parameters);
  const limit = Number(values.databaseMaxConnections);
  const needed = connections(parameters, values);
  return needed > MAX_SHARE * limit && needed <= limit
    ? [
        `${connectionSentence(parameters, values)}: above ${MAX_SHARE * 100} %, migrations and people may find none ` +
          `left. ${CONNECTION_ADVICE}`,
      ]
    : [];
}

// Returns why a stage cannot have this name, or undefined.
function stageProblem(stage, deploys) {
  if (!STAGE.test(stage))
    return (
      `The stage is ${JSON.stringify(stage)}, and its name must be a letter, then letters, digits and hyphens: ` +
      "--stage, or provider.stage in serverless.yml."
    );
  if (deploys && stage === "local")
    return (
      'The stage is "local", with which the settings are those of a developer\'s machine: plain HTTP, and a public ' +
      "SECRET_KEY. Give it another name, such as dev or prod."
    );
}

// Returns whether the CLI can resolve the variables of serverless.yml that contain these.
function isReadable(parameters) {
  const values = valuesOf(parameters);
  return ["eventSource", "vpc"].every((name) => VALUES[name][0].test(values[name]));
}

// Calls `refuse` with all problems of a deployment, and `warn` with each warning. Commands that
// show a stage or roll it back only need a readable serverless.yml.
function checkParameters({ configurationInput, processedInput }, refuse, warn) {
  const { params: blocks, provider, functions = {}, custom = {} } = configurationInput;
  const { deployment = {}, gatewayTimeout, parameters: ofEveryStage = {} } = custom;
  const pairs = (processedInput.options.param ?? []).map((pair) => /^([^=]+)=(.*)$/.exec(pair));
  const given = pairs.filter(Boolean).map(([, name, value]) => [name, value.trimEnd()]);
  const parameters = {
    blocks,
    stage: provider.stage,
    given: Object.fromEntries(given),
    ofEveryStage,
    functions: merged(functions),
    eventSources: deployment.eventSources ?? {},
    // A quota that AWS has raised.
    gatewayTimeout,
  };
  const deploys = ["deploy", "package"].includes(processedInput.commands[0]);
  const problem = stageProblem(provider.stage, deploys);
  if (problem) refuse(problem);
  const found = deploys || !isReadable(parameters) ? problems(parameters) : [];
  if (found.length) {
    const list = found.map((sentence) => `\n  - ${sentence}`).join("");
    refuse(
      `The parameters of stage ${provider.stage} are invalid:${list}\n` +
        "Correct them in serverless.yml, params, or after --param: docs/deploy-reference.md#parameters",
    );
  }
  if (deploys) warnings(parameters).forEach(warn);
}

module.exports = { checkParameters, problems, warnings };
