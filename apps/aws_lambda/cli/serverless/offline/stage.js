"use strict";

// What the stage has on AWS, for the local AWS of `django-on-lambda run`, which creates
// the same: buckets, queues that a function consumes, and schedules.

const { renameSync, writeFileSync } = require("node:fs");

const ACCOUNT = "123456789012";

/**
 * Write the description of the stage to the file in LOCAL_STAGE, and give variables that
 * refer to a bucket or a queue the value that it has in the local AWS, LOCAL_AWS_URL.
 */
module.exports = function useLocalStage(serverless) {
  const { LOCAL_AWS_URL: url, LOCAL_STAGE: file } = process.env;
  if (!file) return;
  const stage = describe(serverless);
  if (url) setVariables(serverless.service, stage, url);
  // The local AWS, which waits for it, must not read a part of it.
  writeFileSync(`${file}.part`, JSON.stringify(stage, null, 2));
  renameSync(`${file}.part`, file);
};

function describe(serverless) {
  const { functions, provider, resources, service } = serverless.service;
  const found = Object.entries(resources?.Resources ?? {});
  const ofType = (type) => found.filter(([, resource]) => resource.Type === type);
  const prefix = `${service}-${provider.stage}`;
  const naming = serverless.getProvider("aws").naming;

  const buckets = ofType("AWS::S3::Bucket").map(([id, { Properties = {} }]) => ({
    id,
    name: text(Properties.BucketName) ?? `${prefix}-${id}`.toLowerCase().slice(0, 63),
    cors: Properties.CorsConfiguration?.CorsRules ?? [],
  }));

  const queues = ofType("AWS::SQS::Queue").map(([id, { Properties = {} }]) => ({
    id,
    name: text(Properties.QueueName) ?? `${prefix}-${id}`,
    attributes: attributes(Properties),
    dead: target(Properties.RedrivePolicy?.deadLetterTargetArn) ?? null,
    maxReceiveCount: Properties.RedrivePolicy?.maxReceiveCount ?? null,
  }));

  const mappings = Object.values(functions).flatMap(({ events = [], name }) =>
    events
      .filter(({ sqs }) => sqs)
      .map(({ sqs }) => ({
        function: name,
        queue: target(sqs.arn),
        batchSize: sqs.batchSize ?? 10,
      })),
  );
  // Tasks in a queue without a consumer would never run.
  const used = new Set(mappings.map(({ queue }) => queue));
  for (const { id, dead } of queues) if (used.has(id)) used.add(dead);

  const schedules = ofType("AWS::Scheduler::Schedule").map(([id, { Properties }]) => ({
    id,
    expression: Properties.ScheduleExpression,
    input: Properties.Target.Input ?? "",
    function:
      Object.entries(functions).find(([key]) =>
        JSON.stringify(Properties.Target.Arn).includes(naming.getLambdaLogicalId(key)),
      )?.[1].name ?? null,
  }));

  return {
    region: provider.region,
    buckets,
    queues: queues.filter(({ id }) => used.has(id)),
    mappings: mappings.filter(({ queue }) => queues.some(({ id }) => id === queue)),
    schedules,
  };
}

const text = (value) => (typeof value === "string" ? value : undefined);

// The logical ID in {"Fn::GetAtt": [ID, "Arn"]}.
const target = (arn) => arn?.["Fn::GetAtt"]?.[0];

function attributes({ QueueName, RedrivePolicy, Tags, ...properties }) {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([, value]) => typeof value !== "object")
      .map(([name, value]) => [name, String(value)]),
  );
}

function setVariables({ functions, provider }, { buckets, queues }, url) {
  const values = new Map([
    ...buckets.map(({ id, name }) => [id, name]),
    ...queues.map(({ id, name }) => [id, `${url}/${ACCOUNT}/${name}`]),
  ]);
  for (const { environment = {} } of [provider, ...Object.values(functions)])
    for (const [name, value] of Object.entries(environment))
      // It takes precedence over the value of the shell and of .env, which is that of a
      // bucket or a queue on AWS.
      if (values.has(value?.Ref)) process.env[name] = values.get(value.Ref);
}
