"use strict";

// The stages of the gateways, as far as the CLI does not describe them.

// Extended by resources/gateway.yml.
const STAGES = ["HttpApiStage", "ApiGatewayStage"];

// Makes the stage of a REST API a resource. The CLI has the deployment create it, and
// CloudFormation then refuses settings: "StageDescription cannot be specified when stage
// referenced by StageName already exists".
function addRestStage(serverless) {
  const { Resources } = serverless.service.provider.compiledCloudFormationTemplate;
  const { naming } = serverless.getProvider("aws");
  const stage = naming.getStageLogicalId();
  const deployment = Object.keys(Resources).find(
    (name) => Resources[name].Type === "AWS::ApiGateway::Deployment",
  );
  // The stage of an API of another stack belongs there.
  if (!deployment || !(naming.getRestApiLogicalId() in Resources)) return;
  const { StageName, ...kept } = Resources[deployment].Properties;
  Resources[deployment].Properties = kept;
  for (const resource of Object.values(Resources)) {
    const needed = [resource.DependsOn ?? []].flat();
    if (needed.includes(deployment))
      resource.DependsOn = needed.map((name) => (name === deployment ? stage : name));
  }
  Resources[stage] = {
    Type: "AWS::ApiGateway::Stage",
    Properties: { RestApiId: kept.RestApiId, DeploymentId: { Ref: deployment }, StageName },
  };
}

// Leaves out the settings and the log of a gateway that the site does not have, and keeps
// what the CLI has set already.
function extendStages({ service }) {
  const { Resources } = service.provider.compiledCloudFormationTemplate;
  const { extensions = {}, Resources: own } = service.resources;
  for (const name of STAGES.filter((each) => each in extensions)) {
    if (!(name in Resources)) {
      delete extensions[name];
      continue;
    }
    const { DefaultRouteSettings } = Resources[name].Properties;
    const { Properties } = extensions[name];
    if (DefaultRouteSettings)
      Properties.DefaultRouteSettings = { ...DefaultRouteSettings, ...Properties.DefaultRouteSettings };
  }
  if (!STAGES.some((name) => name in extensions)) delete own.GatewayLogGroup;
}

// A mapping needs the stage of its API.
function mapDomainLast({ service }) {
  const { Resources } = service.provider.compiledCloudFormationTemplate;
  const mapping = service.resources.Resources.DomainMapping;
  // A site may leave out a file of resources.
  if (!mapping) return;
  mapping.DependsOn = Object.keys(Resources).filter((name) =>
    /^AWS::ApiGateway(V2)?::Stage$/.test(Resources[name].Type),
  );
}

module.exports = function completeGateways(serverless) {
  addRestStage(serverless);
  extendStages(serverless);
  mapDomainLast(serverless);
};
