"use strict";

// Says what cannot be right in the parameters of a stage. The CLI takes any name and any
// value, and CloudFormation notices late, or not at all.

const { closest } = require("fastest-levenshtein");

// Those that serverless.yml has no default for.
const COMMAND_LINE = ["artifact", "live"];

const oneOf = (...words) => [new RegExp(`^(${words.join("|")})$`), `one of ${words.join(", ")}`];
const ARN = [/^arn:/, "an ARN"];
const NUMBER = [/^\d+$/, "a whole number"];
const SWITCH = oneOf("true", "false");

// What a value has to be. Where the default is "", which is "none", that will do, too.
const VALUES = {
  alarms: SWITCH,
  architecture: oneOf("arm64", "x86_64"),
  certificate: ARN,
  // None at all would throttle every version, also the live one.
  concurrency: [/^[1-9]\d*$/, "a whole number above 0; without it there are as many as the account has"],
  databaseMaxConnections: NUMBER,
  databaseProfile: oneOf("direct", "proxy"),
  databaseUser: ARN,
  door: oneOf("http-api", "rest-api", "function-url", "both"),
  kmsKey: [/^arn:.*:key\//, "the ARN of a key, not of an alias"],
  logLevel: oneOf("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"),
  logRetention: NUMBER,
  memory: NUMBER,
  provisionedConcurrency: NUMBER,
  publicUrl: [/^https:\/\/[^/]/, "a URL, such as https://example.com/shop"],
  secret: ARN,
  snapStart: oneOf("None", "PublishedVersions"),
  tracing: SWITCH,
  trafficShift: [/^(AllAtOnce|Lambda(Canary|Linear)\d+Percent(Every)?\d+Minutes?)$/, "AllAtOnce, or LambdaCanary10Percent5Minutes and the like"],
  vpc: oneOf("none", "private"),
};

// What goes wrong together, and what to do.
const CONTRADICTIONS = [
  [
    (p) => p.snapStart === "PublishedVersions" && p.provisionedConcurrency > 0,
    "snapStart and provisionedConcurrency exclude each other: choose one.",
  ],
  [
    (p) => p.trafficShift !== "AllAtOnce" && p.alarms !== "true",
    "trafficShift looks at alarms, and alarms is not true: make it true, or trafficShift AllAtOnce.",
  ],
  [
    (p) => p.alarms === "true" && ["WARN", "ERROR", "FATAL"].includes(p.logLevel),
    "logLevel is above INFO, where there are no metrics, and alarms looks at them: make it INFO.",
  ],
  [(p) => p.alarmEmail && p.alarms !== "true", "alarmEmail gets alarms, and alarms is not true."],
  [
    (p) => p.domain && p.door === "function-url",
    "domain is for a gateway, and door is function-url: set publicUrl alone, and put CloudFront in front.",
  ],
  [
    (p) => p.domain && !p.certificate,
    "domain needs certificate, and that is empty: give the ARN of its certificate.",
  ],
  [
    (p) => p.concurrency && Number(p.provisionedConcurrency) > Number(p.concurrency),
    "provisionedConcurrency is more than concurrency, which counts for both.",
  ],
  [
    (p) => p.basePath && !p.domain,
    "basePath is a path of domain, and that is empty: the path of publicUrl is enough.",
  ],
  [
    (p) => p.vpc === "private" && !(p.subnets && p.securityGroup),
    "vpc is private, which needs subnets and securityGroup.",
  ],
  [
    (p) => p.vpc === "none" && (p.subnets || p.securityGroup),
    "subnets and securityGroup are for a VPC, and vpc is none: make it private.",
  ],
  [
    (p) => p.endpointsVpc && p.vpc !== "private",
    "endpointsVpc makes endpoints for functions in a VPC, and vpc is not private.",
  ],
  [
    (p) => Boolean(p.endpointsVpc) !== Boolean(p.endpointsRouteTables),
    "endpointsVpc and endpointsRouteTables go together: give both, or none.",
  ],
];

// Returns the values of a stage as text. `blocks` are the `params` of serverless.yml, and
// `given` is what the command line adds to them.
function valuesOf({ blocks, stage, given }) {
  const values = Object.entries({ ...blocks.default, ...blocks[stage], ...given });
  return Object.fromEntries(values.map(([name, value]) => [name, String(value)]));
}

function unknownNames({ blocks, given }) {
  const { default: defaults, ...stages } = blocks;
  const names = Object.keys(defaults);
  const places = Object.entries(stages).map(([stage, block]) => [`params.${stage}.`, block]);
  return [["--param ", given], ...places].flatMap(([place, block]) =>
    Object.keys(block ?? {})
      .filter((name) => ![...names, ...COMMAND_LINE].includes(name))
      .map((name) => `${place}${name} is no parameter. Do you mean ${closest(name, names)}?`),
  );
}

// Returns a sentence for each, none if all is well.
function problems(parameters) {
  const values = valuesOf(parameters);
  // "${ssm:...}" has no value yet.
  const accepted = (name) =>
    (values[name] === "" && parameters.blocks.default[name] === "") ||
    values[name].includes("${");
  return [
    ...unknownNames(parameters),
    ...Object.entries(VALUES)
      // A project may have taken a parameter away.
      .filter(([name]) => name in values)
      .filter(([name, [form]]) => !form.test(values[name]) && !accepted(name))
      .map(([name, [, words]]) => `${name} is ${values[name] || "empty"}, and has to be ${words}.`),
    ...CONTRADICTIONS.filter(([holds]) => holds(values)).map(([, sentence]) => sentence),
  ];
}

// Tells whether the CLI finds all that serverless.yml looks up by these.
function isReadable(parameters) {
  const values = valuesOf(parameters);
  return ["door", "vpc"].every((name) => VALUES[name][0].test(values[name]));
}

// Calls `refuse` with all problems of a command of the CLI. Who looks at a stage, or rolls
// it back, needs no more than that serverless.yml can be read.
function checkParameters({ configurationInput, processedInput }, refuse) {
  const { params: blocks, provider } = configurationInput;
  const pairs = (processedInput.options.param ?? []).map((pair) => /^([^=]+)=(.*)$/.exec(pair));
  const given = pairs.filter(Boolean).map(([, name, value]) => [name, value.trimEnd()]);
  const parameters = { blocks, stage: provider.stage, given: Object.fromEntries(given) };
  const deploys = ["deploy", "package"].includes(processedInput.commands[0]);
  const found = deploys || !isReadable(parameters) ? problems(parameters) : [];
  if (!found.length) return;
  const list = found.map((sentence) => `\n  - ${sentence}`).join("");
  refuse(
    `The parameters of stage ${provider.stage} cannot be right:${list}\n` +
      "They are in serverless.yml, params, and after --param: docs/deploy.md#parameters",
  );
}

module.exports = { checkParameters, problems };
