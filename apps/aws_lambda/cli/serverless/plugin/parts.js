"use strict";

// Parts of the deployment that a site may leave out of serverless.yml: background tasks and
// the bucket of uploads. What refers to a part goes with it: variables, statements of
// policies, widgets of the dashboard.

// The resources of each part that others refer to.
const TASKS = [
  "SendTasksPolicy",
  "TaskDeadLetterQueue",
  "TaskQueue",
  "TasksLambdaFunction",
  "TasksLogGroup",
];
const MEDIA = ["MediaBucket", "MediaPolicy"];

// Returns the logical IDs that a value refers to: {Ref: Queue}, {"Fn::Sub": "${Queue.Arn}/*"}.
function references(value) {
  if (Array.isArray(value)) return value.flatMap(references);
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, part]) => {
    if (key === "Ref") return [part];
    if (key === "Fn::GetAtt") return [String(part).split(/[.,]/)[0]];
    if (key === "Fn::Sub" && typeof part === "string")
      return Array.from(part.matchAll(/\$\{(\w+)/g), ([, name]) => name);
    return references(part);
  });
}

// Removes, from all lists in a value, the items that refer to one of these resources.
function removeItems(value, missing) {
  if (value === null || typeof value !== "object") return;
  Object.values(value).forEach((part) => removeItems(part, missing));
  if (!Array.isArray(value)) return;
  const kept = value.filter((item) => !references(item).some((name) => missing.has(name)));
  value.splice(0, value.length, ...kept);
}

// Leaves out what refers to the parts that serverless.yml does not have. Calls `refuse` with the
// reason if it has a half of one.
function leaveOut({ service }, refuse) {
  const { functions, custom, resources } = service;
  const { Resources = {} } = resources;
  if ("tasks" in functions !== "TaskQueue" in Resources)
    refuse(
      `serverless.yml has ${"tasks" in functions ? "the function tasks" : "resources/tasks.yml"} only, ` +
        "and background tasks need both: tasks.yml below functions, and resources/tasks.yml below resources. " +
        "Add the other one, or remove this one too.",
    );
  const missing = new Set([
    ...("TaskQueue" in Resources ? [] : TASKS),
    ...("MediaBucket" in Resources ? [] : MEDIA),
  ]);
  removeItems(Resources, missing);
  const { environment } = custom.deployment;
  for (const [name, value] of Object.entries(environment))
    if (references(value).some((id) => missing.has(id))) delete environment[name];
}

module.exports = { leaveOut };
