"use strict";

// The execution role and the permissions boundary that `django-on-lambda bootstrap` made.

// Returns the name of what the bootstrap made: "django-on-lambda-prod-boundary".
function nameOf(kind, { service }) {
  return `${service.service}-${service.provider.stage}-${kind}`;
}

// Returns whether the stage has them. The parameter is text after --param.
function isBootstrapped({ service }) {
  return String(service.custom.deployment.bootstrap) === "true";
}

// Gives each role of the stack the boundary. Without it, the execution role may not make it.
function addBoundary(serverless) {
  if (!isBootstrapped(serverless)) return;
  const { provider, resources } = serverless.service;
  const boundary = `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:policy/bootstrap/${nameOf("boundary", serverless)}`;
  for (const { Resources } of [resources, provider.compiledCloudFormationTemplate])
    for (const { Type, Properties } of Object.values(Resources))
      if (Type === "AWS::IAM::Role") Properties.PermissionsBoundary ??= { "Fn::Sub": boundary };
}

// Lets CloudFormation change or remove the stack with the execution role.
async function useExecutionRole(serverless) {
  if (!isBootstrapped(serverless)) return;
  const { provider } = serverless.service;
  const { accountId, partition } = await serverless.getProvider("aws").getAccountInfo();
  const role = `arn:${partition}:iam::${accountId}:role/bootstrap/${nameOf("execution", serverless)}`;
  provider.iam = { deploymentRole: role, ...provider.iam };
}

module.exports = { addBoundary, useExecutionRole };
